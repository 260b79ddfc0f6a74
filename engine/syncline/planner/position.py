"""What a saved position depends on.

A cursor means something only for the stream it was read from and the table it was written to. `position_digest` names
both: when it changes, the saved position no longer applies and the flow starts over. The planner shows that before it
happens; the executor compares it with the checkpoint at the destination. One function, so they can't disagree.

In it is what decides which records a source gives, and in which order: of an API the URL and everything that a request
says. Not in it is how they are fetched (limits, retries, timeouts, credentials, the program's name), how they are
described, and what becomes of them (the mapping).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.file_stream import FileStream
from syncline.kinds.import_ import ImportSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.table import TableStream
from syncline.manifests.flow import Flow, Side

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUEST = frozenset({"get", "post", "put", "patch", "delete", "body", "records", "page", "cursor", "key"})
#: Fields of a stream that decide nothing of its records, or are taken otherwise.
_OTHER = frozenset({"query", "headers", "record_schema", "errors", "write", "partitions"})
#: Fields that came later: at their defaults they are left out, so that positions from before them still apply.
_LATER: dict[str, dict[str, Any]] = {
    "page": {"total": None, "pages": None, "short": "next"},
    "cursor": {"marker": None, "formats": [], "order": "any", "windows": None},
    "for": {"times": [], "group": None},
}

_LATER_OF_FILES = {"excel", "fixed", "records", "packing"}


def _config(integration: IntegrationSpec, connector: ConnectorSpec) -> dict[str, Any]:
    """The configuration with the connector's defaults, as a run gets it; secrets by reference."""
    defaults = {n: p.default for n, p in connector.config.properties.items() if p.default is not None}
    return {**defaults, **integration.model_dump(mode="json", include={"config"})["config"]}


def _side(side: Side) -> dict[str, Any]:
    spec, connector = side.integration.spec, side.connector.spec
    assert isinstance(spec, IntegrationSpec)
    assert isinstance(connector, ConnectorSpec)
    return {"runtime": side.connector.key.base, "config": _config(spec, connector), "stream": side.stream}


def _url(side: Side, connector: ConnectorSpec) -> str:
    """Where an API answers: the endpoint in the region, else the connector's URL (a template over the config)."""
    assert isinstance(side.integration.spec, IntegrationSpec)
    for endpoint in side.integration.spec.endpoints:
        if not side.region or endpoint.region == side.region:
            return endpoint.url
    return connector.http.url if connector.http else ""


def _sent(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers that may decide what is answered."""
    return {name.lower(): value for name, value in headers.items() if name.lower() != "user-agent"}


def _declaration(side: Side) -> Any:
    connector = side.connector.spec
    assert isinstance(connector, ConnectorSpec)
    match side.declaration:
        case None:
            return None
        case FileStream() as files:
            later = files.model_dump(mode="json", include=_LATER_OF_FILES, exclude_defaults=True)
            return files.model_dump(mode="json", include={"files", "format", "csv"}) | later
        case TableStream() as table:
            cursor = table.cursor.field if table.cursor else ""
            return {**table.model_dump(mode="json", include={"table", "query", "key"}), "cursor": cursor}
        case _:
            return {**_stream(side.stream, connector, (side.stream,)), "url": _url(side, connector)}


def _stream(name: str, connector: ConnectorSpec, around: tuple[str, ...]) -> dict[str, Any]:
    """What decides which records of an API come, and in which order; `around` are the streams that it is read for."""
    http, stream = connector.http, connector.streams[name]
    found = _of_stream(connector, include={"streams": {name: set(_REQUEST)}})
    found |= _of_stream(
        connector,
        include={"streams": {name}},
        exclude={"streams": {name: set(_REQUEST | _OTHER)}},
        exclude_defaults=True,
    )
    for part in ("page", "cursor"):
        if found[part] is not None:
            found[part] = _without_later(part, found[part])
    found["query"] = {**(http.query if http else {}), **stream.query}
    found["headers"] = _sent({**(http.headers if http else {}), **stream.headers})
    if stream.read_for:
        found["for"] = [
            {
                **_without_later("for", item.model_dump(mode="json")),
                "stream": _stream(item.each, connector, (*around, item.each)),
            }
            if item.each in connector.streams and item.each not in around
            else _without_later("for", item.model_dump(mode="json"))
            for item in stream.read_for
        ]
    return found


def _of_stream(connector: ConnectorSpec, **parts: Any) -> dict[str, Any]:
    """Parts of one stream, by the connector's own serializer: to make another for a stream alone takes 20 ms."""
    (found,) = connector.model_dump(mode="json", **parts)["streams"].values()
    assert isinstance(found, dict)
    return found


def _without_later(part: str, found: dict[str, Any]) -> dict[str, Any]:
    later = _LATER[part]
    return {name: value for name, value in found.items() if name not in later or value != later[name]}


def position_basis(flow: Flow) -> dict[str, Any]:
    """The parts of a flow that its saved position depends on, by name."""
    return {
        "source": {**_side(flow.source), "declaration": _declaration(flow.source)},
        "target": _side(flow.target),
        "key": list(flow.target_key),
        "read": "import" if isinstance(flow.spec, ImportSpec) and flow.spec.read == "full" else flow.spec.read,
        "write": "replace" if flow.spec.write == "replace" else "keep",
    }


def position_digest(flow: Flow) -> str:
    """SHA-256 (hex, 32 digits) of `position_basis`."""
    data = json.dumps(position_basis(flow), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(data.encode()).hexdigest()[:32]


def position_changes(before: Flow, after: Flow) -> tuple[str, ...]:
    """Names of the parts that differ: source, target, key, read, write."""
    old, new = position_basis(before), position_basis(after)
    return tuple(name for name in new if old[name] != new[name])
