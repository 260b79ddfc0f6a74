"""Finding one's way in the kinds' models by the names of YAML: for suggestions, explanations and schemas."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel

from syncline.kinds.base import Form

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Annotation = Any


@cache
def by_alias(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields by the name they have in YAML."""
    if not model.__pydantic_fields_complete__:
        model.model_rebuild()  # models of its fields weren't imported yet
    return {info.alias or name: info for name, info in model.model_fields.items()}


def alternatives(annotation: Annotation) -> Iterator[Annotation]:
    """The members of a union, the annotation alone otherwise; without `Annotated`, `None` and root models."""
    origin: Any = get_origin(annotation)
    if origin is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for member in get_args(annotation):
            yield from alternatives(member)
    elif isinstance(annotation, type) and issubclass(annotation, RootModel):
        yield from alternatives(annotation.model_fields["root"].annotation)
    elif annotation is not NoneType:
        yield annotation


def models(annotation: Annotation) -> list[type[BaseModel]]:
    """The models among the alternatives."""
    return [a for a in alternatives(annotation) if isinstance(a, type) and issubclass(a, BaseModel)]


def step(annotation: Annotation, key: str | int) -> Iterator[Annotation]:
    """What may stand at a key or position of a value of this annotation."""
    for alternative in alternatives(annotation):
        origin: Any = get_origin(alternative)
        if isinstance(alternative, type) and issubclass(alternative, BaseModel):
            if isinstance(key, str) and key in by_alias(alternative):
                yield by_alias(alternative)[key].annotation
        elif origin is dict and isinstance(key, str):
            yield get_args(alternative)[1]
        elif origin in {tuple, list} and isinstance(key, int):
            yield get_args(alternative)[0]


def at(annotation: Annotation, path: tuple[str | int, ...]) -> list[Annotation]:
    """Everything that may stand at a path under a value of this annotation."""
    found = [annotation]
    for key in path:
        found = [inner for outer in found for inner in step(outer, key)]
    return found


def info_at(annotation: Annotation, path: tuple[str | int, ...]) -> FieldInfo | None:
    """The field that a path ends at, or that the list or mapping at its end belongs to."""
    while path:
        if isinstance(path[-1], str):
            for parent in at(annotation, path[:-1]):
                for model in models(parent):
                    if path[-1] in by_alias(model):
                        return by_alias(model)[path[-1]]
        path = path[:-1]
    return None


def names(annotation: Annotation, branch: str = "") -> list[str]:
    """Names of the fields of the models that may stand here; of the one that `branch` names, if one does."""
    found = models(annotation)
    chosen = [m for m in found if branch and branch in {m.__name__, *literals_of(m, "type")}] or found
    return sorted({name for model in chosen for name in by_alias(model)})


def literals_of(model: type[BaseModel], field: str) -> tuple[str, ...]:
    """The values of a Literal field, such as a discriminator."""
    info = by_alias(model).get(field)
    return literals(info.annotation) if info else ()


def _is_literal(annotation: Annotation) -> bool:
    origin: Any = get_origin(annotation)
    return origin is Literal


def literals(annotation: Annotation) -> tuple[str, ...]:
    """The values that literals among the alternatives allow, in order."""
    return tuple(str(v) for a in alternatives(annotation) if _is_literal(a) for v in get_args(a))


def form(info: FieldInfo) -> str:
    """How a field's text is written, where its type says so."""
    return next((part.text for part in info.metadata if isinstance(part, Form)), "") or hint(info.annotation)


def hint(annotation: Annotation) -> str:
    """How the texts of an annotation, or of a part of it, are written, where it says so."""
    origin: Any = get_origin(annotation)
    if origin is Annotated:
        inner, *extras = get_args(annotation)
        return next((extra.text for extra in extras if isinstance(extra, Form)), "") or hint(inner)
    parts = get_args(annotation) if origin in {Union, UnionType, tuple, list} else ()
    return next((said for part in parts if (said := hint(part))), "")


_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dt.date: "a date",
}


def describe(annotation: Annotation) -> str:
    """What a value of this annotation is, in words: `text`, `a whole number or text`, `a list`."""
    words: list[str] = []
    for alternative in alternatives(annotation):
        origin: Any = get_origin(alternative)
        if origin is Literal:
            values = get_args(alternative)
            word = ("one of " if len(values) > 1 else "") + ", ".join(map(str, values))
        elif origin in {tuple, list}:
            word = f"a list of {describe(get_args(alternative)[0])}"
        elif origin is dict:
            word = "a mapping"
        elif isinstance(alternative, type) and issubclass(alternative, BaseModel):
            word = "a secretRef" if alternative.__name__ == "SecretRef" else "a mapping"
        else:
            word = _WORDS.get(alternative, "any value")
        if word not in words:
            words.append(word)
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else "".join(words)


def entries(annotation: Annotation) -> Iterator[Annotation]:
    """What the entries of a list or the values of a map of this annotation are."""
    for alternative in alternatives(annotation):
        origin: Any = get_origin(alternative)
        if origin is dict:
            yield get_args(alternative)[1]
        elif origin in {tuple, list}:
            yield get_args(alternative)[0]
