"""
Reading a table or a query: in the order of a key, in batches that are queries of their own, each past the last row.

So a read goes on wherever it stopped, without a cursor that the server has to keep; and it sees one moment of the data,
as far as the database can show it. Incremental reads have the cursor's column before the key.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
from msgspec import Struct

from syncline.connectors.sql.names import quoted
from syncline.connectors.sql.reading import Readable, Reading
from syncline.connectors.sql.values import declared, fits, mark, raw_dtype, typed, unfit
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.table import TableStream
from syncline.model.errors import Invalid
from syncline.model.schema import Field, Schema
from syncline.model.units import duration
from syncline.sdk.batch import Batch, Malformed, Position, Span
from syncline.sdk.frame import source_frame_schema
from syncline.sdk.source import Instance, SourceRequest

#: Rows of the first batch; the next ones are as large as bytes allow.
_FIRST_ROWS = 2_000

#: Bytes of a record that can't be used, as it is kept for people.
_MAX_RAW = 64 * 1024


class Relation(Struct, frozen=True):
    """What is read: SQL for a row source `t`, its columns, and those that its rows are ordered by."""

    name: str
    sql: str
    columns: tuple[Readable, ...]
    order: tuple[Readable, ...]
    nullable: tuple[Readable, ...]
    lookback: float = 0.0

    @property
    def looks_back(self) -> bool:
        return self.lookback > 0


class SqlSource:
    """A stream of a database, over one connection."""

    def __init__(self, reading: Reading, relation: Relation, request: SourceRequest, instance: Instance) -> None:
        self._reading = reading
        self._relation = relation
        self._request = request
        self._count = instance.count
        self.schema = _schema(relation, request.schema)

    def read(self, position: Position | None) -> Iterator[Batch]:
        """Yields batches in the order of the key; see `Source.read`."""
        state = position or {}
        done = int(state.get("rows", 0))
        where, parameters = self._begin(state)
        self._reading.begin()
        self._refuse_nulls()
        rows = min(_FIRST_ROWS, self._request.batch_rows)
        while found := self._fetch(where, parameters, rows + 1):
            self._refuse_repeated(found)
            kept, last = found[:rows], len(found) <= rows
            marks = self._marks(kept[-1])
            batch = self._batch(kept, done, self._position(marks, done + len(kept), last=last))
            done += len(kept)
            self._count("bytes", batch.size)
            yield batch
            if last:
                return
            where, parameters = self._after(marks)
            average = max(1, batch.size // len(kept))
            rows = max(1, min(self._request.batch_rows, self._request.batch_bytes // average))

    def close(self) -> None:
        """Closes the connection."""
        self._reading.close()

    # --- where reading stands ----------------------------------------------------------------------------------------

    def _begin(self, state: Mapping[str, Any]) -> tuple[str, list[Any]]:
        if (at := state.get("at")) is not None:
            return self._after(at)
        if (since := state.get("since")) is None:
            return "", []
        cursor = self._relation.order[0]
        text = _earlier(since, cursor, self._relation.lookback)
        given = self._reading.given(cursor, text)
        return f"WHERE {cursor.order} >= {self._reading.parameter(cursor, 1)}", [given]

    def _after(self, marks: Sequence[str]) -> tuple[str, list[Any]]:
        """A condition on rows past these values. The first column bounds it for the sake of an index."""
        order = self._relation.order
        given = [self._reading.given(column, text) for column, text in zip(order, marks, strict=True)]
        sql = [self._reading.parameter(column, number) for number, column in enumerate(order, 1)]
        condition = ""
        for column, parameter in reversed(list(zip(order, sql, strict=True))):
            past = f"{column.order} > {parameter}"
            condition = f"({past} OR ({column.order} = {parameter} AND {condition}))" if condition else past
        bound = f"{order[0].order} >= {sql[0]} AND " if len(order) > 1 else ""
        return f"WHERE {bound}{condition}", given

    def _position(self, marks: Sequence[str], rows: int, *, last: bool) -> Position:
        """Where the next read begins: past the last row, or, at the end of one that looks back, before it."""
        if last and self._relation.looks_back:
            return {"rows": rows, "since": marks[0]}
        return {"rows": rows, "at": list(marks)}

    # --- rows --------------------------------------------------------------------------------------------------------

    def _fetch(self, where: str, parameters: Sequence[Any], rows: int) -> list[tuple[Any, ...]]:
        relation = self._relation
        values = ", ".join(column.value for column in (*relation.columns, *relation.order))
        order = ", ".join(column.order for column in relation.order)
        statement = f"SELECT {values} FROM {relation.sql} AS t {where} ORDER BY {order} LIMIT {rows}"
        return self._reading.fetch(statement, parameters)

    def _marks(self, row: tuple[Any, ...]) -> list[str]:
        return [mark(value) for value in row[len(self._relation.columns) :]]

    def _refuse_nulls(self) -> None:
        columns = self._relation.nullable
        if not columns:
            return
        condition = " OR ".join(f"t.{quoted(column.name)} IS NULL" for column in columns)
        if self._reading.fetch(f"SELECT 1 FROM {self._relation.sql} AS t WHERE {condition} LIMIT 1", ()):
            names = ", ".join(column.name for column in columns)
            raise Invalid(
                f"{self._relation.name} has rows with a null in {names}, which would never be read",
                code="SYN547",
                help="Read a query that gives such rows a value, such as coalesce(updated_at, created_at).",
            )

    def _refuse_repeated(self, rows: Sequence[tuple[Any, ...]]) -> None:
        begin = len(self._relation.columns)
        if any(one[begin:] == other[begin:] for one, other in pairwise(rows)):
            names = ", ".join(column.name for column in self._relation.order)
            raise Invalid(
                f"{self._relation.name} has several rows with the same {names}",
                code="SYN547",
                help="Declare a key that identifies a row.",
            )

    def _batch(self, rows: Sequence[tuple[Any, ...]], done: int, position: Position) -> Batch:
        columns = self._relation.columns
        raw = self._raw(rows)
        bad: dict[int, str] = {}
        series = []
        for column in columns:
            found = typed(raw[column.name], column.type)
            for row in (found.is_null() & raw[column.name].is_not_null()).arg_true():
                bad.setdefault(row, column.name)
            field = self.schema.get(column.name)
            assert field is not None
            series.append(declared(found, column.type, field))
        frame = pl.DataFrame(series).cast(pl.Schema(source_frame_schema(self.schema)))
        if bad:
            frame = frame.filter(~pl.Series(range(frame.height)).is_in(list(bad)))
        data = _bytes(raw)
        malformed = tuple(self._malformed(raw, row, name, done) for row, name in sorted(bad.items()))
        spans = tuple(_spans(self._relation.name, done, len(rows), sorted(bad)))
        return Batch(frame, spans, position, malformed, hashlib.sha256(data).digest(), int(raw.estimated_size()))

    def _raw(self, rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
        columns = self._relation.columns
        schema = {column.name: raw_dtype(column, self._reading.native) for column in columns}
        try:
            return pl.DataFrame([row[: len(columns)] for row in rows], schema=schema, orient="row")
        except (TypeError, pl.exceptions.PolarsError):
            raise Invalid(
                f"{self._relation.name} has bytes among texts, or texts among bytes, in one column",
                code="SYN548",
                help="Read a query that converts it, such as CAST(x AS BLOB).",
            ) from None

    def _malformed(self, raw: pl.DataFrame, row: int, name: str, done: int) -> Malformed:
        column = next(column for column in self._relation.columns if column.name == name)
        record = {key: mark(value) for key, value in raw.row(row, named=True).items() if value is not None}
        return Malformed(
            f"{self._relation.name}#{done + row + 1}",
            f"the value of {name} is no {column.type}",
            json.dumps(record, ensure_ascii=False)[:_MAX_RAW],
            name,
        )


def open_source(instance: Instance, request: SourceRequest) -> SqlSource:
    """Opens a stream of a database; Invalid when it isn't declared, isn't there, or can't be read in order."""
    from syncline.connectors.sql.opening import open_reading

    assert isinstance(instance.integration, IntegrationSpec)
    stream = instance.integration.tables.get(request.stream)
    if stream is None:
        known = ", ".join(sorted(instance.integration.tables)) or "none"
        raise Invalid(
            f"{instance.name} has no stream {request.stream!r} to read",
            code="SYN546",
            help=f"Its streams are: {known}. Add it under spec.tables of the Integration.",
        )
    reading = open_reading(instance)
    try:
        return SqlSource(reading, _relation(reading, stream, request), request, instance)
    except BaseException:
        reading.close()
        raise


def open_rows(instance: Instance, table: str, names: tuple[str, ...], key: tuple[str, ...]) -> SqlSource:
    """Opens a table with these columns, in the order of this key."""
    from syncline.connectors.sql.opening import open_reading

    request = SourceRequest(table, None, names)
    reading = open_reading(instance)
    try:
        relation = _relation(reading, TableStream(table=table, key=key), request)
        for name in names:
            _column({column.name: column for column in relation.columns}, name, table)
        return SqlSource(reading, relation, request, instance)
    except BaseException:
        reading.close()
        raise


def _relation(reading: Reading, stream: TableStream, request: SourceRequest) -> Relation:
    keys = reading.keys(stream.table) if stream.table else ()
    key = stream.key or (keys[0] if keys else ())
    if not key:
        raise Invalid(
            f"{request.stream} has no primary key to read it by",
            code="SYN547",
            help="Declare its key: columns that identify a row and are never null.",
        )
    unique = any(set(names) == set(key) for names in keys)
    sql = f"({stream.query})" if stream.query else reading.place + quoted(stream.table)
    query = f"SELECT * FROM {sql} AS t"
    there = {column.name: column for column in reading.columns(query, stream.table, exact=not unique)}
    cursor = stream.cursor if request.incremental else None
    ordered = dict.fromkeys((*((cursor.field,) if cursor else ()), *key))
    order = tuple(_column(there, name, request.stream) for name in ordered)
    lookback = duration(cursor.lookback) if cursor and cursor.lookback else 0.0
    if lookback and order[0].type.name not in {"timestamp", "datetime", "date", "string"}:
        raise Invalid(f"{order[0].name} of {request.stream} is {order[0].native}, which has no time", code="SYN547")
    return Relation(
        request.stream,
        sql,
        tuple(_column(there, name, request.stream) for name in _wanted(there, request)),
        order,
        tuple(column for column in order if not (unique and column.name in key)),
        lookback,
    )


def _wanted(there: Mapping[str, Readable], request: SourceRequest) -> list[str]:
    """The declared columns; without a schema those that are used, or all."""
    if request.schema is not None:
        return list(request.schema.names)
    used = {path.partition(".")[0] for path in request.paths}
    return [name for name in there if name in used] if used & set(there) else list(there)


def _column(there: Mapping[str, Readable], name: str, stream: str) -> Readable:
    if (found := there.get(name)) is not None:
        return found
    raise Invalid(
        f"{stream} has no column {name!r} that can be read",
        code="SYN546",
        help=f"Its columns are {', '.join(list(there)[:50])}.",
    )


def _schema(relation: Relation, wanted: Schema | None) -> Schema:
    if wanted is None:
        return Schema(tuple(Field(column.name, column.type) for column in relation.columns))
    for column in relation.columns:
        field = wanted.get(column.name)
        assert field is not None
        if not fits(column.type, field):
            raise unfit(relation.name, column, field)
    return wanted


def _earlier(text: str, column: Readable, seconds: float) -> str:
    """A time so much before another, as it is written."""
    if column.type.name == "date":
        return (date.fromisoformat(text) - timedelta(seconds=seconds)).isoformat()
    plain = text.replace("T", " ").removesuffix("Z").removesuffix("+00")
    try:
        moment = datetime.fromisoformat(plain) - timedelta(seconds=seconds)
    except OverflowError:
        return text
    except ValueError:
        raise Invalid(
            f"{column.name} has a value that is no time, so that nothing is before it",
            code="SYN547",
            help="Leave `lookback` out, or read a query that makes it a time.",
        ) from None
    shown = moment.isoformat("T" if "T" in text else " ", "microseconds" if "." in plain else "seconds")
    return shown + text[len(plain) :]


def _bytes(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_ipc(out, compression="uncompressed")
    return out.getvalue()


def _spans(name: str, done: int, rows: int, bad: Sequence[int]) -> Iterator[Span]:
    """The runs of rows between those that can't be used."""
    begin = 0
    for row in [*bad, rows]:
        if row > begin:
            yield Span(name, "row", done + begin + 1, row - begin)
        begin = row + 1
