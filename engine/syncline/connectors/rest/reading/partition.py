"""Partitions: what a stream is read once for each of, as variables of its requests and as columns of its records."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import polars as pl
from msgspec import Struct, field

from syncline.sdk.formats.json_document import exact_document
from syncline.sdk.frame import source_dtype
from syncline.sdk.template import Group

if TYPE_CHECKING:
    from syncline.model.schema import Field, Schema


class Partition(Struct, frozen=True):
    """One of what a stream is read for. `key` tells it from others, in positions; `scope` are variables of templates.

    `columns` hold what becomes fields of its records: for each name a column and the row in it. `values` are those that
    identify it, and the partitions that it is in, by their names. `members` are the keys of those that it is a group
    of: each of them has a cursor, so that groups may change.
    """

    key: str = ""
    scope: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, tuple[pl.Series, int]] = field(default_factory=dict)
    values: tuple[tuple[str, Sequence[Any]], ...] = ()
    members: tuple[str, ...] = ()

    @property
    def cursors(self) -> tuple[str, ...]:
        """The keys of its cursors."""
        return self.members or (self.key,)

    def described(self) -> str:
        """In words, with nothing but what identifies it: `org 7, repo 12`; empty for what is read whole."""
        return ", ".join(" ".join([name, *(str(value)[:60] for value in values)]) for name, values in self.values)


#: Parents of a group that messages name.
_SHOWN = 3
_encode = json.JSONEncoder(sort_keys=True, default=str, separators=(",", ":")).encode
#: What a stream is read for that is read for nothing in particular.
WHOLE = Partition()


class Values(Struct, frozen=True):
    """A list of values, by the name that each has."""

    name: str
    column: pl.Series

    @classmethod
    def of(cls, name: str, values: Sequence[str]) -> Values:
        """Of texts."""
        return cls(name, pl.Series(name, values, dtype=pl.String))

    def within(self, partition: Partition, at: int) -> Partition:
        """A partition with one of the values, by its place in the list."""
        value = self.column[at]
        return Partition(
            _key(partition.key, self.name, [value]),
            {**partition.scope, self.name: value},
            {**partition.columns, self.name: (self.column, at)},
            (*partition.values, (self.name, (value,))),
            tuple(_key(member, self.name, [value]) for member in partition.members),
        )


@dataclass(frozen=True, slots=True)
class Product(Sequence[Partition]):
    """
    Each of some partitions with every combination of values, of which the last list's change first.

    A partition is made when it is asked for: a page of parents with thousands of combinations stays small.
    """

    outer: Sequence[Partition]
    lists: Sequence[Values]

    def __len__(self) -> int:
        return len(self.outer) * math.prod(len(values.column) for values in self.lists)

    @overload
    def __getitem__(self, index: int) -> Partition: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Partition]: ...

    def __getitem__(self, index: int | slice) -> Partition | Sequence[Partition]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        places = []
        left = range(len(self))[index]
        for values in reversed(self.lists):
            left, at = divmod(left, len(values.column))
            places.append(at)
        partition = self.outer[left]
        for values, at in zip(self.lists, reversed(places), strict=True):
            partition = values.within(partition, at)
        return partition


class Parents(Struct, frozen=True):
    """Makes partitions of a parent's records. `key` are the paths of what identifies one; `only` passes some over.
    `apart` are further paths that tell one from what another stream has of the same name and key.

    `schema` is how the records were decoded; where it is open, its fields are JSON text.
    """

    name: str
    schema: Schema
    key: tuple[str, ...]
    only: Callable[[Any], Any] | None = None
    apart: tuple[str, ...] = ()

    def of(self, frame: pl.DataFrame, parent: Partition) -> list[Partition]:
        """A partition for each record of a frame, within the parent's own partition."""
        column = self._json(frame) if self.schema.open else frame.to_struct(self.name)
        found = []
        for at, row in enumerate(frame.to_dicts()):
            record = {f.name: _readable(f, row[f.name]) for f in self.schema.fields}
            if self.only is not None and not self.only(_comparable(self.schema.fields, record)):
                continue
            scope = {**parent.scope, self.name: record}
            known = [value_at({**scope, **record}, path) for path in self.key]
            more = [value_at(record, path) for path in self.apart]
            columns = {**parent.columns, self.name: (column, at)}
            key = _key(parent.key, self.name, [*(known or [record]), *more])
            found.append(Partition(key, scope, columns, (*parent.values, (self.name, known))))
        return found

    def together(self, found: Sequence[Partition], size: int) -> list[Partition]:
        """Groups of so many parents: their records are a list in templates, and no field of what is read for them."""
        groups = []
        for start in range(0, len(found), size):
            some = found[start : start + size]
            first = some[0]
            records = Group(partition.scope[self.name] for partition in some)
            known = [value for partition in some[:_SHOWN] for value in partition.values[-1][1]]
            more = [f"and {len(some) - _SHOWN} more"] if len(some) > _SHOWN else []
            keys = tuple(partition.key for partition in some)
            columns = {name: column for name, column in first.columns.items() if name != self.name}
            values = (*first.values[:-1], (self.name, [*known, *more]))
            groups.append(
                Partition(_key("", self.name, keys), {**first.scope, self.name: records}, columns, values, keys)
            )
        return groups

    def _json(self, frame: pl.DataFrame) -> pl.Series:
        names = [json.dumps(name) for name in frame.columns]
        rows = (
            "{" + ",".join(f"{n}:{v}" for n, v in zip(names, row, strict=True) if v is not None) + "}"
            for row in frame.iter_rows()
        )
        return pl.Series(self.name, list(rows), dtype=pl.String)


def scope_columns(fields: Sequence[Field], runs: Sequence[tuple[Partition, int]]) -> list[pl.Series]:
    """Columns of what records were read for: `runs` are partitions and how many records in a row each has."""
    return [_column(f, runs) for f in fields]


def value_at(record: Any, path: str) -> Any:
    """The value at a dotted path; None where something is missing."""
    for name in path.split("."):
        record = record.get(name) if isinstance(record, Mapping) else None
    return record


def _column(wanted: Field, runs: Sequence[tuple[Partition, int]]) -> pl.Series:
    dtype = source_dtype(wanted)
    parts = [_part(wanted, column, rows) for column, rows in _groups(wanted.name, runs)]
    whole = pl.concat([p.cast(dtype) if p.dtype != dtype else p for p in parts]) if parts else pl.Series(dtype=dtype)
    return whole.alias(wanted.name)


def _groups(name: str, runs: Sequence[tuple[Partition, int]]) -> Iterator[tuple[pl.Series | None, list[int]]]:
    """Rows of one column after the other; no column for partitions that have none of that name."""
    current: pl.Series | None = None
    rows: list[int] = []
    for partition, count in runs:
        column, at = partition.columns.get(name, (None, 0))
        if column is not current and rows:
            yield current, rows
            rows = []
        current = column
        rows += [at] * count
    if rows:
        yield current, rows


def _part(wanted: Field, column: pl.Series | None, rows: list[int]) -> pl.Series:
    if column is None:
        return pl.Series(wanted.name, [None] * len(rows), dtype=source_dtype(wanted))
    if wanted.fields and isinstance(column.dtype, pl.Struct):
        there = column.struct.unnest()
        names = [f.name for f in wanted.fields]
        if there.columns != names:
            # Another member of a union has other fields.
            missing = [f for f in wanted.fields if f.name not in there.columns]
            nothing = [pl.lit(None, source_dtype(f)).alias(f.name) for f in missing]
            column = there.with_columns(nothing).select(names).to_struct(wanted.name)
    return column.gather(rows)


def _readable(declared: Field, value: Any) -> Any:
    """A value as templates and conditions read it: JSON text becomes what it says."""
    if isinstance(value, str) and declared.type.name == "json" and not declared.repeated and not declared.fields:
        return exact_document(value.encode())
    return value


def _comparable(fields: Sequence[Field], record: Mapping[str, Any]) -> dict[str, Any]:
    """A record whose numbers compare as numbers."""
    found = dict(record)
    for f in fields:
        value = found.get(f.name)
        if f.fields and not f.repeated and isinstance(value, dict):
            found[f.name] = _comparable(f.fields, value)
        elif f.type.name == "number" and isinstance(value, str):
            found[f.name] = float(value)
    return found


def _key(parent: str, name: str, values: Sequence[Any]) -> str:
    text = _encode([parent, name, list(values)])
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
