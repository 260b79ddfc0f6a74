"""What texts of a connector read that nothing gives: settings it doesn't declare, and names that aren't there.

Each would be found by the first run that needs it, or, in a rule that never matches, by none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from syncline.kinds.auth_details import HmacDetails
from syncline.kinds.base import camel
from syncline.kinds.connector import ConnectorSpec
from syncline.manifests.demands.texts import paths_in
from syncline.manifests.findings import Problem
from syncline.manifests.text import listed, nearest
from syncline.model.manifest import Path
from syncline.sdk.configured import ConfiguredError, settings_in

_CONFIG: Final = "config."
#: What rules about answers are conditions over.
_FACTS: Final = ("status", "headers", "body")
#: What the canonical string of an HMAC is a template over; what is sent knows the signature as well.
_SIGNED: Final = (
    "method", "host", "hostname", "port", "path", "query", "sorted_query", "url", "body", "content_type", "headers",
    "body_md5", "body_sha256", "body_sha256_base64", "timestamp", "nonce", "key_id", "config",
)  # fmt: skip

#: Nodes of JMESPath whose children are all about the same document.
_TOGETHER: Final = frozenset({
    "or_expression", "and_expression", "not_expression", "comparator", "function_expression", "multi_select_list",
    "multi_select_dict", "key_val_pair",
})  # fmt: skip


def settings(
    spec: ConnectorSpec, templates: Iterable[tuple[Path, str]], conditions: Iterable[tuple[Path, str]]
) -> Iterator[Problem]:
    """Settings that texts, or cursors, read and that the connector doesn't declare: nobody could give them."""
    read = [(path, name) for path, text in templates for name in sorted(paths_in(text)) if name.startswith(_CONFIG)]
    read += [(path, f"{_CONFIG}{name}") for path, text in conditions for name in sorted(settings_of(text))]
    for name, stream in spec.streams.items():
        for part in ("start", "start_within", "window", "lookback") if stream.cursor is not None else ():
            given = getattr(stream.cursor, part)
            if given is not None and given.startswith(_CONFIG):
                read.append((("spec", "streams", name, "cursor", camel(part)), given))
    declared = spec.config.properties
    for path, text in read:
        name = text.removeprefix(_CONFIG).split(".")[0]
        if name not in declared:
            near = nearest(name, declared)
            yield Problem(
                "SYN213",
                path,
                f"config.{name} is read, and the connector declares no setting {name!r}",
                expected=listed([f"{_CONFIG}{known}" for known in declared]) or "a setting of config.properties",
                suggestion=f"{_CONFIG}{near}" if near else "",
            )


def settings_of(text: str) -> frozenset[str]:
    """The settings that a JMESPath expression reads; none of one that is wrong, a finding of `expressions.py`."""
    import jmespath
    import jmespath.exceptions

    try:
        return frozenset(settings_in(jmespath.compile(text).parsed))
    except (jmespath.exceptions.JMESPathError, ConfiguredError):
        return frozenset()


def signed(found: object, path: Path) -> Iterator[Problem]:
    """Names that the texts of an HMAC read, and that no request has."""
    if not isinstance(found, HmacDetails):
        return
    yield from _names(found.canonical, _SIGNED, (*path, "canonical"))
    for place, text in found.send.items():
        yield from _names(text, (*_SIGNED, "signature"), (*path, "send", place))


def facts(text: str, path: Path) -> Iterator[Problem]:
    """Names that a rule's expression looks for beside the status, the headers and the body: it would never be true."""
    import jmespath
    import jmespath.exceptions

    try:
        parsed = jmespath.compile(text).parsed
    except jmespath.exceptions.JMESPathError:
        return  # a finding of `expressions.py`
    for name in dict.fromkeys(_roots(parsed)):
        if name not in _FACTS:
            yield Problem(
                "SYN213",
                path,
                f"the expression {text[:80]!r} reads {name!r}, which an answer hasn't",
                expected=f"{listed(_FACTS)}: body.{name}",
                suggestion=nearest(name, _FACTS),
            )


def _names(text: str, known: Collection[str], path: Path) -> Iterator[Problem]:
    for name in sorted({found.split(".")[0] for found in paths_in(text)} - set(known)):
        message = f"the template {text[:80]!r} reads {name!r}, which no request has"
        yield Problem("SYN213", path, message, expected=listed(known), suggestion=nearest(name, known))


def _roots(node: Any) -> Iterator[str]:
    """Names of members that a compiled JMESPath expression reads of the document itself."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        yield node["value"]
    elif kind in _TOGETHER:
        for child in children:
            yield from _roots(child)
    elif kind != "expref" and children:  # what comes after the first is applied to what that gives
        yield from _roots(children[0])
