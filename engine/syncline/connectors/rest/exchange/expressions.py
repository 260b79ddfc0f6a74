"""JMESPath expressions of connectors, compiled where they are declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncline.sdk.configured import with_settings


def jmespath_of(text: str | None, config: Mapping[str, Any] | None = None) -> Any:
    """
    What `.search(document)` finds by; None for none. With `config`, settings may stand in it.

    The library's own errors, and ConfiguredError: manifests were checked before.
    """
    if text is None:
        return None
    import jmespath  # most commands need none

    compiled = jmespath.compile(text)
    if config is None:
        return compiled
    from jmespath.parser import ParsedResult

    return ParsedResult(text, with_settings(compiled.parsed, config))


#: Paths of a document that an expression looks at, each by its names; None where it may look anywhere.
Reads = tuple[tuple[str, ...], ...] | None
#: Nodes whose first child is what the others are applied to.
_APPLIED = frozenset(
    {"subexpression", "index_expression", "projection", "filter_projection", "flatten", "pipe", "slice"}
)
#: Nodes whose children all look at the same document.
_TOGETHER = frozenset({"or_expression", "and_expression", "not_expression", "comparator"})


def reads_of(expression: Any, under: str = "") -> Reads:
    """
    What a compiled expression looks at; with `under`, of the document that has this name in what it is given.

    >>> reads_of(jmespath_of("meta.next || next[0]"))
    (('meta', 'next'), ('next',))
    >>> reads_of(jmespath_of("status == `429` || body.error.code == 'x'"), "body")
    (('error', 'code'),)
    >>> reads_of(jmespath_of("length(@)")) is None
    True
    """
    try:
        paths = tuple(_paths(expression.parsed))
    except _AnywhereError:
        return None
    if not under:
        return paths
    return tuple(path[1:] for path in paths if path[0] == under)


class _AnywhereError(Exception):
    """An expression may look at all of a document."""


def _paths(node: Any) -> Iterator[tuple[str, ...]]:
    kind, children = node["type"], node["children"]
    names = _names(node)
    if names:
        yield names
    elif kind in _APPLIED:
        yield from _paths(children[0])
    elif kind in _TOGETHER:
        for child in children:
            yield from _paths(child)
    elif kind != "literal":
        raise _AnywhereError


def _names(node: Any) -> tuple[str, ...]:
    """The names of a plain path; none for anything else."""
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return ()
    parts = [_names(child) for child in node["children"]]
    return tuple(name for part in parts for name in part) if all(parts) else ()
