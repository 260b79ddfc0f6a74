"""Sets records of people aside who were erased: neither rows nor rejects come of them.

What is kept of a person is a keyed hash of each text that tells them, and a tag of a few bits, keyed as well, that
columns are searched by: only where a tag fits is a hash made. Where nobody is suppressed there is nothing to look for.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, unquote_plus

import polars as pl
from msgspec import Struct, structs

from syncline.executor.batches.holds import holds_over
from syncline.mapping.expression import Current, Get, reads
from syncline.mapping.keyed import derived
from syncline.mapping.lower import Lowering, as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from syncline.executor.flows.applied import Applied
    from syncline.mapping.columns import Columns, Mapped
    from syncline.mapping.expression import Expression
    from syncline.model.suppression import Suppression
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.batch import Batch, Malformed
    from syncline.secrets.keys.ring import KeyRing
    from syncline.state.store import StateReader

#: What texts stand between when a tag is made of their first and last bytes.
_PAD: Final = "\0" * 8
_WORD: Final = (1 << 64) - 1
#: Bytes of a hash: among billions of records and thousands of people, none is taken for another.
_SIZE: Final = 16
#: What parts a record that can't be parsed, into fields and into words, and a URL in it.
_FIELDS: Final = re.compile(r"[,;|\t\r\n]")
_WORDS: Final = re.compile(r"[\s,;|\"'<>()\[\]{}=:]+")
_PIECES: Final = re.compile(r"[\s,;|\"'<>()\[\]{}=:/?&#]+")


@dataclass(frozen=True, slots=True)
class Marks:
    """Who isn't to come back, of one kind of people: hashes and tags of what tells them."""

    key: bytes = field(repr=False)
    factors: tuple[int, int] = field(repr=False)
    hashes: frozenset[bytes] = frozenset()
    tags: frozenset[int] = frozenset()

    @classmethod
    def of(cls, hash_key: bytes, kind: str) -> Marks:
        """Nobody, under a tenant's key for hashes."""
        made = derived(hash_key, f"suppress/{kind}", 48)
        first, last = (int.from_bytes(made[at : at + 8]) | 1 for at in (32, 40))
        return cls(made[:32], (first, last))

    def with_kept(self, data: bytes) -> Marks:
        """With what `dumps` gave."""
        found = json.loads(data)
        return replace(
            self,
            hashes=self.hashes | {bytes.fromhex(text) for _, text in found},
            tags=self.tags | {tag for tag, _ in found},
        )

    def dumps(self, texts: Iterable[str], before: bytes | None = None) -> bytes:
        """What is kept of somebody, to be sealed, with what is kept of them already."""
        known = {(tag, text) for tag, text in (json.loads(before) if before else ())}
        found = known | {(self.tag(text.encode()), self._hash(text.encode()).hex()) for text in texts}
        return json.dumps(sorted(found), separators=(",", ":")).encode()

    def meets(self, text: str) -> bool:
        """Whether a text tells one of them."""
        data = text.encode("utf-8", "surrogatepass")
        return self.tag(data) in self.tags and self._hash(data) in self.hashes

    def rows(self, texts: pl.Series) -> list[int]:
        """In which rows of a column of texts one of them is told."""
        tags = pl.Series(sorted(self.tags), dtype=pl.UInt64)
        fits = texts.to_frame("text").select(self.tagged(pl.col("text")).is_in(tags.implode())).to_series()
        at = fits.fill_null(value=False).arg_true()
        found = zip(at.to_list(), texts.gather(at).to_list(), strict=True)
        return [row for row, text in found if self._hash(text.encode()) in self.hashes]

    def tag(self, data: bytes) -> int:
        """16 bits of the first and last bytes of a text, and 16 of its length."""
        first, last = (int.from_bytes(part, "little") for part in (data[:8], data[-8:].rjust(8, b"\0")))
        word = (first * self.factors[0] & _WORD) ^ (last * self.factors[1] & _WORD)
        return (word >> 48 << 16) | min(len(data), 0xFFFF)

    def tagged(self, text: pl.Expr) -> pl.Expr:
        """The same of a column."""
        padded = pl.concat_str(pl.lit(_PAD), text, pl.lit(_PAD)).cast(pl.Binary)
        first, last = (padded.bin.slice(at, 8).bin.reinterpret(dtype=pl.UInt64, endianness="little") for at in (8, -16))
        word = (first * pl.lit(self.factors[0], pl.UInt64)) ^ (last * pl.lit(self.factors[1], pl.UInt64))
        return word // (1 << 48) * (1 << 16) + text.str.len_bytes().clip(upper_bound=0xFFFF).cast(pl.UInt64)

    def _hash(self, data: bytes) -> bytes:
        return blake2b(data, key=self.key, digest_size=_SIZE).digest()


class _Looked(Struct, frozen=True):
    """Where one kind of people is told: by a target field, and by the source field that it is taken from."""

    marks: Marks
    field: str
    source: pl.Expr | None
    columns: Columns

    def in_source(self, frame: pl.DataFrame) -> list[int]:
        """The records of a batch whose source field tells one of them."""
        return self.marks.rows(frame.select(self.source.alias("text"))["text"]) if self.source is not None else []

    def in_target(self, frame: pl.DataFrame) -> list[int]:
        """The rows of a mapped batch whose field tells one of them."""
        return self.marks.rows(frame[self.field].cast(pl.String))

    def in_rejected(self, frame: pl.DataFrame, rows: Sequence[int]) -> Iterator[int]:
        """Of some records that were rejected, those whose field would tell one of them."""
        mapped = self.columns.apply(frame[list(rows)])
        for row in self.in_target(mapped.frame):
            yield rows[row if mapped.rows is None else mapped.rows[row]]


class Taken(Struct, frozen=True):
    """What is left of a batch and of what was mapped of it; `frame` has the rows that are set aside."""

    batch: Batch
    mapped: Mapped
    count: int = 0
    frame: pl.DataFrame | None = None


class Suppressor(Struct, frozen=True):
    """Sets aside, in one run."""

    looked: tuple[_Looked, ...]

    def take(self, batch: Batch, mapped: Mapped, dead: pl.Series | None) -> Taken:
        """
        Takes out what is about people who aren't to come back: it counts as skipped. `dead` tells the rows of a mapped
        batch that are tombstones, which delete what may still be there.
        """
        source = {row for looked in self.looked for row in looked.in_source(batch.frame)}
        target = {row for looked in self.looked for row in looked.in_target(mapped.frame)}
        rejected = sorted({reject.row for reject in mapped.rejects})
        if rejected:
            source.update(row for looked in self.looked for row in looked.in_rejected(batch.frame, rejected))
        unread = [found for found in batch.malformed if self._names(found)]
        if not (source or target or unread):
            return Taken(batch, mapped)
        rows = pl.Series(range(mapped.frame.height), dtype=pl.UInt32) if mapped.rows is None else mapped.rows
        out = rows.is_in(sorted(source))
        if target:
            out |= pl.Series(range(mapped.frame.height)).is_in(sorted(target))
        if dead is not None:
            out &= ~dead
        rejects = tuple(reject for reject in mapped.rejects if reject.row not in source)
        aside = mapped.frame.filter(out)
        gone = aside.height + len(mapped.rejects) - len(rejects)
        left = structs.replace(
            mapped,
            frame=mapped.frame.filter(~out),
            rows=rows.filter(~out),
            rejects=rejects,
            skipped=mapped.skipped + gone,
        )
        return Taken(_without(batch, unread), left, gone + len(unread), aside)

    def names(self, text: str) -> bool:
        """Whether one of them is told by a field or a word of a text that can't be parsed, also as a URL has it."""
        texts, ways = {text, unquote(text), unquote_plus(text)}, (_FIELDS, _WORDS, _PIECES)
        parts = {part.strip(" \"'") for one in texts for way in ways for part in way.split(one)}
        return any(looked.marks.meets(part) for part in parts for looked in self.looked)

    def _names(self, found: Malformed) -> bool:
        return self.names(found.raw)


def _without(batch: Batch, unread: Sequence[Malformed]) -> Batch:
    """The batch without some of what couldn't be parsed, of which nobody knows whose record it is."""
    if not unread:
        return batch
    return structs.replace(
        batch,
        malformed=tuple(found for found in batch.malformed if found not in unread),
        skipped=batch.skipped + len(unread),
        unsure=batch.unsure or f"{unread[0].place} can't be read",
    )


def suppressor_of(
    reader: StateReader, ring: Callable[[], KeyRing], applied: Applied, item: CompiledFlow, columns: Columns, root: Path
) -> Suppressor | None:
    """
    What sets aside in a run of a flow; None where nobody is suppressed whom its mapping tells.

    Under a legal hold the flow goes on as it was: what is written may not be lost.
    """
    kinds, tenant = item.compiled.spec.subject, item.flow.key.tenant
    found = reader.suppressed(tenant, sorted(kinds)) if kinds else ()
    if not found or any(holds_over(applied, item, root, dt.datetime.now(dt.UTC).date())):
        return None
    keys = ring()
    hash_key = keys.tenant_hash_key(tenant)
    looked = []
    for kind, name in sorted(kinds.items()):
        marks = Marks.of(hash_key, kind)
        for suppression in found:
            if suppression.kind == kind and suppression.sealed is not None:
                marks = marks.with_kept(opened(keys, suppression))
        if marks.hashes:
            looked.append(_Looked(marks, name, _source_text(columns, name), columns.of_fields((name,))))
    return Suppressor(tuple(looked)) if looked else None


def aad(request: str) -> str:
    """What a suppression is sealed for."""
    return f"suppressions/{request}"


def opened(keys: KeyRing, suppression: Suppression) -> bytes:
    """What is kept of a person; nothing once it is lifted."""
    return keys.unseal(suppression.tenant, suppression.sealed, aad(suppression.id)) if suppression.sealed else b"[]"


def _source_text(columns: Columns, name: str) -> pl.Expr | None:
    """The text of the source field that a target field is taken from."""
    expression = next((f.expression for f in columns.compiled.fields if f.name == name), None)
    paths = set(reads(expression)) if expression is not None else set()
    if len(paths) != 1:
        return None
    found: Expression = Current()
    for step in next(iter(paths)):
        found = Get(found, step)
    column = Lowering(columns.source).value(found)
    return None if column.type.repeated or column.type.fields else as_text(column)
