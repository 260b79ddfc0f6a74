"""Flows with their compiled mappings: what validate, plan, policy and run all look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from weakref import WeakValueDictionary

from msgspec.structs import replace

from syncline.kinds.file_stream import TEXTS, FileStream, format_by_name
from syncline.kinds.record import text_schema
from syncline.manifests.desired import Desired
from syncline.manifests.flow import Flow, Side, flows
from syncline.mapping.compile import Compiled, compile_mapping
from syncline.model.key import ObjectKey
from syncline.model.schema import Schema
from syncline.planner.position import position_digest


@dataclass(frozen=True)
class CompiledFlow:
    """A flow with its compiled mapping."""

    flow: Flow
    compiled: Compiled

    @property
    def target(self) -> Schema:
        """The target's schema, with the flow's key."""
        target: Schema = self.compiled.target
        return replace(target, key=self.flow.target_key)

    @cached_property
    def basis(self) -> str:
        """What its saved position depends on, as each of its runs asks; see `position_digest`."""
        return position_digest(self.flow)


Flows = Mapping[ObjectKey, CompiledFlow]


def file_format(stream: FileStream) -> str:
    """As declared, else by the ending of the files; empty where neither says it."""
    return stream.format or next(filter(None, map(format_by_name, stream.patterns)), None) or ""


def source_schema(side: Side) -> Schema | None:
    """The schema that records are read with, as far as it is declared: some formats have nothing but text."""
    if side.schema is not None and isinstance(side.declaration, FileStream) and file_format(side.declaration) in TEXTS:
        return text_schema(side.schema.names, side.schema)
    return side.schema


#: Mappings that are compiled in memory, by the digest of their declaration and the schema that they are compiled for.
_ALIVE: Final[WeakValueDictionary[tuple[str, Schema | None], Compiled]] = WeakValueDictionary()


def compile_flow(flow: Flow) -> CompiledFlow:
    """
    Compiles a flow's mapping against its source's declared schema.

    What is in memory isn't compiled again. Findings and lineage tell places: those of another file, or of other lines,
    are of no use to a mapping that has places.
    """
    schema = source_schema(flow.source)
    known = _ALIVE.get((flow.mapping.digest, schema))
    if known is None or (known.manifest is not flow.mapping and flow.mapping.place.file):
        known = _ALIVE[flow.mapping.digest, schema] = compile_mapping(flow.mapping, schema)
    return CompiledFlow(flow, known)


def compile_flows(desired: Desired) -> Flows:
    """All flows that resolve, compiled, in key order."""
    return {flow.key: compile_flow(flow) for flow in flows(desired)}
