"""A stream of an HTTP API as a source: what it reads is compiled once, then read in batches with their position."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from syncline.connectors.rest.exchange.client import Client
from syncline.connectors.rest.exchange.opening import open_client
from syncline.connectors.rest.exchange.request import connector_of
from syncline.connectors.rest.reading.began import Began
from syncline.connectors.rest.reading.compile import Compiler
from syncline.connectors.rest.reading.gather import Gathered
from syncline.connectors.rest.reading.passes import Pass
from syncline.connectors.rest.reading.step import Step
from syncline.connectors.rest.reading.tree import Use
from syncline.connectors.rest.reading.trial import Trial
from syncline.connectors.rest.reading.unbroken import unbroken
from syncline.kinds.integration import IntegrationSpec
from syncline.model.errors import Invalid, SynclineError
from syncline.model.schema import Schema
from syncline.sdk.batch import Batch, Position
from syncline.sdk.clock import Clock, SystemClock
from syncline.sdk.http import Transport
from syncline.sdk.source import Credentials, Instance, SourceRequest, plain

#: Requests at the same time, unless an integration says otherwise.
CONCURRENCY = 4


class RestSource:
    """See `Source`. Transport, clock and chance are parameters for tests: a real one of each by default."""

    def __init__(
        self,
        instance: Instance,
        request: SourceRequest,
        *,
        transport: Transport | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        spec, http = connector_of(instance)
        self._request = request
        self._clock = clock or SystemClock()
        self._client = open_client(instance, transport=transport, clock=self._clock, chance=chance)
        width = _width(instance)
        slots = threading.BoundedSemaphore(width) if width > 1 else nullcontext()
        self._open = partial(open_client, transport=transport, clock=self._clock, chance=chance)
        self._anonymous: Client | None = None
        self._bare = replace(instance, credentials=Credentials())
        self._trial = Trial(instance.notice) if request.trial else None
        self._began = Began(self._clock.now)
        use = Use(
            self._client,
            self._clock.now,
            slots,
            self._client.pause,
            self._without_credentials,
            instance.notice,
            self._trial,
        )
        compiled = Compiler(instance, spec, http, plain(instance.config), width, self._began).compile(request, use)
        self._reading, self._schema, self._fans = compiled.reading, compiled.schema, compiled.fans

    @property
    def schema(self) -> Schema:
        return self._schema

    def read(self, position: Position | None) -> Iterator[Batch]:
        if not self._schema.fields:
            raise Invalid(
                f"nothing is read of stream {self._request.stream}: it has no schema, and no field is mapped",
                code="SYN432",
            )
        after = position or {}
        gathered = self._gathered()
        try:
            for step in self._steps(position):
                gathered.take(step)
                after = self._began.kept(step.position, last=step.last)
                if step.keep or (not step.last and gathered.full(self._request, self._clock.monotonic())):
                    yield gathered.batch(after, settle=step.keep)
                    gathered = self._gathered()
        except SynclineError:
            # What came before the failure is good: it is handed over, so that the next run continues after it.
            if gathered.anything:
                yield gathered.batch(after)
            raise
        # That something was passed over tells of rows that are absent, which only a full read can.
        unsure = gathered.unsure and not self._request.incremental
        if gathered.rows or gathered.malformed or gathered.skipped or unsure or after != position:
            yield gathered.batch(after)

    def close(self) -> None:
        for fan in self._fans:
            fan.close()
        try:
            if self._trial is not None:
                self._trial.close()
        finally:
            self._client.close()
            if self._anonymous is not None:
                self._anonymous.close()

    def first_page(self) -> str:
        """Asks for the first page and says where it was; for a connector that declares no check."""
        listing = self._reading.listing
        progress = listing.begin(None, incremental=False, now=self._clock.now())
        request = Pass(listing, self._client, progress, self._clock.now).first_request()
        self._client.fetch(request, reading=listing.decoding.reading)
        return self._client.place(request)

    def _steps(self, position: Position | None) -> Iterator[Step]:
        """The steps of a read, as long as its pages are as declared."""
        steps = self._reading.steps(self._began.resumed(position), incremental=self._request.incremental)
        if self._request.needed is None:
            return steps
        return unbroken(steps, self._request.stream, fresh=position is None)

    def _without_credentials(self) -> Client:
        """The client for files at other hosts, which credentials are never sent to."""
        self._anonymous = self._anonymous or self._open(self._bare)
        return self._anonymous

    def _gathered(self) -> Gathered:
        return Gathered(self._reading.listing.decoding, self._schema, self._clock.monotonic())


def _width(instance: Instance) -> int:
    """How many requests may be under way at the same time."""
    limits = instance.integration.limits if isinstance(instance.integration, IntegrationSpec) else None
    return (limits.concurrency if limits else None) or CONCURRENCY
