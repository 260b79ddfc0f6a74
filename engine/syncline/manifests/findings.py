"""pydantic's errors as findings of ours: at the place in the YAML, one for each mistake, never with a secret in it.

pydantic reports a path (`loc`) in which alternatives of a union appear as extra steps, and one error for each
alternative that failed. Here steps that the document doesn't have are taken for the names of alternatives, and of the
alternatives only the one that the writer probably meant is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from syncline.manifests import fields
from syncline.manifests.node import Node
from syncline.manifests.text import listed, nearest
from syncline.model.encodings import known_as
from syncline.model.manifest import Path

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Problem(Struct, frozen=True):
    """A mistake at a path of a document. `at_key` points at the key instead of the value."""

    code: str
    path: Path
    message: str
    expected: str = ""
    suggestion: str = ""
    help: str = ""
    at_key: bool = False
    warning: bool = False


class _Error(Struct, frozen=True):
    """One error of pydantic: where it is in the document, in which alternative of a union, and what it is."""

    path: Path
    branch: str
    union: Path  # where the union stands, if there is a branch
    raw: ErrorDetails


def problems(errors: Sequence[ErrorDetails], root: Node, prefix: Path, model: Any) -> list[Problem]:
    """The mistakes that errors in `model`, which stands at `prefix` of the document, tell of."""
    located = [_locate(error, root, prefix) for error in errors]
    chosen = [error for error in _chosen(located, root, prefix, model) if not _is_echo(error, root)]
    found = [_problem(error, root, prefix, model) for error in chosen]
    # A misspelt field is unknown and its right name is missing: that is one mistake.
    respelt = {(*p.path[:-1], p.suggestion) for p in found if p.code == "SYN201" and p.suggestion}
    return [p for p in found if not (p.code == "SYN202" and p.path in respelt)]


def _locate(error: ErrorDetails, root: Node, prefix: Path) -> _Error:
    path: list[str | int] = list(prefix)
    node = root.at(prefix)
    branch = ""
    union: Path = ()
    loc = error["loc"]
    for position, item in enumerate(loc):
        if item == "[key]":
            break
        child = node.child(item) if node else None
        if child is not None:
            path.append(item)
            node = child
        elif position == len(loc) - 1 and error["type"] == "missing":
            path.append(item)
        elif not branch or len(union) < len(path):
            branch, union = str(item), tuple(path)
    return _Error(tuple(path), branch, union, error)


def _chosen(errors: list[_Error], root: Node, prefix: Path, model: Any) -> Iterator[_Error]:
    unions: dict[Path, list[_Error]] = {}
    for error in errors:
        if error.branch:
            unions.setdefault(error.union, []).append(error)
        else:
            yield error
    for union, group in unions.items():
        branches: dict[str, list[_Error]] = {}
        for error in group:
            branches.setdefault(error.branch, []).append(error)
        if len(branches) == 1:
            yield from group
            continue
        # A branch that got past the value's own type is what was meant; the one with the fewest mistakes of several.
        value = root.at(union)
        deeper = [b for b in branches.values() if not all(_is_other_type(e, value) for e in b)]
        if deeper:
            meant = min(deeper, key=lambda b: (_structural(b), len(b)))
            # Without the branch: a field that is unknown to it may belong to another one.
            yield from (replace(error, branch="") for error in meant)
            continue
        expected = fields.at(model, union[len(prefix) :])
        raw = dict(group[0].raw) | {"type": "union", "ctx": {"expected": " or ".join(map(fields.describe, expected))}}
        yield _Error(union, "", (), raw)  # type: ignore[arg-type]  # only type and ctx are read


def _is_other_type(error: _Error, value: Node | None) -> bool:
    if error.path != error.union:
        return False
    scalar = value is not None and value.children is None
    return error.raw["type"] in _OWN_TYPE or (error.raw["type"] == "literal_error" and not scalar)


def _is_echo(error: _Error, root: Node) -> bool:
    # Entries that are wrong are not counted, so that a list of them is also "too short".
    node = root.at(error.path)
    counted = error.raw["type"] == "too_short" and node is not None and isinstance(node.data, list | dict)
    return counted and len(node.data) >= (error.raw.get("ctx") or {}).get("min_length", 0)  # type: ignore[union-attr]  # counted says so


# Errors that say no more than "this value is of another type than this alternative".
_OWN_TYPE = frozenset(
    {
        "string_type",
        "int_type",
        "int_from_float",
        "float_type",
        "bool_type",
        "dict_type",
        "list_type",
        "tuple_type",
        "model_type",
        "model_attributes_type",
        "none_required",
        "date_type",
    }
)


def _structural(branch: list[_Error]) -> int:
    # A literal that doesn't fit is the weakest sign of what was meant; but for a text it is the only one.
    return sum(e.raw["type"] in {"extra_forbidden", "missing"} for e in branch)


class _Case(Struct, frozen=True):
    """An error with what is needed to word it: the value there (`node`) and what may stand there (`annotations`)."""

    raw: ErrorDetails
    path: Path
    inner: Path  # the path inside the model
    branch: str
    node: Node | None
    model: Any
    annotations: Sequence[Any]

    @property
    def name(self) -> str:
        match self.path:
            case (*_, str(field), int(position)):
                return f"{field}[{position}]"
            case (*_, last):
                return str(last)
            case _:
                return "the document"

    @property
    def context(self) -> dict[str, Any]:
        return dict(self.raw.get("ctx") or {})


def _problem(error: _Error, root: Node, prefix: Path, model: Any) -> Problem:
    inner = error.path[len(prefix) :]
    node = root.at(error.path)
    case = _Case(error.raw, error.path, inner, error.branch, node, model, fields.at(model, inner))
    if error.raw["loc"][-1:] == ("[key]",):
        about = _about(model, inner)
        return Problem("SYN205", case.path, f"{case.name!r} can't be a name here", expected=about, at_key=True)
    match error.raw["type"]:
        case "extra_forbidden":
            return _unknown_field(case)
        case "missing":
            where = ".".join(map(str, case.path[:-1])) or "the document"
            return Problem("SYN202", case.path, f"{where} needs the field {case.name!r}", _about(model, inner))
        case "literal_error":
            allowed = [v for a in case.annotations for v in fields.literals(a)]
            return _not_allowed(case.path, node, allowed)
        case "union_tag_invalid":
            tag, allowed = _tag(case)
            return _not_allowed((*case.path, tag), node.child(tag) if node else None, allowed)
        case "union_tag_not_found":
            tag, allowed = _tag(case)
            where = ".".join(map(str, case.path)) or "the document"
            return Problem("SYN202", (*case.path, tag), f"{where} needs the field {tag!r}", listed(allowed))
        case "value_error":
            said, _, expected = str(case.context.get("error", error.raw["msg"])).partition(": expected ")
            return Problem("SYN205", case.path, f"{case.name!r}: {said}", expected)
        case kind if kind in _OWN_TYPE or kind == "union":
            return _wrong_type(case)
        case kind if kind in _BOUNDS:
            return _out_of_bounds(case)
        case _:
            about = _about(model, inner) or error.raw["msg"]
            return Problem("SYN205", case.path, f"{_value(node)} is not a valid {case.name!r}", about)


def _unknown_field(case: _Case) -> Problem:
    parents = fields.at(case.model, case.inner[:-1])
    known = sorted({name for parent in parents for name in fields.names(parent, case.branch)})
    suggestion = nearest(case.name, known)
    return Problem(
        "SYN201",
        case.path,
        f"unknown field {case.name!r}",
        expected=listed(known, 30),
        suggestion=suggestion,
        help="" if suggestion else _elsewhere(case.name, case.path),
        at_key=True,
    )


def _wrong_type(case: _Case) -> Problem:
    options = [option for a in case.annotations for option in fields.alternatives(a)]
    literal = case.node is not None and not isinstance(case.node.data, dict | list | None)
    if literal and [getattr(option, "__name__", "") for option in options] == ["SecretRef"]:
        return credential(case.path, f"the value of {case.name!r}")
    expected = " or ".join(dict.fromkeys(map(fields.describe, case.annotations))) or case.context.get("expected", "")
    return Problem(
        "SYN203", case.path, f"{case.name!r} is {_is(case.node)}", expected, help=_type_help(case.node, expected)
    )


def _not_allowed(path: Path, node: Node | None, allowed: list[str]) -> Problem:
    suggestion = nearest(str(node.data), allowed) if node else ""
    if node and str(path[-1]) == "encoding":
        suggestion = known_as(str(node.data), [name for name in allowed if name != "auto"]) or suggestion
    return Problem(
        "SYN204",
        path,
        f"{_value(node)} is not one of the values of {str(path[-1])!r}",
        expected=listed(allowed, 30),
        suggestion=suggestion,
        help=_bool_help(node, allowed),
    )


def _tag(case: _Case) -> tuple[str, list[str]]:
    """The field that tells variants apart, and its values."""
    tag = str(case.context.get("discriminator", "'type'")).strip("'")
    return tag, [v for a in case.annotations for m in fields.models(a) for v in fields.literals_of(m, tag)]


def _out_of_bounds(case: _Case) -> Problem:
    kind = case.raw["type"]
    said, bound = _BOUNDS[kind]
    limits = {"ge", "le", "gt", "lt", "min_length", "max_length"}
    limit = next((value for name, value in case.context.items() if name in limits), "")
    return Problem("SYN205", case.path, f"{case.name!r} is {said}", f"{bound} {limit}")


def credential(path: Path, what: str) -> Problem:
    """The finding about a literal that is, or looks like, a credential."""
    return Problem(
        "SYN210",
        path,
        f"{'.'.join(map(str, path))} holds a credential in plain text ({what})",
        expected="a secretRef: {secretRef: {provider: env, key: NAME}}",
        help="Replace it with a secretRef, and change the credential: what was committed has leaked.",
    )


# Of each error about a size: what the value is, and the words before the limit.
_BOUNDS: Final = {
    "greater_than_equal": ("too small", "at least"),
    "greater_than": ("too small", "more than"),
    "less_than_equal": ("too large", "at most"),
    "less_than": ("too large", "less than"),
    "string_too_short": ("too short", "characters: at least"),
    "string_too_long": ("too long", "characters: at most"),
    "too_short": ("too short", "entries: at least"),
    "too_long": ("too long", "entries: at most"),
}


def _about(model: Any, path: Path) -> str:
    info = fields.info_at(model, path)
    if info is None:
        return ""
    return fields.form(info) or info.description or fields.describe(info.annotation)


def _is(node: Node | None) -> str:
    match node.data if node else None:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _value(node: Node | None) -> str:
    data = node.data if node else None
    if isinstance(data, str):
        return repr(data if len(data) <= 60 else data[:59] + "…")
    return _is(node) if data is None or isinstance(data, dict | list) else str(data).lower()


def _type_help(node: Node | None, expected: str) -> str:
    if node is None or node.data is None:
        return ""
    if isinstance(node.data, int | float) and "text" in expected and node.text:
        return f'Quote it: "{node.text}".'
    if isinstance(node.data, str) and node.text is not None and "true or false" in expected:
        return "Write true or false; yes, no, on and off are text."
    if isinstance(node.data, str) and node.text is None and "number" in expected:
        return "Remove the quotes."
    if isinstance(node.data, str | dict) and expected.startswith("a list"):
        return "Write it as a list: [ … ]."
    return ""


def _bool_help(node: Node | None, allowed: list[str]) -> str:
    if node is not None and isinstance(node.data, bool) and node.text and allowed:
        return f'Quote it if it is meant as text: "{node.text}".'
    return ""


_METADATA = frozenset({"name", "tenant", "labels", "annotations", "moved", "protected"})


def _elsewhere(name: str, path: Path) -> str:
    if name == "status":
        return "Status is never declared; `syncline get` shows what is applied."
    if name in _METADATA and path[:1] != ("metadata",):
        return f"{name!r} belongs under metadata."
    return ""
