"""Integrations with files on servers, for tests: instances of the connectors that we ship, and an HTTP server of files."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ruamel.yaml import YAML

from syncline.connectors.file.runtime import RUNTIME
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.sdk.source import Credentials, Instance, SourceRequest
from tests.api_server import Asked, Reply

if TYPE_CHECKING:
    from syncline.model.schema import Schema
    from syncline.sdk.source import Source

_SHIPPED = Path(__file__).parent.parent / "integrations"


@lru_cache
def shipped(name: str) -> ConnectorSpec:
    """A connector of the catalogue."""
    spec = YAML(typ="safe").load((_SHIPPED / f"{name}.yaml").read_text())["spec"]
    return ConnectorSpec.model_validate(spec, strict=False)


def instance(
    name: str,
    root: str,
    streams: dict | None = None,
    credentials: Credentials | None = None,
    endpoint: str = "",
    **config: Any,
) -> Instance:
    """An integration of a shipped connector; `endpoint` is what it asks instead of the connector's URL."""
    spec: dict[str, Any] = {"connector": name, "streams": streams or {}}
    if endpoint:
        spec["endpoints"] = [{"region": "here", "url": endpoint}]
    connector = shipped(name)
    defaults: dict[str, Any] = {
        key: found.default for key, found in connector.config.properties.items() if found.default is not None
    }
    return Instance(
        "remote",
        connector,
        IntegrationSpec.model_validate(spec, strict=False),
        {**defaults, "root": root, **config},
        Path("/nowhere"),
        credentials or Credentials(),
    )


def source(
    opened: Instance,
    schema: Schema | None = None,
    *,
    block: int = 16 << 20,
    rows: int = 50_000,
    incremental: bool = False,
    trial: bool = False,
) -> Source:
    """Opens the only stream of an integration."""
    assert isinstance(opened.integration, IntegrationSpec)
    (stream,) = opened.integration.streams
    request = SourceRequest(stream, schema, (), incremental, batch_rows=rows, batch_bytes=block, trial=trial)
    assert RUNTIME.open_source
    return RUNTIME.open_source(opened, request)


class Files:
    """A handler that serves files by ranges, as a web server does. What `gives` leaves out, its answers lack."""

    def __init__(self, files: dict[str, bytes], *gives: str) -> None:
        self.files = files
        self.gives = gives or ("ranges", "etag")

    def __call__(self, asked: Asked) -> Reply:
        data = self.files.get(unquote(asked.path))
        if data is None:
            return Reply(b"no", 404)
        headers = {"Content-Encoding": "gzip"} if "encoding" in self.gives else {}
        if "etag" in self.gives:
            headers["ETag"] = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if "ranges" not in self.gives or wanted is None:
            return Reply(data, 200, headers)
        start, end = int(wanted[1]), min(int(wanted[2]) + 1, len(data))
        if start >= len(data):
            return Reply(b"", 416, {**headers, "Content-Range": f"bytes */{len(data)}"})
        return Reply(data[start:end], 206, {**headers, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"})
