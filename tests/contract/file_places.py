"""Folders that file streams are read from and written to in tests, and how to read them back by other means."""

from __future__ import annotations

import base64
import csv
import json
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from syncline.connectors.file.runtime import RUNTIME
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.sdk.frame import target_frame_schema
from syncline.sdk.source import Instance, SourceRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from syncline.model.schema import Schema
    from syncline.sdk.destination import Destination
    from syncline.sdk.source import Source

CONNECTOR = ConnectorSpec(version="1.0.0", runtime="file")
_PARSE: dict[str, Any] = {
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "datetime": datetime.fromisoformat,
    "decimal": Decimal,
    "binary": base64.b64decode,
}


def instance(root: Path, streams: dict | None = None, **config: str) -> Instance:
    spec = {"connector": "file", "streams": streams or {}}
    integration = IntegrationSpec.model_validate(spec, strict=False)
    return Instance("files", CONNECTOR, integration, {"root": "."} | config, root)


def source(
    root: Path,
    files: str,
    schema: Schema | None = None,
    paths: tuple[str, ...] = (),
    block: int = 16 << 20,
    rows: int = 50_000,
    incremental: bool = False,
    **stream: Any,
) -> Source:
    """Opens a stream of files."""
    opened = instance(root, {"s": {"files": files} | stream})
    request = SourceRequest("s", schema, paths, incremental, batch_rows=rows, batch_bytes=block)
    assert RUNTIME.open_source
    return RUNTIME.open_source(opened, request)


def opened(made: Instance, notice: Callable[[str], None]) -> Source:
    """Opens the stream `s` of an instance; what it tells goes to `notice`."""
    assert RUNTIME.open_source
    return RUNTIME.open_source(replace(made, notice=notice), SourceRequest("s", None, ()))


def destination(root: Path, **config: str) -> Destination:
    assert RUNTIME.open_destination
    return RUNTIME.open_destination(instance(root, None, **config))


def parts(root: Path, stream: str) -> list[Path]:
    """The listed parts of a stream, in order."""
    listing = root / stream / "_syncline.json"
    if not listing.exists():
        return []
    return [root / stream / part["file"] for part in json.loads(listing.read_text())["parts"]]


def rows(root: Path, stream: str, schema: Schema) -> pl.DataFrame:
    """What a stream holds, by readers that aren't ours."""
    found: list[dict] = []
    for part in parts(root, stream):
        match part.suffix:
            case ".parquet":
                found += pl.read_parquet(part).to_dicts()
            case ".jsonl":
                found += [_from_json(line, schema) for line in part.read_bytes().split(b"\n")[:-1]]
            case _:
                found += _from_csv(part, schema)
    kept = [{name: row.get(name) for name in schema.names} for row in found]
    return pl.DataFrame(kept, schema=target_frame_schema(schema))


def _from_json(line: bytes, schema: Schema) -> dict:
    kinds = {f.name: f.type.name for f in schema.fields}
    text = line.decode()
    values = json.loads(text, parse_float=lambda digits: digits)
    row: dict[str, Any] = {}
    for name, value in values.items():
        kind = kinds.get(name, "string")
        if kind == "json":
            row[name] = None if value is None else _json_text(text, name)
        elif kind == "float":
            row[name] = None if value is None else float(value)
        else:
            row[name] = value if value is None or kind not in _PARSE else _PARSE[kind](value)
    return row


def _json_text(line: str, name: str) -> str:
    """The text of a member's value, as it stands in the line."""
    start = line.index(f'"{name}":') + len(name) + 3
    return line[start : json.JSONDecoder().raw_decode(line, start)[1]]


def _from_csv(part: Path, schema: Schema) -> list[dict]:
    kinds = {f.name: f.type.name for f in schema.fields}
    convert: dict[str, Any] = _PARSE | {"integer": int, "int32": int, "float": float, "boolean": "true".__eq__}
    with part.open(newline="", encoding="utf-8") as file:
        texts = list(csv.DictReader(file))
    # The csv module can't tell null from empty text; the only texts of the samples that are empty are that of id 1 mod 3.
    return [
        {
            name: None if not value and int(row["id"]) % 3 != 1 else convert.get(kinds.get(name, ""), str)(value)
            for name, value in row.items()
        }
        for row in texts
    ]
