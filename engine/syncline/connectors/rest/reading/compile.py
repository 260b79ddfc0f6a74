"""Compiles a stream and everything it is read for: declarations to a tree of listings that can be read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.rest.exchange.decoding import asked_fields, compile_decoding, with_tombstones
from syncline.connectors.rest.exchange.expressions import jmespath_of
from syncline.connectors.rest.exchange.formats import ACCEPT
from syncline.connectors.rest.exchange.graphql import beside, connected, selection
from syncline.connectors.rest.exchange.request import base_url, check_place, compile_request
from syncline.connectors.rest.reading.chunk import ChunkedFetcher, compile_chunks
from syncline.connectors.rest.reading.contract import Contract, contract_of
from syncline.connectors.rest.reading.fan import Fan
from syncline.connectors.rest.reading.file import FileFetcher
from syncline.connectors.rest.reading.incremental import Cursor
from syncline.connectors.rest.reading.job import JobReading, compile_job
from syncline.connectors.rest.reading.listing import Listing
from syncline.connectors.rest.reading.pages import compile_paging
from syncline.connectors.rest.reading.partition import WHOLE, Parents, Product, Values
from syncline.connectors.rest.reading.tree import Each, Given, Member, Once, ParentStream, Reading, Use, distinct
from syncline.kinds.base import Spec
from syncline.kinds.content import IN_GRAPHQL
from syncline.kinds.reading import MAX_COMBINATIONS
from syncline.kinds.record import logical_schema
from syncline.kinds.rest_stream import RestStream, scope_fields
from syncline.model.errors import Invalid
from syncline.model.schema import BOOLEAN, Field, Schema
from syncline.sdk.formats.json_records import untyped_schema
from syncline.sdk.formats.record_decoder import record_decoder
from syncline.sdk.source import TOMBSTONE
from syncline.sdk.template import TemplateError, compile_template

if TYPE_CHECKING:
    from syncline.connectors.rest.reading.began import Began
    from syncline.kinds.connector import ConnectorSpec
    from syncline.kinds.http import Http
    from syncline.kinds.job import Download, File, Job
    from syncline.kinds.reading import For
    from syncline.sdk.source import Instance, SourceRequest

#: Bytes of a parent stream's pages that are read ahead of what is read for them.
_PARENTS_AHEAD = 256 * 1024
_NO_REQUEST = {"record_schema", "records", "page", "cursor", "partitions", "deleted", "key", "write"}


class Compiled(Struct, frozen=True):
    """A stream that can be read, the schema of its records with what they are read for, and the threads to close."""

    reading: Reading
    schema: Schema
    fans: tuple[Fan, ...]


class Compiler:
    """Compiles streams of one instance. `width` is how many partitions are read at the same time; `began`: when."""

    def __init__(
        self, instance: Instance, spec: ConnectorSpec, http: Http, config: dict[str, Any], width: int, began: Began
    ) -> None:
        self._instance = instance
        self._streams = spec.streams
        self._http = http
        self._config = config
        self._width = width
        self._began = began
        self._fans: list[Fan] = []
        self._own: SourceRequest | None = None

    def compile(self, request: SourceRequest, use: Use) -> Compiled:
        """The stream of a request. Raises `Invalid` when its declaration can't be run."""
        self._own = request
        stream = self._streams.get(request.stream)
        if stream is None:
            raise Invalid(f"connector {self._instance.name} has no stream {request.stream}", code="SYN432")
        if request.tombstones:
            stream = with_tombstones(stream)
            self._streams = {**self._streams, request.stream: stream}
            request = _asking_tombstones(request)
        if request.incremental and stream.cursor is None and not any(item.changed for item in stream.read_for):
            raise Invalid(
                f"stream {request.stream} has no cursor, so it can't be read incrementally",
                code="SYN433",
                help="Declare `cursor: {field: …}` in the connector, or let the sync read: full.",
            )
        around = scope_fields(self._streams, stream, (request.stream,))
        names = {field.name for field in around}
        if request.schema is not None:
            own = replace(request.schema, fields=tuple(f for f in request.schema.fields if f.name not in names))
        else:
            own = self._untyped(stream, [p for p in request.paths if p.split(".")[0] not in names])
        reading = self._reading(request.stream, own, request.schema is not None, set(request.paths), (), use)
        if request.schema is not None and not request.schema.open:
            return Compiled(reading, request.schema, tuple(self._fans))
        return Compiled(reading, Schema((*own.fields, *around), own.key, open=True), tuple(self._fans))

    def _reading(
        self,
        name: str,
        schema: Schema,
        typed: bool,
        wanted: set[str],
        around: tuple[str, ...],
        use: Use,
        asked: frozenset[str] = frozenset(),
    ) -> Reading:
        """A stream's reading. `wanted` are paths that are read of it and its parents, `asked` those by requests."""
        stream = connected(self._streams[name])
        parents, job = use, None
        if stream.job is not None:
            job = self._job(name, stream, stream.job, schema, use, typed=typed)
            if not stream.read_for:
                return job
            listing = job.listing
        else:
            listing = self._listing(name, stream, schema, typed=typed)
            use = self._with_files(stream.file, self._in_chunks(stream, schema, use))
            if not stream.read_for:
                return Once(listing, use, self._fan(2, _PARENTS_AHEAD) if around else None)
        asked |= set(self._paths(stream))
        names = [item.name for item in stream.read_for]
        members = distinct(
            [
                self._member(item, wanted | asked, (*around, name), parents, asked, alone=names.count(item.name) == 1)
                for item in stream.read_for
            ]
        )
        again = frozenset(_given_again(self._streams, stream))
        if job is not None:
            return Each(listing, use, members, self._fan(1), by=job.of, again=again)
        return Each(listing, use, members, self._fan(self._width), again=again)

    def _member(
        self, item: For, paths: set[str], around: tuple[str, ...], use: Use, asked: frozenset[str], *, alone: bool
    ) -> Member:
        times = self._lists(item)
        if item.values is not None:
            return Given(Product((WHOLE,), times))
        parent = self._streams.get(item.each or "")
        if parent is None or item.each is None:
            raise Invalid(f"stream {around[-1]}: there is no stream {item.each} to read it for", code="SYN432")
        if item.each in around:
            raise Invalid(f"streams are read for each other: {' > '.join((*around, item.each))}", code="SYN479")
        only = jmespath_of(item.only, self._config)
        inside = f"{item.name}."
        needed = {p.removeprefix(inside) for p in paths if p.startswith(inside)}
        if parent.record_schema is not None:
            schema = logical_schema(parent.record_schema, parent.key)
        else:
            schema = self._untyped(parent, sorted(needed | _names(only)))
        key = parent.key or tuple(sorted(needed))
        reading = self._reading(item.each, schema, parent.record_schema is not None, paths, around, use, asked)
        # Records of two streams may have one key, and are one parent only where requests can't tell them apart.
        apart = {p.removeprefix(inside) for p in asked if p.startswith(inside)} if not alone else set()
        parents = Parents(item.name, schema, key, only.search if only else None, tuple(sorted(apart.difference(key))))
        return ParentStream(reading, parents, item.changed, times, item.group or 0)

    def _listing(self, name: str, stream: RestStream, schema: Schema, *, typed: bool) -> Listing:
        url = base_url(self._instance, self._http)
        file = stream.file.url if stream.file else ""
        plan = compile_request(stream, url, self._http, what=f"stream {name}", accept=ACCEPT[stream.decode], file=file)
        cursor = self._cursor(name, stream, schema, plan.names, typed=typed)
        return Listing(
            name,
            plan,
            compile_paging(stream.page, self._config, templated="page" in plan.names),
            cursor,
            compile_decoding(stream, schema, self._config, max_body=self._http.max_body),
            self._config,
            typed=typed,
            began=self._began,
            records=stream.records,
            contract=self._contract(name, stream, schema, typed=typed),
        )

    def _contract(self, name: str, stream: RestStream, schema: Schema, *, typed: bool) -> Contract | None:
        """What the pages of the stream that is asked for have to keep to; those of its parents have no contract."""
        own = self._own
        if own is None or own.needed is None or own.stream != name or not typed:
            return None
        cursor = (stream.cursor.field.split(".")[0],) if stream.cursor and stream.cursor.field else ()
        return contract_of(schema, stream.key, (*own.needed, *(cursor if own.incremental else ())))

    def _cursor(
        self, name: str, stream: RestStream, schema: Schema, names: frozenset[str], *, typed: bool
    ) -> Cursor | None:
        if stream.cursor is None:
            return None
        for place in stream.cursor.into:
            check_place(place)
        cursor = Cursor.compile(stream.cursor, self._config, names)
        if typed and cursor.path and not schema.open and schema.get(cursor.path[0]) is None:
            raise Invalid(
                f"the cursor's field {stream.cursor.field} is not in the schema of stream {name}",
                code="SYN433",
                help="Add it to the stream's schema.",
            )
        return cursor

    def _job(self, name: str, stream: RestStream, job: Job, schema: Schema, use: Use, *, typed: bool) -> JobReading:
        if stream.file or (stream.chunk and job.download.url is not None):
            raise Invalid(f"stream {name}: a job can have no file, nor chunks of files", code="SYN432")
        plan = compile_job(job, base_url(self._instance, self._http), self._http, f"stream {name}")
        cursor = self._cursor(name, stream, schema, plan.create.names, typed=typed)
        listing = Listing(
            name,
            plan.download,
            plan.files or compile_paging(stream.page, self._config, templated="page" in plan.download.names),
            cursor and replace(cursor, into={}),  # its bounds are the job's
            compile_decoding(stream, schema, self._config, max_body=self._http.max_body),
            self._config,
            typed=typed,
            began=self._began,
            records=stream.records,
            contract=self._contract(name, stream, schema, typed=typed),
        )
        files = self._with_files(job.download, use)
        pages = self._in_chunks(stream, schema, files).client
        return JobReading(listing, plan, cursor.into if cursor else {}, files, pages)

    def _with_files(self, file: File | Download | None, use: Use) -> Use:
        """What files are read with that may be at other hosts."""
        if file is None:
            return use
        base = base_url(self._instance, self._http)
        return replace(use, client=FileFetcher(use.client, base, file.hosts, use.anonymous))

    def _in_chunks(self, stream: RestStream, schema: Schema, use: Use) -> Use:
        """What pages are read with whose fields are asked for in chunks."""
        if stream.chunk is None:
            return use
        asked = asked_fields(stream, schema)
        given: frozenset[str] = frozenset()
        if stream.chunk.into == IN_GRAPHQL:
            graphql = (stream.job.download if stream.job else stream).graphql
            given = beside(graphql.query) if graphql else given
            names = [selection(field) for field in asked if field.name not in given]
        else:
            check_place(stream.chunk.into)
            names = [field.name for field in asked]
        chunks = compile_chunks(stream.chunk, names, given)
        return replace(use, client=ChunkedFetcher(use.client, chunks, record_decoder(schema, stream.records)))

    def _untyped(self, stream: RestStream, paths: list[str]) -> Schema:
        own = (stream.cursor.field.split(".")[0],) if stream.cursor and stream.cursor.field else ()
        around = {field.name for field in scope_fields(self._streams, stream)}
        key = tuple(path for path in stream.key if path.split(".")[0] not in around)
        return untyped_schema((*paths, *key, *own), stream.key)

    def _lists(self, item: For) -> tuple[Values, ...]:
        """The lists of values of a `for`. `Invalid` (SYN264) where they have too many combinations."""
        own = [] if item.values is None else [(item.name, item.values)]
        named = [*own, *((times.name, times.values) for times in item.times)]
        lists = tuple(Values.of(name, self._values(values)) for name, values in named)
        count = math.prod(len(values.column) for values in lists)
        if item.times and count > MAX_COMBINATIONS:
            names = " by ".join(f"{len(values.column):,} {values.name}" for values in lists)
            raise Invalid(
                f"{names} are {count:,} combinations, and at most {MAX_COMBINATIONS:,} are read",
                code="SYN264",
                help="Give shorter lists, or divide them over several integrations.",
            )
        return lists

    def _values(self, values: tuple[str, ...] | str) -> list[str]:
        if not isinstance(values, str):
            return list(dict.fromkeys(values))
        text = str(self._config.get(values.removeprefix("config."), ""))
        return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))

    def _paths(self, stream: RestStream) -> Iterator[str]:
        """The values that a stream's requests and the conditions on its parents read."""
        declared = [value for name, value in stream if name not in _NO_REQUEST]
        for text in _texts([*declared, self._http.query, self._http.headers]):
            try:
                yield from compile_template(text).paths
            except TemplateError:
                continue  # no template, or one that compiling the request tells of
        yield from stream.key

    def _fan(self, width: int, *waiting: int) -> Fan:
        self._fans.append(Fan(width, *waiting))
        return self._fans[-1]


def _given_again(streams: Mapping[str, RestStream], stream: RestStream) -> Iterator[int]:
    """The numbers of members whose parents a later one may give again, since it has the same names."""
    names: list[tuple[str, ...]] = []
    for item in stream.read_for:
        parent = streams.get(item.each or "")
        around = scope_fields(streams, parent, grouped=True) if parent is not None else ()
        alone = parent is not None and not item.times
        names.append((item.name, *(field.name for field in around)) if alone else ())
    for number, own in enumerate(names):
        if own and own in names[number + 1 :]:
            yield number


def _asking_tombstones(request: SourceRequest) -> SourceRequest:
    """The request for records that have the field that tells tombstones."""
    schema = request.schema
    if schema is not None:
        schema = replace(schema, fields=(*schema.fields, Field(TOMBSTONE, BOOLEAN)))
    return replace(request, schema=schema, paths=(*request.paths, TOMBSTONE))


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list() | tuple():
            for inner in value:
                yield from _texts(inner)
        case Spec():  # not dumped: pydantic builds for that what it has for the whole connector already
            for _, inner in value:
                yield from _texts(inner)
        case _:
            pass


def _names(condition: Any) -> set[str]:
    """Names of fields that a compiled JMESPath expression reads, and perhaps some more."""
    if condition is None:
        return set()
    found: set[str] = set()
    nodes = [condition.parsed]
    while nodes:
        node = nodes.pop()
        if node["type"] == "field":
            found.add(node["value"])
        nodes += node["children"]
    return found
