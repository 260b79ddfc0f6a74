"""Writing to a system with a connector in YAML, over real connections; with a hand in between where a test wants one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from syncline.connectors.rest.writing.destination import RestDestination
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.clock import SystemClock
from syncline.sdk.destination import Sent, Target
from syncline.sdk.frame import target_frame_schema
from syncline.sdk.http import Egress, HttpTransport, Request, Response, TransportError
from syncline.sdk.ledger import MemoryLedger
from tests.rest_streams import instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.sdk.source import Credentials


class Between:
    """A transport over real connections. `before` sees each request; the answers to the first `lose` POSTs are lost."""

    def __init__(self, before: Callable[[Request], None] = lambda _: None, lose: int = 0) -> None:
        self._inner = HttpTransport(SystemClock(), 1 << 20, egress=Egress().declaring({"127.0.0.1"}))
        self._before = before
        self._lose = lose
        self.sent: list[Request] = []

    def ahead(self, request: Request, timeout: float) -> None:
        pass

    def send(self, request: Request, timeout: float) -> Response:
        self._before(request)
        self.sent.append(request)
        answer = self._inner.send(request, timeout)
        if request.method == "POST" and self._lose:
            self._lose -= 1
            raise TransportError("the answer ended early", "connection")
        return answer

    def close(self) -> None:
        self._inner.close()


@dataclass
class Stream:
    """A stream of a connector that rows are upserted into. `columns` are names with types, the first of them the key."""

    connector: str
    url: str
    columns: dict[str, str]
    credentials: Credentials
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    runs: int = 0

    def upsert(self, *rows: tuple[Any, ...], through: Between | None = None) -> Sent:
        """One run of one batch."""
        self.runs += 1
        schema = Schema(
            tuple(Field(n, DataType.parse(t)) for n, t in self.columns.items()), (next(iter(self.columns)),)
        )
        made = instance(self.connector, url=self.url, credentials=self.credentials, ledger=self.ledger)
        destination = RestDestination(made, transport=through or Between())
        try:
            writer = destination.open(Target("acme/Sync/x", f"run{self.runs}", "items", schema, "upsert"))
            sent = writer.send(pl.DataFrame(rows, schema=target_frame_schema(schema), orient="row"))
            writer.commit(f"checkpoint {self.runs}")
            return sent
        finally:
            destination.close()
