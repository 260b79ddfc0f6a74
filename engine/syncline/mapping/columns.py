"""A compiled mapping bound to the columns of a source: batches in, target columns and rejects out.

One batch goes through four passes, each over whole columns: values of all expressions; lookups and casts; completion
and checks; protection of what is good. Python sees a value only when no fast path of its cast could prove it.
Of a record that breaks several rules, the first field in the mapping's order is the one that is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl
from msgspec import Struct
from msgspec.structs import replace

from syncline.mapping import casts, jsontext
from syncline.mapping.checks import Rule
from syncline.mapping.compile import Compiled, CompiledField, compile_mapping
from syncline.mapping.lower import Column, Lowering, as_text
from syncline.mapping.protect import protected
from syncline.mapping.protection import KEYED
from syncline.mapping.types import scalar
from syncline.model.diagnostic import has_errors
from syncline.model.errors import Invalid
from syncline.model.run import Reason
from syncline.model.schema import STRING, Schema
from syncline.sdk.expressions import added, selected
from syncline.sdk.frame import target_dtype, target_frame_schema

#: Longest value that a reject shows, in characters.
VALUE_LENGTH = 200

#: Entries of a lookup up to which values are compared with each; polars joins a table, which takes a millisecond.
_COMPARED = 8

#: (row, rule, message)
Breach = tuple[int, str, str]
#: By row, what each of its fields breaks first.
_Broken = dict[int, list[tuple[str, Breach]]]


class Rejected(Struct, frozen=True):
    """A record set aside: its row in the source frame, the target field, the rule, the source value, and why.

    `also` is what is wrong with other fields of it.
    """

    row: int
    field: str
    rule: str
    value: str
    message: str
    also: tuple[Reason, ...] = ()


class Mapped(Struct, frozen=True):
    """A batch after the mapping: rows in = height of `frame` + rejects + skipped.

    `frame` has the good rows with exactly the target's columns; `rows` their indices in the source frame, None when
    they are all of them; `rejects` are ascending by row.
    """

    frame: pl.DataFrame
    rows: pl.Series | None
    rejects: tuple[Rejected, ...]
    skipped: int


class _Bound(Struct, frozen=True):
    """A field on real columns. `value` is None for a constant."""

    field: CompiledField
    value: Column | None
    faults: tuple[pl.Expr, ...]
    cast: casts.Cast | None

    @property
    def dtype(self) -> pl.DataType:
        return target_dtype(self.field.target.type)

    @property
    def raw(self) -> str:
        """The name of the column that holds the source value, apart from every legal field name."""
        return f"={self.field.name}"

    @property
    def fault(self) -> str:
        return f"!{self.field.name}"


def bind(compiled: Compiled, source: Schema, hash_key: bytes | None) -> Columns:
    """Binds a mapping to a source's real schema. Invalid lists what doesn't fit it.

    `hash_key` is the tenant's key for what is protected with one; Invalid when it is missing and needed.
    """
    # Compiled again over the columns that are really there: what was open before is known now.
    again = compile_mapping(compiled.manifest, Schema(source.fields, source.key))
    if has_errors(again.diagnostics):
        first = again.diagnostics[0]
        raise Invalid(
            f"{compiled.manifest.key} does not fit its source: {first.message}",
            code=first.code,
            diagnostics=again.diagnostics,
        )
    if hash_key is None and any(f.protection in KEYED for f in again.fields):
        raise Invalid(f"{compiled.manifest.key} protects fields with a key, and the tenant has none", code="SYN317")
    lowering = Lowering(source)
    where = lowering.truth(again.where) if again.where is not None else None
    where_faults, lowering.faults = tuple(lowering.faults), []
    bound = tuple(_bound(field, lowering) for field in again.fields)
    return Columns(again, source, bound, where, where_faults, hash_key, _passes(bound))


def _bound(field: CompiledField, lowering: Lowering) -> _Bound:
    if field.expression is None:
        return _Bound(field, None, (), None)
    value = lowering.value(field.expression)
    faults, lowering.faults = tuple(lowering.faults), []
    if field.lookup is not None:
        return _Bound(field, Column(as_text(value), scalar(STRING)), faults, None)
    return _Bound(field, value, faults, casts.cast_of(value.type, field.target))


class _Passes(Struct, frozen=True):
    """What each pass computes, over all fields; made once, since making expressions costs more than a small batch.

    `verdicts` are numbered as `rules`, each with the index of its field; so has each of `defaults`.
    """

    values: tuple[pl.Expr, ...]
    casts: tuple[pl.Expr, ...]
    defaults: tuple[tuple[int, pl.Expr], ...]
    rules: tuple[tuple[int, Rule], ...]
    verdicts: tuple[pl.Expr, ...]


def _passes(fields: Sequence[_Bound]) -> _Passes:
    rules = tuple((index, rule) for index, bound in enumerate(fields) for rule in bound.field.rules)
    verdicts = (
        satisfied(pl.col(fields[index].field.name), rule, fields[index].dtype).fill_null(value=True).alias(str(number))
        for number, (index, rule) in enumerate(rules)
    )
    defaults = (
        (index, pl.col(bound.field.name).fill_null(pl.lit(bound.field.default, dtype=bound.dtype)))
        for index, bound in enumerate(fields)
        if bound.field.default is not None
    )
    return _Passes(
        tuple(_values(fields)),
        tuple(_first_casts(fields)),
        tuple(defaults),
        rules,
        tuple(verdicts),
    )


def _values(fields: Sequence[_Bound]) -> Iterator[pl.Expr]:
    for bound in fields:
        if bound.value is not None:
            yield bound.value.expr.alias(bound.raw)
        if bound.faults:
            yield pl.any_horizontal(bound.faults).fill_null(value=False).alias(bound.fault)


def _first_casts(fields: Sequence[_Bound]) -> Iterator[pl.Expr]:
    for bound in fields:
        field, raw = bound.field, pl.col(bound.raw)
        if bound.value is None:
            yield pl.lit(field.const, dtype=bound.dtype).alias(field.name)
        elif field.lookup is not None:
            yield _looked_up(raw, field.lookup, bound.dtype).alias(field.name)
        elif bound.cast is not None:
            yield bound.cast.tiers[0](raw).cast(bound.dtype).alias(field.name)


def _looked_up(raw: pl.Expr, lookup: Mapping[str, Any], dtype: pl.DataType) -> pl.Expr:
    """What a lookup has for each value; null where it has nothing."""
    if len(lookup) > _COMPARED:
        keys, values = pl.Series(list(lookup), dtype=pl.String), pl.Series(list(lookup.values()), dtype=dtype)
        return raw.replace_strict(keys, values, default=None, return_dtype=dtype)
    found = pl.lit(None, dtype=dtype)
    for key, value in lookup.items():
        found = pl.when(raw == key).then(pl.lit(value, dtype=dtype)).otherwise(found)
    return found


class Columns(Struct, frozen=True):
    """A bound mapping. It holds no state between batches, and may be used from several threads."""

    compiled: Compiled
    source: Schema
    fields: tuple[_Bound, ...]
    where: pl.Expr | None
    where_faults: tuple[pl.Expr, ...]
    hash_key: bytes | None
    passes: _Passes

    @property
    def target(self) -> Schema:
        """The schema of `Mapped.frame`."""
        return self.compiled.target

    def apply(self, frame: pl.DataFrame) -> Mapped:
        """Maps one batch, whose columns are as the source's schema says."""
        chosen, positions, breaches, skipped = self._choose(frame)
        work = added(chosen, self.passes.values, self.passes.casts)
        target, broken = self._complete(work)
        broken |= breaches
        rows = positions
        if broken:
            good = ~pl.Series([False]).new_from_index(0, chosen.height).scatter(sorted(broken), values=True)
            target = target.filter(good)
            rows = positions.filter(good) if positions is not None else good.arg_true()
        return Mapped(self._protect(target), rows, self._rejects(work, broken, positions), skipped)

    def of_fields(self, names: Sequence[str]) -> Columns:
        """The same for some target fields of every record, whatever `where` says: what a tombstone still has."""
        fields = tuple(bound for bound in self.fields if bound.field.name in names)
        target = replace(self.target, fields=tuple(field for field in self.target.fields if field.name in names))
        compiled = replace(self.compiled, target=target)
        return replace(self, compiled=compiled, fields=fields, where=None, where_faults=(), passes=_passes(fields))

    def record_json(self, frame: pl.DataFrame, rows: Sequence[int]) -> list[str]:
        """The source records at these rows as JSON text with the exact digits of numbers."""
        return jsontext.record_json(frame, list(rows), self.source)

    def _choose(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series | None, _Broken, int]:
        """The rows for which `where` is true, their positions, those it can't be told of, and how many it drops."""
        if self.where is None:
            return frame, None, {}, 0
        names = ("=where", "!where")
        fault = pl.any_horizontal(self.where_faults) if self.where_faults else pl.lit(value=False)
        flags = frame.with_columns(self.where.alias(names[0]), fault.fill_null(value=False).alias(names[1])).select(
            names
        )
        kept = flags[names[0]] | flags[names[1]]
        if kept.all() and not flags[names[1]].any():
            return frame, None, {}, 0
        faulty = flags[names[1]].filter(kept).arg_true().to_list()
        message = "where holds a number that can't be compared exactly"
        breaches = {row: [("where", (row, "type", message))] for row in faulty}
        chosen = frame.filter(kept)
        return chosen, kept.arg_true(), breaches, frame.height - chosen.height

    def _complete(self, work: pl.DataFrame) -> tuple[pl.DataFrame, _Broken]:
        """Finishes casts and defaults, and finds the first breach of each field of a record."""
        finished: list[pl.Series] = []
        found: list[list[Breach]] = []
        for bound in self.fields:
            series, breaches = self._finished(bound, work, work.get_column(bound.field.name))
            finished.append(series)
            found.append(breaches)
        complete = pl.DataFrame(finished)
        if defaults := [fill for index, fill in self.passes.defaults if finished[index].null_count()]:
            complete = added(complete, defaults)
            finished = complete.get_columns()
        verdicts = self._verdicts(complete)
        broken: _Broken = {}
        for index, bound in enumerate(self.fields):
            breaches = found[index]
            if bound.field.required and finished[index].null_count():
                message = f"{bound.field.name} is required, and there is no value"
                breaches += [(row, "required", message) for row in finished[index].is_null().arg_true().to_list()]
            for rule, verdict in verdicts.get(index, ()):
                message = f"{bound.field.name} {rule.message}"
                breaches += [(row, rule.name, message) for row in (~verdict).arg_true().to_list()]
            for breach in breaches:
                known = broken.setdefault(breach[0], [])
                if not known or known[-1][0] != bound.field.name:  # what can't be cast is missing as well
                    known.append((bound.field.name, breach))
        return complete, broken

    def _finished(self, bound: _Bound, work: pl.DataFrame, series: pl.Series) -> tuple[pl.Series, list[Breach]]:
        field = bound.field
        breaches: list[Breach] = []
        if bound.faults:
            message = f"{field.name} holds a number that can't be computed with exactly"
            breaches += [(row, "type", message) for row in work[bound.fault].arg_true().to_list()]
        if bound.value is not None:
            raw = work.get_column(bound.raw)
            if field.lookup is not None and field.default is None and series.null_count() > raw.null_count():
                missed = (raw.is_not_null() & ~raw.is_in(list(field.lookup))).arg_true().to_list()
                breaches += [(row, "lookup", f"{field.name} has no entry for it in its lookup") for row in missed]
            if bound.cast is not None:
                series, misfits = casts.finish(raw, series, bound.cast)
                breaches += [(misfit.row, "type", f"{field.name} {misfit.message}") for misfit in misfits]
        return series, breaches

    def _verdicts(self, target: pl.DataFrame) -> Mapping[int, list[tuple[Rule, pl.Series]]]:
        if not self.passes.rules:
            return {}
        verdicts = selected(target, self.passes.verdicts).get_columns()
        found: dict[int, list[tuple[Rule, pl.Series]]] = {}
        for (index, rule), verdict in zip(self.passes.rules, verdicts, strict=True):
            if not verdict.all():
                found.setdefault(index, []).append((rule, verdict))
        return found

    def _protect(self, target: pl.DataFrame) -> pl.DataFrame:
        if not any(bound.field.protection for bound in self.fields):
            return target
        kept: list[pl.Series] = []
        for bound in self.fields:
            series, data_type = target[bound.field.name], bound.field.target.type
            if bound.field.protection != "drop":
                kept.append(protected(series, data_type, bound.field.protect, self.hash_key or b""))
        return pl.DataFrame(kept, schema=target_frame_schema(self.target)) if kept else target.select()

    def _rejects(self, work: pl.DataFrame, broken: _Broken, positions: pl.Series | None) -> tuple[Rejected, ...]:
        if not broken:
            return ()
        rows = sorted(broken)
        values = self._shown(work[rows], {name for breaches in broken.values() for name, _ in breaches})
        numbers = positions.gather(rows).to_list() if positions is not None else rows
        rejects = []
        for at, (row, number) in enumerate(zip(rows, numbers, strict=True)):
            first, *others = (
                Reason(name, rule, (values[name][at] if name in values else None) or "", message)
                for name, (_, rule, message) in broken[row]
            )
            rejects.append(Rejected(number, first.field, first.rule, first.value, first.message, tuple(others)))
        return tuple(rejects)

    def _shown(self, work: pl.DataFrame, names: set[str]) -> dict[str, list[Any]]:
        shown = [
            as_text(Column(pl.col(b.raw), b.value.type)).str.slice(0, VALUE_LENGTH).alias(b.field.name)
            for b in self.fields
            if b.value is not None and b.field.name in names
        ]
        return work.select(shown).to_dict(as_series=False) if shown else {}


def satisfied(values: pl.Expr, rule: Rule, dtype: pl.DataType) -> pl.Expr:
    """Whether values satisfy a rule; null for null."""
    match rule.name:
        case "min":
            return values >= pl.lit(rule.argument, dtype=dtype)
        case "max":
            return values <= pl.lit(rule.argument, dtype=dtype)
        case "minLength":
            return values.str.len_chars() >= pl.lit(rule.argument)
        case "maxLength":
            return values.str.len_chars() <= pl.lit(rule.argument)
        case "pattern" | "protect":
            return values.str.contains(rule.argument)
        case "format" if isinstance(rule.argument, str):
            sound = values.str.contains(rule.argument)
            return sound & ~values.str.contains(rule.never) if rule.never else sound
        case _:
            return values.is_in(pl.Series(list(rule.argument), dtype=dtype).implode())
