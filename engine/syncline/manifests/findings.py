"""pydantic's errors as findings of ours: at the place in the YAML, one for each mistake, never with a secret in it.

pydantic reports a path (`loc`) in which alternatives of a union appear as extra steps, and one error for each
alternative that failed. Here steps that the document doesn't have are taken for the names of alternatives, and of the
alternatives only the one that the writer probably meant is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from syncline.manifests import fields
from syncline.manifests.node import Node
from syncline.manifests.text import listed, nearest
from syncline.model.manifest import Path

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake at a path of a document. `at_key` points at the key instead of the value."""

    code: str
    path: Path
    message: str
    expected: str = ""
    suggestion: str = ""
    help: str = ""
    at_key: bool = False
    warning: bool = False


@dataclass(frozen=True, slots=True)
class _Error:
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
        yield _Error(union, "", (), raw)  # type: ignore[arg-type]


def _is_other_type(error: _Error, value: Node | None) -> bool:
    if error.path != error.union:
        return False
    scalar = value is not None and value.children is None
    return error.raw["type"] in _OWN_TYPE or (error.raw["type"] == "literal_error" and not scalar)


def _is_echo(error: _Error, root: Node) -> bool:
    # Entries that are wrong are not counted, so that a list of them is also "too short".
    node = root.at(error.path)
    counted = error.raw["type"] == "too_short" and node is not None and isinstance(node.data, list | dict)
    return counted and len(node.data) >= (error.raw.get("ctx") or {}).get("min_length", 0)  # type: ignore[union-attr]


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


def _problem(error: _Error, root: Node, prefix: Path, model: Any) -> Problem:
    raw, path = error.raw, error.path
    inner = path[len(prefix) :]
    ctx: dict[str, Any] = dict(raw.get("ctx") or {})
    kind = raw["type"]
    name = str(path[-1]) if path else "the document"
    node = root.at(path)

    if kind == "extra_forbidden":
        known = sorted({n for a in fields.at(model, inner[:-1]) for n in fields.names(a, error.branch)})
        suggestion = nearest(name, known)
        return Problem(
            "SYN201",
            path,
            f"unknown field {name!r}",
            expected=listed(known, 30),
            suggestion=suggestion,
            help="" if suggestion else _elsewhere(name, path),
            at_key=True,
        )
    if kind == "missing":
        where = ".".join(map(str, path[:-1])) or "the document"
        return Problem("SYN202", path, f"{where} needs the field {name!r}", expected=_about(model, inner))
    annotations = fields.at(model, inner)
    if kind in _OWN_TYPE and any(m.__name__ == "SecretRef" for a in annotations for m in fields.models(a)):
        options = [a for a in annotations for a in fields.alternatives(a)]
        if len(options) == 1 and node is not None and not isinstance(node.data, dict | list | None):
            return credential(path, f"the value of {name!r}")
    if kind in _OWN_TYPE or kind == "union":
        expected = " or ".join(dict.fromkeys(map(fields.describe, annotations))) or str(ctx.get("expected", ""))
        return Problem("SYN203", path, f"{name!r} is {_is(node)}", expected=expected, help=_type_help(node, expected))
    if kind in {"literal_error", "union_tag_invalid"}:
        allowed = [str(v) for a in annotations for v in fields.literals(a)]
        if kind == "union_tag_invalid":
            tag = str(ctx.get("discriminator", "'type'")).strip("'")
            path = (*path, tag)
            allowed = [v for a in annotations for m in fields.models(a) for v in fields.literals_of(m, tag)]
            node = root.at(path)
        value = _value(node)
        return Problem(
            "SYN204",
            path,
            f"{value} is not one of the values of {str(path[-1])!r}",
            expected=listed(allowed, 30),
            suggestion=nearest(str(node.data), allowed) if node else "",
            help=_bool_help(node, allowed),
        )
    if kind == "union_tag_not_found":
        tag = str(ctx.get("discriminator", "'type'")).strip("'")
        allowed = [v for a in annotations for m in fields.models(a) for v in fields.literals_of(m, tag)]
        where = ".".join(map(str, path)) or "the document"
        return Problem("SYN202", (*path, tag), f"{where} needs the field {tag!r}", expected=listed(allowed))
    if raw["loc"][-1:] == ("[key]",):
        return Problem("SYN205", path, f"{name!r} can't be a name here", expected=_about(model, inner), at_key=True)
    if kind == "value_error":
        message = str(ctx.get("error", raw["msg"]))
        said, _, expected = message.partition(": expected ")
        return Problem("SYN205", path, f"{name!r}: {said}", expected=expected)
    if kind in _BOUNDS:
        bound = next((v for k, v in ctx.items() if k in {"ge", "le", "gt", "lt", "min_length", "max_length"}), "")
        return Problem("SYN205", path, f"{name!r} is {_BOUNDS[kind]}", expected=f"{_BOUND_WORDS[kind]} {bound}")
    message = f"{_value(node)} is not a valid {name!r}" if kind != "json_invalid" else "this value can't be read"
    return Problem("SYN205", path, message, expected=_about(model, inner) or _pattern(ctx) or raw["msg"])


def credential(path: Path, what: str) -> Problem:
    """The finding about a literal that is, or looks like, a credential."""
    return Problem(
        "SYN210",
        path,
        f"{'.'.join(map(str, path))} holds a credential in plain text ({what})",
        expected="a secretRef: {secretRef: {provider: env, key: NAME}}",
        help="Replace it with a secretRef, and change the credential: what was committed has leaked.",
    )


_BOUNDS = {
    "greater_than_equal": "too small",
    "greater_than": "too small",
    "less_than_equal": "too large",
    "less_than": "too large",
    "string_too_short": "too short",
    "string_too_long": "too long",
    "too_short": "too short",
    "too_long": "too long",
}
_BOUND_WORDS = {
    "greater_than_equal": "at least",
    "greater_than": "more than",
    "less_than_equal": "at most",
    "less_than": "less than",
    "string_too_short": "characters: at least",
    "string_too_long": "characters: at most",
    "too_short": "entries: at least",
    "too_long": "entries: at most",
}


def _about(model: Any, path: Path) -> str:
    info = fields.info_at(model, path)
    if info is None:
        return ""
    return fields.hint(info.annotation) or info.description or fields.describe(info.annotation)


def _pattern(ctx: dict[str, Any]) -> str:
    return f"text that matches {ctx['pattern']}" if "pattern" in ctx else ""


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
        return "Status is never declared: `syncline status` shows it."
    if name in _METADATA and path[:1] != ("metadata",):
        return f"{name!r} belongs under metadata."
    return ""
