"""Parquet files: row groups in batches, with exact types.

Without a declared schema the columns are those of the file, each with the logical type that holds all its values. With
one, the declared columns are read and made to fit it as JSON would: a `number` becomes the text of its digits, a time
its ISO 8601 text where a string is declared. What has no counterpart, or would lose something, is an error that names
the column, or sets single rows aside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet

from syncline.connectors.file.blocks import MAX_RAW
from syncline.connectors.file.heads import Columns
from syncline.connectors.file.piece import Piece
from syncline.connectors.file.position import OpenFile
from syncline.model.errors import Invalid, Stalled
from syncline.model.schema import MAX_PRECISION, DataType, Field, Schema
from syncline.sdk.batch import Malformed, Span
from syncline.sdk.frame import source_dtype

_INTEGERS = {pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()}
_TEXTS = {pa.string(), pa.large_string(), pa.string_view(), pa.null()}
_BINARIES = {pa.binary(), pa.large_binary(), pa.binary_view()}


class ParquetFormat:
    """
    Parquet. Every file of the stream has the columns of the schema; without a declared one, those of the first that are
    read by `paths`, and of the others nulls are read. Columns that nothing reads are told.
    """

    def __init__(
        self,
        declared: Schema | None,
        files: Iterator[OpenFile],
        rows: int,
        notice: Callable[[str], None],
        paths: Sequence[str] = (),
    ) -> None:
        self._rows = rows
        first = next(files)
        found = _fields(first.name, _opened(first).schema_arrow, declared)
        self.schema = declared or Schema(tuple(found.values()))
        self._read = Columns(self.schema.names, paths if declared is None else (), notice)
        _conversions(first.name, self.schema, found)

    def lacking(self, file: OpenFile) -> tuple[str, ...]:
        """See `Headed`; Invalid too where the types of its columns are others."""
        parquet = _opened(file)
        if lacks := self._read.lacking(parquet.schema_arrow.names):
            return lacks
        _conversions(file.name, self.schema, _fields(file.name, parquet.schema_arrow, self._wanted(parquet)))
        return ()

    def _wanted(self, parquet: pa.parquet.ParquetFile) -> Schema:
        """The columns to read of a file: those of the schema that it has, or must have."""
        there = {*parquet.schema_arrow.names, *self._read.needed}
        return Schema(tuple(field for field in self.schema.fields if field.name in there))

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """Yields the rows of a file, a row group at a time, in batches."""
        parquet = _opened(file)
        found = _fields(file.name, parquet.schema_arrow, self._wanted(parquet))
        self._read.tell(file.name, parquet.schema_arrow.names)
        expressions = _conversions(file.name, self.schema, found)
        metadata = parquet.metadata
        group, done = at.get("group", 0), at.get("row", 0)
        row = sum(metadata.row_group(g).num_rows for g in range(group)) + done
        if row == metadata.num_rows:
            yield self._piece(file, pl.DataFrame(schema=dict.fromkeys(found, pl.Null)), expressions, row, {})
            return
        for index in range(group, metadata.num_row_groups):
            raw = b"" if done else _bytes_of(file, parquet, index)
            for frame in self._frames(file.name, parquet, index, list(found), skip=done):
                done += frame.height
                ended = done == metadata.row_group(index).num_rows
                place = {"group": index + 1, "row": 0} if ended else {"group": index, "row": done}
                last = row + frame.height == metadata.num_rows
                yield self._piece(file, frame, expressions, row, {} if last else place, raw)
                raw = b""
                row += frame.height
            done = 0
        if row != metadata.num_rows:
            raise _damaged(file.name, ValueError(f"{row} rows came of {metadata.num_rows}"))

    def _frames(
        self, name: str, parquet: pa.parquet.ParquetFile, group: int, columns: list[str], *, skip: int
    ) -> Iterator[pl.DataFrame]:
        """The rows of a row group after the first `skip`."""
        try:
            batches = parquet.iter_batches(self._rows, row_groups=[group], columns=columns, use_threads=False)
            for batch in batches:
                kept = batch.slice(min(skip, batch.num_rows))
                skip -= batch.num_rows - kept.num_rows
                if not kept.num_rows:
                    continue
                kept.validate(full=True)
                # Without the file's metadata, which is free bytes that polars would want to be text.
                frame = pl.from_arrow(pa.Table.from_arrays(kept.columns, names=kept.schema.names))
                assert isinstance(frame, pl.DataFrame)
                yield frame.select(columns)
        except (pa.ArrowException, OSError, pl.exceptions.PanicException) as error:
            raise _damaged(f"{name}, row group {group}", error) from None

    def _piece(
        self,
        file: OpenFile,
        frame: pl.DataFrame,
        expressions: list[pl.Expr],
        row: int,
        at: Mapping[str, int],
        raw: bytes = b"",
    ) -> Piece:
        bad = _lossy(frame)
        malformed = tuple(
            Malformed(
                f"{file.name}#{row + index + 1}",
                "it has nanoseconds; times are kept in microseconds",
                frame[index].write_json()[1:-1][:MAX_RAW],
                name,
            )
            for index, name in sorted(bad.items())
        )
        spans = []
        start = 0
        for index in [*sorted(bad), frame.height]:
            if index > start:
                spans.append(Span(file.name, "row", row + start + 1, index - start))
            start = index + 1
        if bad:
            frame = frame.filter(~pl.Series(range(frame.height)).is_in(list(bad)))
        try:
            exact = frame.select(expressions)
        except pl.exceptions.PolarsError as error:
            raise Invalid(
                f"{file.name}: rows from {row + 1} on don't fit the schema: {error}",
                code="SYN462",
                help="Correct the declared schema, or leave the column out of it.",
            ) from None
        digest = hashlib.sha256(raw).digest()
        return Piece(exact, tuple(spans), malformed, digest, len(raw), at, file.size, last=not at)


def _opened(file: OpenFile) -> pa.parquet.ParquetFile:
    try:
        parquet = pa.parquet.ParquetFile(file.handle, pre_buffer=False)
        for field in parquet.schema_arrow:
            _read_names(field)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(file.name, error) from None
    return parquet


def _read_names(field: pa.Field) -> None:
    """Reads the name of a field and of all in it: UnicodeDecodeError for a damaged one, on which polars would panic."""
    str(field.name)
    for index in range(field.type.num_fields):
        _read_names(field.type.field(index))


def _damaged(what: str, error: Exception) -> Stalled:
    return Stalled(
        f"{what} can't be read as Parquet: {str(error).splitlines()[0][:200]}",
        code="SYN462",
        help="The file is damaged or cut: write or copy it again.",
    )


def _bytes_of(file: OpenFile, parquet: pa.parquet.ParquetFile, group: int) -> bytes:
    """The bytes of a row group, for its digest."""
    metadata = parquet.metadata.row_group(group)
    starts, ends = [], []
    for index in range(metadata.num_columns):
        column = metadata.column(index)
        start = column.data_page_offset
        if column.has_dictionary_page and column.dictionary_page_offset is not None:
            start = min(start, column.dictionary_page_offset)
        starts.append(start)
        ends.append(start + column.total_compressed_size)
    if not starts:
        return b""
    if min(starts) < 0 or not min(starts) <= max(ends) <= file.size:
        raise _damaged(f"{file.name}, row group {group}", ValueError("its metadata points outside the file"))
    return file.read(min(starts), max(ends) - min(starts))


def _fields(name: str, schema: pa.Schema, wanted: Schema | None) -> dict[str, Field]:
    """Logical fields of the wanted columns, in the wanted order; Invalid for missing ones and unknown types."""
    if len(set(schema.names)) < len(schema.names):
        raise Invalid(f"{name} has two columns of one name", code="SYN453", help="Give each column a name of its own.")
    names = wanted.names if wanted else schema.names
    if missing := [n for n in names if n not in schema.names]:
        raise Invalid(
            f"{name} has no column {', '.join(map(repr, missing))}",
            code="SYN463",
            help=f"Its columns are {', '.join(map(repr, schema.names[:50]))}.",
        )
    return {n: _field(name, n, schema.field(n).type, nullable=schema.field(n).nullable) for n in names}


def _field(file: str, path: str, kind: Any, *, nullable: bool = True, nested: bool = False) -> Field:
    name = path.rsplit("/", 1)[-1]
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_struct(kind):
        children = (_field(file, f"{path}/{f.name}", f.type, nested=True) for f in kind)
        return Field(name, DataType("json"), nullable, fields=tuple(children))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_list_view(kind) or types.is_fixed_size_list(kind):
        item = _field(file, f"{path}/item", kind.value_type, nested=True)
        if not item.repeated:
            return Field(name, item.type, nullable, fields=item.fields, repeated=True)
    if nested and types.is_timestamp(kind) and kind.unit == "ns":
        pass  # its digits past the microsecond could not be checked row by row
    elif scalar := _scalar(kind):
        return Field(name, scalar, nullable)
    raise Invalid(
        f"{file}: column {path!r} has the type {kind}, which has no counterpart here",
        code="SYN462",
        help="Declare the stream's schema without this column.",
    )


def _scalar(kind: Any) -> DataType | None:
    """The logical type that holds every value of an Arrow type, or None."""
    types = pa.types
    if kind in _INTEGERS:
        return DataType("integer")
    if kind in _TEXTS:
        return DataType("string")
    if kind in _BINARIES or types.is_fixed_size_binary(kind):
        return DataType("binary")
    if kind == pa.uint64():
        return DataType("decimal", 20, 0)
    if types.is_floating(kind):
        return DataType("float")
    if types.is_boolean(kind):
        return DataType("boolean")
    if types.is_date(kind):
        return DataType("date")
    if types.is_time(kind):
        return DataType("time")
    if types.is_timestamp(kind):
        return DataType("timestamp" if kind.tz else "datetime")
    if types.is_decimal(kind) and kind.precision <= MAX_PRECISION and 0 <= kind.scale <= kind.precision:
        return DataType("decimal", kind.precision, kind.scale)
    return None


def _lossy(frame: pl.DataFrame) -> dict[int, str]:
    """Rows whose times have digits past the microsecond, and in which column."""
    found: dict[int, str] = {}
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":
            rest = pl.col(name).dt.timestamp("ns") % 1000 != 0
            for row in frame.select(rest.fill_null(value=False).arg_true()).to_series():
                found.setdefault(row, name)
    return found


def _conversions(file: str, schema: Schema, found: Mapping[str, Field]) -> list[pl.Expr]:
    """Expressions that make the file's columns fit the schema."""
    return [
        _converted(file, pl.col(f.name), f, found[f.name], f.name).alias(f.name)
        if f.name in found
        else pl.lit(None, source_dtype(f)).alias(f.name)
        for f in schema.fields
    ]


def _converted(file: str, column: pl.Expr, to: Field, found: Field, path: str) -> pl.Expr:
    """A column with the type of `to`, exactly; Invalid where the types don't go together."""
    if to.repeated and found.repeated:
        item, inner = (Field(f.name, f.type, fields=f.fields) for f in (to, found))
        return column.list.eval(_converted(file, pl.element(), item, inner, path))
    if to.repeated == found.repeated and to.fields and found.fields:
        there = {f.name: f for f in found.fields}
        parts = [
            _converted(file, column.struct.field(f.name), f, there[f.name], f"{path}.{f.name}").alias(f.name)
            if f.name in there
            else pl.lit(None, source_dtype(f)).alias(f.name)
            for f in to.fields
        ]
        return pl.when(column.is_not_null()).then(pl.struct(parts))
    if to.repeated == found.repeated and not to.fields and not found.fields:
        if to.type == found.type:
            return column.cast(source_dtype(to), strict=True)
        match to.type.name, found.type.name:
            case "number", "integer" | "decimal" | "float":
                return column.cast(pl.String)
            case "string", "date":
                return column.dt.to_string("%Y-%m-%d")
            case "string", "time":
                return column.dt.to_string("%H:%M:%S%.f")
            case "string", "datetime":
                return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f")
            case "string", "timestamp":
                return column.dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
            case "json", "string":
                # Parquet has no JSON type in Arrow's eyes: a declared `any` takes the text as JSON.
                return column.cast(pl.String)
            case _:
                pass
    what = "a list" if found.repeated else "an object" if found.fields else str(found.type)
    expected = "a list" if to.repeated else "an object" if to.fields else str(to.type)
    raise Invalid(
        f"{file}: column {path!r} is {what} and declared as {expected}",
        code="SYN462",
        help="Correct the declared schema, or leave it out: Parquet files describe themselves.",
    )
