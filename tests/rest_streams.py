"""What tests of the `rest` runtime share: connectors from YAML, a clock that doesn't wait, a transport that is a function."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from syncline.connectors.rest.reading.source import RestSource
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.rest_stream import stream_schema
from syncline.sdk.http import Request, Response
from syncline.sdk.source import Credentials, Instance, SourceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from syncline.sdk.batch import Batch, Position
    from syncline.sdk.ledger import Ledger


@dataclass
class FakeClock:
    """Time that passes only by sleeping; remembers each sleep."""

    time: float = 1_700_000_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class FunctionTransport:
    """Sends by calling a function."""

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        self._answer = answer
        self.sent: list[Request] = []

    def ahead(self, request: Request, timeout: float) -> None:
        pass

    def send(self, request: Request, timeout: float) -> Response:
        self.sent.append(request)
        return self._answer(request)

    def close(self) -> None:
        pass


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    """A JSON response; header names with `_` for `-`."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"content-type": "application/json", **named}, data)


def instance(
    text: str,
    *,
    url: str = "http://api.example",
    config: Mapping[str, Any] | None = None,
    credentials: Credentials | None = None,
    integration: Mapping[str, Any] | None = None,
    count: Callable[[str, float], None] | None = None,
    notice: Callable[[str], None] | None = None,
    ledger: Ledger | None = None,
) -> Instance:
    """An instance of a connector whose spec (without version and url) is given as YAML."""
    spec: dict[str, Any] = {"version": "1.0.0", **yaml.safe_load(text)}
    spec["http"] = {"url": url, **spec.get("http", {})}
    return Instance(
        "api",
        ConnectorSpec.model_validate_json(json.dumps(spec, default=str)),
        IntegrationSpec.model_validate_json(json.dumps({"connector": "api", **(integration or {})})),
        dict(config or {}),
        Path(),
        credentials or Credentials(),
        count=count or (lambda _name, _value: None),
        notice=notice or (lambda _text: None),
        ledger=ledger,
    )


def source(
    made: Instance,
    stream: str = "items",
    *,
    paths: tuple[str, ...] = (),
    incremental: bool = False,
    batch_rows: int = 50_000,
    trial: bool = False,
    **parts: Any,
) -> RestSource:
    """A stream of an instance, opened; waits for nothing unless a clock is given."""
    schema = stream_schema(made.connector.streams, stream)  # type: ignore[attr-defined]  # a rest connector
    request = SourceRequest(stream, schema, paths, incremental=incremental, batch_rows=batch_rows, trial=trial)
    return RestSource(made, request, **{"clock": FakeClock(), "chance": lambda: 1.0, **parts})


def rows(batches: list[Batch]) -> list[dict[str, Any]]:
    """The records of batches, in order."""
    return [row for batch in batches for row in batch.frame.to_dicts()]


def read(opened: RestSource, position: Position | None = None) -> list[Batch]:
    """All batches from a position; closes the source."""
    try:
        return list(opened.read(position))
    finally:
        opened.close()
