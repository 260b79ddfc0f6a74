"""The `rest` runtime as a destination: streams that declare `write`, and checkpoints in the ledger."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from syncline.connectors.rest.exchange.opening import open_client
from syncline.connectors.rest.exchange.request import base_url, connector_of
from syncline.connectors.rest.writing.exchange import Exchange
from syncline.connectors.rest.writing.judge import WriteJudge
from syncline.connectors.rest.writing.plan import WritePlan
from syncline.connectors.rest.writing.values import Columns
from syncline.connectors.rest.writing.writer import RestWriter
from syncline.kinds.write import Writes, unable
from syncline.model.errors import Bug, Invalid
from syncline.sdk.clock import Clock, SystemClock
from syncline.sdk.source import Instance, plain

if TYPE_CHECKING:
    from syncline.kinds.connector import ConnectorSpec
    from syncline.kinds.rest_stream import RestStream
    from syncline.sdk.destination import Target
    from syncline.sdk.http import Transport
    from syncline.sdk.ledger import Ledger


class RestDestination:
    """See `Destination`. Transport, clock and chance are parameters for tests: a real one of each by default."""

    def __init__(
        self,
        instance: Instance,
        *,
        transport: Transport | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if instance.ledger is None:
            raise Bug(f"{instance.name} is written to, and nothing remembers what was written")
        self._instance = instance
        self._ledger: Ledger = instance.ledger
        self._spec, self._http = connector_of(instance)
        self._base = base_url(instance, self._http)
        self._config = plain(instance.config)
        self._clock = clock or SystemClock()
        self._client = open_client(instance, transport=transport, clock=self._clock, chance=chance)

    def checkpoint(self, flow: str) -> str | None:
        """The last durable checkpoint of a flow, from the ledger."""
        mark = self._ledger.mark(flow)
        return mark.checkpoint if mark is not None else None

    def forget(self, flow: str) -> None:
        """Deletes the checkpoint of a flow. Ids of its records stay known, so that they are updated and not doubled."""
        self._ledger.forget(flow)

    def restore(self, flow: str, run: str, checkpoint: str) -> None:
        """Takes a flow back to an earlier checkpoint; see `Restoring`. What is known of records stays."""
        del run
        if self._ledger.mark(flow) is not None:
            self._ledger.save(flow, checkpoint, "", {})

    def move(self, previous: str, flow: str) -> None:
        """Renames the checkpoint of a flow."""
        self._ledger.move(previous, flow)

    def open(self, target: Target) -> RestWriter:
        """
        A writer to a stream. Nothing is sent yet: an API's streams are as they are.

        `Invalid` where the stream can't be written in the target's mode (SYN520), or can't hold its columns (SYN521).
        """
        stream, spec = _declared(target, self._spec, self._instance.name)
        if why := unable(spec, target.mode):
            raise Invalid(f"stream {target.stream!r} can't be written: {why}", code="SYN520")
        if target.mode == "upsert" and not target.schema.key:
            raise Invalid(f"an upsert into stream {target.stream!r} needs a key", code="SYN520")
        columns = Columns.of(target.schema, target.stream, stream)
        plan = WritePlan.compile(spec, self._base, self._http, target.stream)
        judge = WriteJudge(self._http.errors, self._client.judge, self._client.hide)
        exchange = Exchange(self._client, judge, self._config)
        return RestWriter(
            target,
            plan,
            columns,
            exchange,
            self._ledger,
            place_of(target.stream, self._base, self._config),
            monotonic=self._clock.monotonic,
        )

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()


def columns_of(instance: Instance, target: Target) -> Columns:
    """A target's columns as its stream takes them; `Invalid` as in `RestDestination.open`. Nothing is connected to."""
    stream, _ = _declared(target, connector_of(instance)[0], instance.name)
    return Columns.of(target.schema, target.stream, stream)


def _declared(target: Target, spec: ConnectorSpec, name: str) -> tuple[RestStream, Writes]:
    stream = spec.streams.get(target.stream)
    if stream is None or stream.write is None:
        what = "declares no `write`" if stream is not None else "isn't declared"
        writable = ", ".join(name for name, s in spec.streams.items() if s.write is not None)
        raise Invalid(
            f"stream {target.stream!r} of {name} {what}, so it can't be written to",
            code="SYN520",
            help=f"Streams that can: {writable}." if writable else "Declare `write` of the stream in the connector.",
        )
    return stream, stream.write


def place_of(stream: str, base: str, config: dict[str, object]) -> str:
    """What a stream is called in the ledger: of another URL or configuration, ids mean other records."""
    where = json.dumps([base, config], sort_keys=True, default=str)
    return f"{stream} {hashlib.sha256(where.encode()).hexdigest()[:32]}"
