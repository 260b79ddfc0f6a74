"""What a code, a kind or a field means, as values that the CLI and the reference pages render."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from syncline.kinds import KIND_BY_NAME
from syncline.manifests import fields
from syncline.manifests.envelope import Metadata
from syncline.manifests.text import listed, nearest
from syncline.model.codes import CODES, Code
from syncline.model.errors import Invalid
from syncline.model.kind import Kind

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_EACH: Final = "*"


class FieldLine(Struct, frozen=True):
    """One field in the list of a mapping's fields."""

    name: str
    type: str
    required: bool
    description: str


class Explanation(Struct, frozen=True):
    """
    A kind or a field. `default` is '' when there is none; `form` says how a text is written; `fields` are those of a
    mapping; `example` is YAML.
    """

    path: str
    title: str
    type: str
    description: str
    form: str = ""
    required: bool = False
    default: str = ""
    values: tuple[str, ...] = ()
    fields: tuple[FieldLine, ...] = ()
    example: str = ""


def explain_code(code: str) -> Code:
    """The table's row of a code; `Invalid` with a suggestion for an unknown one."""
    found = CODES.get(code.upper())
    if found is None:
        raise _unknown(f"there is no code {code!r}", nearest(code.upper(), CODES))
    return found


def explain_path(path: str) -> Explanation:
    """
    Explains `Sync`, `Sync.guards.maxRejects`, `Sync.metadata.labels` or `Mapping.fields.check`.

    Steps are the names of YAML; `spec` may be written or left out, and steps into lists and maps are left out or
    written as a position, a name or `*`. Raises `Invalid` with a suggestion for what there isn't.
    """
    head, *rest = [step for step in re.split(r"[./]|\[|\]", path) if step]
    kind = KIND_BY_NAME.get(head) or next(
        (k for k in KIND_BY_NAME.values() if head.lower() in {k.name.lower(), k.plural}), None
    )
    if kind is None:
        raise _unknown(f"there is no kind {head!r}", nearest(head, KIND_BY_NAME), listed(KIND_BY_NAME))
    if not rest:
        return _kind(kind)
    annotation: Any = Metadata if rest[0] == "metadata" else kind.spec
    if rest[0] in {"metadata", "spec"}:
        rest = rest[1:]
    walked = [kind.name] if annotation is not Metadata else [kind.name, "metadata"]
    info = None
    for step in rest:
        options = _named([annotation])
        info = next((fields.by_alias(m)[step] for m in options if step in fields.by_alias(m)), None)
        if info is None:
            if step == _EACH or step.isdigit() or _is_map(annotation):
                annotation = _entry(annotation)
                continue
            known = sorted({name for m in options for name in fields.by_alias(m)})
            close = nearest(step, known)
            raise _unknown(
                f"{'.'.join(walked)} has no field {step!r}",
                ".".join([*walked, close]) if close else "",
                listed(known, 40),
            )
        walked.append(step)
        annotation = info.annotation
    return _field(".".join(walked), annotation, info)


def _kind(kind: Kind) -> Explanation:
    return Explanation(
        path=kind.name,
        title=kind.summary,
        type={"tenant": "of a tenant", "shared": "shared by all tenants", "either": "of a tenant, or shared"}[
            kind.scope
        ],
        description=_doc(kind.spec),
        fields=_lines(_named([kind.spec])),
        example=kind.example,
    )


def _field(path: str, annotation: Any, info: Any) -> Explanation:
    inner = _named([annotation])
    default = ""
    if info is not None and info.default is not PydanticUndefined and info.default not in (None, "", (), {}):
        default = "" if isinstance(info.default, BaseModel) else _shown(info.default)
    examples = (info.examples or []) if info is not None else []
    description = (info.description if info is not None else "") or " ".join(dict.fromkeys(map(_doc, inner)))
    form = fields.form(info) if info is not None else fields.hint(annotation)
    return Explanation(
        path=path,
        title=path.rpartition(".")[2],
        type=fields.describe(annotation),
        description=description,
        form="" if form == description else form,
        required=info is not None and info.is_required(),
        default=default,
        values=fields.literals(annotation),
        fields=_lines(inner),
        example=_shown(examples[0]) if examples else "",
    )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value)


def _named(annotations: list[Any]) -> list[type[BaseModel]]:
    """The models that a value, or the entries of a list or map of it, may have."""
    found: list[type[BaseModel]] = []
    for annotation in annotations:
        found += fields.models(annotation)
        found += [m for inner in fields.entries(annotation) for m in _named([inner])]
    return list(dict.fromkeys(found))


def _is_map(annotation: Any) -> bool:
    return any(True for _ in fields.step(annotation, "\0"))


def _entry(annotation: Any) -> Any:
    return next(iter(fields.entries(annotation)), annotation)


def _lines(models: list[type[BaseModel]]) -> tuple[FieldLine, ...]:
    # Variants, such as those of AuthConfig, share fields: what one requires, another may not have.
    found: dict[str, list[FieldInfo]] = {}
    for model in models:
        for name, info in fields.by_alias(model).items():
            found.setdefault(name, []).append(info)
    return tuple(_line(name, infos, len(models)) for name, infos in found.items())


def _line(name: str, infos: list[FieldInfo], variants: int) -> FieldLine:
    values = dict.fromkeys(value for info in infos for value in fields.literals(info.annotation))
    kind = "one of " + ", ".join(values) if values and len(infos) > 1 else fields.describe(infos[0].annotation)
    required = len(infos) == variants and all(info.is_required() for info in infos)
    description = next((info.description for info in infos if info.description), "")
    return FieldLine(name, kind, required, description or fields.form(infos[0]))


def _doc(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _unknown(message: str, suggestion: str, known: str = "") -> Invalid:
    help_ = f"Did you mean {suggestion}?" if suggestion else (f"There are {known}." if known else "")
    return Invalid(message, code="SYN252", help=help_)
