"""
Personal data that flows carry on: what a flow reads of the field by which another tells a person, or of a table that
another wrote, and writes somewhere. Nobody has to have named its class: the lineage of the mappings says it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.file_stream import FileStream
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.table import TableStream
from syncline.manifests.locations import location_of
from syncline.mapping.compile import WHOLE
from syncline.mapping.expression import reads
from syncline.planner.personal import NOBODY, is_personal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from syncline.manifests.flow import Side
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import CompiledFlow, Flows

#: What a query of SQL reads: any table of its database.
_ANY: Final = "*"


class _Stream(NamedTuple):
    """A table, a folder or a stream of an API: where it is, and its name there in small letters."""

    place: tuple[str, ...]
    name: str


#: The fields that tell somebody, in small letters, and the flow by which that is known.
_Fields = dict[str, "ObjectKey"]


def carried(flows: Flows, tenant: str, kind: str, root: Path) -> Mapping[ObjectKey, ObjectKey]:
    """
    The flows of a tenant that write what tells such a person, or is personal, in another flow, which is given with
    each: they read it from the same field of a stream, or from a table that this one, or who carries it on, wrote.
    """
    mine = {key: item for key, item in flows.items() if key.tenant == tenant}
    ends = {key: (_read(item.flow.source, root), _wrote(item.flow.target, root)) for key, item in mine.items()}
    known: defaultdict[_Stream, _Fields] = defaultdict(dict)
    for key, item in mine.items():
        source, target = ends[key]
        for stream, name in _telling(item, kind, source, target):
            known[stream].setdefault(name.casefold(), key)
    found: dict[ObjectKey, ObjectKey] = {}
    more = True
    while more:
        more = False
        for key, item in mine.items():
            source, target = ends[key]
            fields = _fields_of(known, source)
            for one in item.compiled.flows if fields else ():
                origin = _origin(fields, one.source.casefold()) if one.protection not in NOBODY else None
                if origin is None:
                    continue
                if origin != key:
                    found.setdefault(key, origin)
                more |= one.target.casefold() not in known[target]
                known[target].setdefault(one.target.casefold(), origin)
    return found


def _telling(item: CompiledFlow, kind: str, source: _Stream, target: _Stream) -> Iterator[tuple[_Stream, str]]:
    """The fields at both ends of a flow by which such a person is told, and what it writes of personal classes."""
    name = item.compiled.spec.subject.get(kind)
    for field in item.compiled.fields:
        if field.name == name and field.expression is not None:
            yield target, field.name
            yield from ((source, ".".join(path)) for path in reads(field.expression))
    yield from ((target, one.target) for one in item.compiled.flows if is_personal(one))


def _fields_of(known: Mapping[_Stream, _Fields], stream: _Stream) -> _Fields:
    """What is known of a stream; of a query, of any table beside it."""
    if stream.name != _ANY:
        return known.get(stream, {})
    return {name: key for at, fields in known.items() if at.place == stream.place for name, key in fields.items()}


def _origin(fields: _Fields, name: str) -> ObjectKey | None:
    """Whose field it is that is read by a name: the field itself, a part of it, or what has it within."""
    if name in fields:
        return fields[name]
    for known, key in fields.items():
        if name == WHOLE or f"{known}.".startswith(f"{name}.") or name.startswith(f"{known}."):
            return key
    return None


def _wrote(side: Side, root: Path) -> _Stream:
    return _Stream(_place(side, root), side.stream.casefold())


def _read(side: Side, root: Path) -> _Stream:
    """What a stream is declared to read: a table, or a folder of files, whatever the stream is called."""
    name = side.stream
    match side.declaration:
        case TableStream(table=table):
            name = table or _ANY
        case FileStream(files=files):
            first = files if isinstance(files, str) else files[0]
            name = first.rpartition("/")[0] or name
        case _:
            pass
    return _Stream(_place(side, root), name.casefold())


def _place(side: Side, root: Path) -> tuple[str, ...]:
    integration, connector = side.integration.spec, side.connector.spec
    assert isinstance(integration, IntegrationSpec)
    assert isinstance(connector, ConnectorSpec)
    location = location_of(integration, connector, root)
    return location.steps if location is not None else (str(side.integration.key),)
