"""Keeps commitments to the rows of a run, so that one record's presence in it can be proved later (`audit/records.py`).

A file a batch, of 32 bytes a row, is written before the batch is committed: a batch that is repeated after a kill
writes its file again. The files are needed for proofs only, and are held against the run's root, which the log states.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from msgspec import Struct

from syncline.audit import records, tiles
from syncline.model.errors import Invalid
from syncline.sdk.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.executor.batches.checkpoint import Checkpoint
    from syncline.executor.batches.pipeline import Sink
    from syncline.executor.batches.prepare import Prepared
    from syncline.settings import Settings


def folder_of(settings: Settings, run: str) -> Path:
    """Where the commitments of a run are kept."""
    return settings.home / "records" / run


class Provable(Struct, frozen=True):
    """A sink that notes the rows of each batch before `sink` commits it. `key` is the run's (`records.run_key`)."""

    sink: Sink
    folder: Path
    key: bytes

    def commit(self, prepared: Prepared, before: Checkpoint, *, last: bool) -> Checkpoint:
        """Notes a batch, then commits it."""
        self.note(prepared, before)
        return self.sink.commit(prepared, before, last=last)

    def note(self, prepared: Prepared, before: Checkpoint) -> None:
        """Notes the rows of a batch; again, without those that turn out to be refused."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = records.leaves(lines(prepared.frame), self.key, before.sequence)
        write_whole(self.folder / str(before.sequence), [b"".join(found)])

    def foresee(self, prepared: Prepared) -> None:
        """Lets it hear of a batch before its turn."""
        self.sink.foresee(prepared)

    def set_aside(self, prepared: Prepared, before: Checkpoint) -> None:
        """Lets it keep the rejects of a batch that isn't committed."""
        self.sink.set_aside(prepared, before)


def lines(frame: pl.DataFrame) -> list[bytes]:
    """Each row as `records.canonical` has it, made by columns: names in order, values as texts."""
    if not frame.height:
        return []
    texts = [_text(name, frame.schema[name]) for name in sorted(frame.columns)]
    encoded = frame.select(pl.struct(texts).struct.json_encode().alias("row")).to_series()
    return [line.encode() for line in encoded.to_list()]


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as texts: bytes, which may be no text, in hex."""
    column = pl.col(name)
    return column.bin.encode("hex") if dtype == pl.Binary else column.cast(pl.String)


def root_of(folder: Path, batches: int) -> str:
    """The root of a run of so many batches, in hex; '' where the commitments of some of them aren't here."""
    try:
        return records.root(read(folder, batches)).hex()
    except FileNotFoundError:
        return ""


def read(folder: Path, batches: int) -> Iterator[list[bytes]]:
    """The leaf hashes of one batch after another; FileNotFoundError where some aren't here."""
    for number in range(batches):
        yield tiles.split_hashes((folder / str(number)).read_bytes())


def refuse_sending(key: object) -> Invalid:
    """What says that rows of this destination can't be proved."""
    return Invalid(
        f"{key}: records that are sent to an API can't be proved, as it refuses some only when they are sent",
        code="SYN913",
        help="Use evidence: digests.",
    )
