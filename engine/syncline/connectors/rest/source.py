"""A stream of an HTTP API as a source: what it reads is compiled once, then read in batches with their position."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from syncline.connectors.rest.decoding import compile_decoding
from syncline.connectors.rest.formats import ACCEPT
from syncline.connectors.rest.gather import Gathered
from syncline.connectors.rest.graphql import connected
from syncline.connectors.rest.incremental import Cursor
from syncline.connectors.rest.listing import Listing, Pass
from syncline.connectors.rest.opening import open_client
from syncline.connectors.rest.pages import compile_paging
from syncline.connectors.rest.requests import base_url, check_place, compile_request, connector_of
from syncline.kinds.stream import RestStream
from syncline.model.errors import Invalid, SynclineError
from syncline.model.schema import Schema
from syncline.sdk.batch import Batch, Position
from syncline.sdk.clock import Clock, SystemClock
from syncline.sdk.http import Transport
from syncline.sdk.json_records import untyped_schema
from syncline.sdk.source import Instance, SourceRequest, plain


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
        stream = spec.streams.get(request.stream)
        if stream is None:
            raise Invalid(f"connector {instance.name} has no stream {request.stream}", code="SYN432")
        stream = connected(stream)
        if stream.parent is not None:
            raise Invalid(
                f"stream {request.stream}: streams for each record of another can't be read yet", code="SYN432"
            )
        self._request = request
        config = plain(instance.config)
        plan = compile_request(
            stream, base_url(instance, http), http, what=f"stream {request.stream}", accept=ACCEPT[stream.decode]
        )
        cursor = _compiled_cursor(stream, request, config, plan.names)
        own = (cursor.path[0],) if cursor else ()
        self._schema = request.schema or untyped_schema((*request.paths, *own), stream.key)
        self._listing = Listing(
            request.stream,
            plan,
            compile_paging(stream.page, templated="page" in plan.names),
            cursor,
            compile_decoding(stream, self._schema, config, max_body=http.max_body),
            config,
            typed=request.schema is not None,
        )
        self._clock = clock or SystemClock()
        self._client = open_client(instance, transport=transport, clock=self._clock, chance=chance)

    @property
    def schema(self) -> Schema:
        return self._schema

    def read(self, position: Position | None) -> Iterator[Batch]:
        if not self._schema.fields:
            raise Invalid(
                f"nothing is read of stream {self._request.stream}: it has no schema, and no field is mapped",
                code="SYN432",
            )
        reading = self._pass(position, incremental=self._request.incremental)
        after = position or {}
        gathered = Gathered(self._listing.decoding, self._clock.monotonic())
        try:
            for page in reading.pages():
                gathered.add(page)
                after = page.position
                if not page.last and gathered.full(self._request, self._clock.monotonic()):
                    yield gathered.batch(after)
                    gathered = Gathered(self._listing.decoding, self._clock.monotonic())
        except SynclineError:
            # What came before the failure is good: it is handed over, so that the next run continues after it.
            if gathered.pages:
                yield gathered.batch(after)
            raise
        if gathered.rows or gathered.malformed or gathered.skipped or after != position:
            yield gathered.batch(after)

    def close(self) -> None:
        self._client.close()

    def first_page(self) -> str:
        """Asks for the first page and says where it was; for a connector that declares no check."""
        request = self._pass(None, incremental=False).first_request()
        self._client.fetch(request, reading=self._listing.decoding.reading)
        return self._client.place(request)

    def _pass(self, position: Position | None, *, incremental: bool) -> Pass:
        progress = self._listing.begin(position, incremental=incremental, now=self._clock.now())
        return Pass(self._listing, self._client, progress, ahead=True)


def _compiled_cursor(
    stream: RestStream, request: SourceRequest, config: dict[str, object], names: frozenset[str]
) -> Cursor | None:
    if stream.cursor is None:
        if request.incremental:
            raise Invalid(
                f"stream {request.stream} has no cursor, so it can't be read incrementally",
                code="SYN433",
                help="Declare `cursor: {field: …}` in the connector, or let the sync read: full.",
            )
        return None
    for place in stream.cursor.into:
        check_place(place)
    cursor = Cursor.compile(stream.cursor, config, names)
    schema = request.schema
    if schema is not None and not schema.open and schema.get(cursor.path[0]) is None:
        raise Invalid(
            f"the cursor's field {stream.cursor.field} is not in the schema of stream {request.stream}",
            code="SYN433",
            help="Add it to the stream's schema.",
        )
    return cursor
