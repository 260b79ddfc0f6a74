"""Mappings for tests: from YAML text to a manifest, and values through one field of it."""

from __future__ import annotations

from typing import Any

import polars as pl
import yaml

from syncline.kinds.mapping import MappingSpec
from syncline.mapping.columns import Columns, Mapped, bind
from syncline.mapping.compile import Compiled, compile_mapping
from syncline.model.diagnostic import Place
from syncline.model.key import ObjectKey
from syncline.model.manifest import Manifest
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.frame import source_frame_schema


def manifest(spec: str | dict[str, Any]) -> Manifest:
    """A Mapping manifest from the YAML of its spec, with the place of every value."""
    text = spec if isinstance(spec, str) else yaml.safe_dump(spec)
    places: dict[tuple[str | int, ...], Place] = {}
    _note(yaml.compose(text), ("spec",), places)
    parsed = MappingSpec.model_validate(yaml.safe_load(text), strict=False)
    key = ObjectKey("acme", "Mapping", "m")
    return Manifest(key, parsed, "0" * 64, Place("m.yaml"), places=places)


def _note(node: yaml.Node | None, path: tuple[str | int, ...], places: dict[tuple[str | int, ...], Place]) -> None:
    if node is None:
        return
    start, end = node.start_mark, node.end_mark
    places[path] = Place("m.yaml", start.line + 1, start.column + 1, end.line + 1, end.column + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _note(value, (*path, key.value), places)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note(value, (*path, index), places)


def schema(**types: str) -> Schema:
    """A source schema of scalar fields."""
    return Schema(tuple(Field(name, DataType.parse(text)) for name, text in types.items()))


def compiled(spec: str | dict[str, Any], source: Schema | None = None) -> Compiled:
    """The compiled form of a spec."""
    return compile_mapping(manifest(spec), source)


def columns(spec: str | dict[str, Any], source: Schema, key: bytes | None = None) -> Columns:
    """A spec bound to a source."""
    return bind(compiled(spec, source), source, key)


def apply(spec: str | dict[str, Any], source: Schema, **values: list[Any]) -> Mapped:
    """What becomes of columns of values."""
    return columns(spec, source).apply(pl.DataFrame(values, schema=source_frame_schema(source)))


def through(values: list[Any], source: str, **field: Any) -> list[Any]:
    """Each value as the one target field has it; a text beginning with `!` is the message of its reject."""
    where = schema(v=source)
    mapped = apply({"fields": [{"to": "t", "from": "v"} | field]}, where, v=values)
    results: list[Any] = [f"!{None}"] * len(values)
    rows = mapped.rows.to_list() if mapped.rows is not None else range(len(values))
    for row, value in zip(rows, mapped.frame["t"].to_list(), strict=True):
        results[row] = value
    for reject in mapped.rejects:
        results[reject.row] = f"!{reject.message}"
    return results


def rejected(result: Any) -> bool:
    """Whether a result of `through` is a reject."""
    return isinstance(result, str) and result.startswith("!")
