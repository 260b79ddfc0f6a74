"""The texts in a declared value or request, each with its path: templates stand in bodies, variables and claims."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncline.kinds.request import METHODS, Request
from syncline.model.manifest import Path
from syncline.sdk.template import TemplateError, compile_template

#: What templates stand in of a part of a form.
_FILLED: Final = {"text", "content", "base64", "filename"}


def texts_in(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text in a value, in its order; names of fields are none."""
    match value:
        case str():
            yield path, value
        case dict():
            for name, inner in value.items():
                yield from texts_in(inner, (*path, name))
        case list() | tuple():
            for index, inner in enumerate(value):
                yield from texts_in(inner, (*path, index))
        case _:
            pass


def texts_of(request: Request, path: Path) -> Iterator[tuple[Path, str]]:
    """Every template of a request, with its place."""
    for method in METHODS:
        if (text := getattr(request, method)) is not None:
            yield (*path, method), text
    parts: dict[str, object] = {"query": request.query, "headers": request.headers, "body": request.body}
    if request.form is not None:
        parts["form"] = request.form
    for name, part in parts.items():
        yield from texts_in(part, (*path, name))
    for number, part in enumerate(request.multipart or ()):
        yield from texts_in(part.model_dump(by_alias=True, include=_FILLED), (*path, "multipart", number))
    if request.raw is not None:
        yield (*path, "raw", "text"), request.raw.text
    if request.graphql is not None:
        yield from texts_in(request.graphql.variables, (*path, "graphql", "variables"))


def names_in(text: str) -> frozenset[str]:
    """The variables that a template reads; none of one that is wrong, which is a finding of `expressions.py`."""
    try:
        return compile_template(text).names
    except TemplateError:
        return frozenset()


def needed_in(text: str) -> frozenset[str]:
    """The variables that have to be there for a template; none of one that is wrong."""
    try:
        return compile_template(text).needed
    except TemplateError:
        return frozenset()


def paths_in(text: str) -> frozenset[str]:
    """The same, as dotted paths."""
    try:
        return compile_template(text).paths
    except TemplateError:
        return frozenset()
