"""The checkpoint of a flow: what the destination keeps, in one transaction with the data it covers.

It is enough to continue a killed run exactly: the source's position, the records accounted for so far, and the digest
chains. `basis` is the `planner.position.position_digest` it was made under; with another, the position doesn't apply.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from syncline.executor.batches.chapters import Chapters, Growing, files_of, of_files, over, read
from syncline.executor.batches.sums import added
from syncline.model.errors import Invalid
from syncline.model.run import Counts, FileCounts, with_counts
from syncline.sdk.chapters import apart, together

_VERSION = 1
#: Of a text that isn't whole without its chapters: earlier programs are to refuse it.
_IN_CHAPTERS = 2
#: The digest of a chain that nothing was added to.
START = "0" * 64
#: Notes that a checkpoint holds at most: it is written with every batch.
MAX_NOTES = 10


class Checkpoint(Struct, frozen=True):
    """
    Where a run stands after batch `sequence` (0: before the first).

    `flow` is the name that it is kept under; `position` is the source's, None at the start; `before` the position that
    the run started from. `done` marks a run that read everything. Digests are chains, as `model.run.Receipt` says;
    `mapping` is the digest of the mapping that its rows were made with. `notes` are the first of those that batches
    came with, `further` counts the others. `restored`, in the state's copy only: the next run goes back to it. `sums`
    are those that control totals ask for, exactly, as text. `unsure` says why what the run didn't come to may be there
    all the same. `noted` are the batches, from the first one on without a gap, whose keys the destination noted.
    `files` has the records of each file, where the source tells of which one they are. `left_out` counts rows that were
    sent and aren't there: see `sdk.destination.Written`. `chapters` is what the destination keeps beside it.
    """

    flow: str
    run: str
    basis: str
    sequence: int = 0
    position: dict[str, Any] | None = None
    before: dict[str, Any] | None = None
    counts: Counts = Counts()
    read_digest: str = START
    written_digest: str = START
    done: bool = False
    mapping: str = ""
    resumed: int = 0
    started: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    further: int = 0
    restored: bool = False
    sums: dict[str, str] = field(default_factory=dict)
    unsure: str = ""
    noted: int = 0
    files: dict[str, FileCounts] = field(default_factory=dict)
    left_out: int = 0
    chapters: Chapters = Chapters()

    def dumps(self) -> str:
        """As compact JSON, whole."""
        return _text({"version": _VERSION, **_plain(self)})

    def kept(self) -> str:
        """As the destination keeps it: without what is in its chapters, until the run is done."""
        chapters = self.chapters
        if self.done or not chapters.count:
            return together(self.dumps(), {}, anew=bool(chapters.count or chapters.anew))
        since, done = chapters.since or self._growing().since(chapters.told), _finished(self.position)
        short = replace(self, before=since.before, files=since.files)
        plain = {"version": _IN_CHAPTERS, **_plain(short), "chapters": (chapters.first, chapters.last)}
        if done is not None:
            plain |= {"position": {**(self.position or {}), "done": None}, "finished": since.done}
        return together(_text(plain), {chapters.last: chapters.fresh} if chapters.fresh else {}, anew=chapters.anew)

    def turned(self) -> Checkpoint:
        """With one more chapter, where it has become long."""
        return replace(self, chapters=self.chapters.turned(self._growing()))

    def settled(self) -> Checkpoint:
        """Once the destination has it."""
        return replace(self, chapters=self.chapters.settled())

    def _growing(self) -> Growing:
        return Growing(_finished(self.position) or {}, self.files, self.before)

    @classmethod
    def loads(cls, text: str) -> Checkpoint:
        """Reads it back, with its chapters; `Invalid` for what this version didn't write."""
        try:
            head, _, there = apart(text)
            data = json.loads(head)
            version = data.pop("version")
            if version != (_IN_CHAPTERS if "chapters" in data else _VERSION):
                msg = "another version"
                raise ValueError(msg)
            notes = tuple(data.get("notes", ()))
            if "chapters" in data:
                chapters, finished = read(there, data.pop("chapters")), data.pop("finished", None)
                whole = chapters.told + Growing(finished or {}, files_of(data.get("files", {})), data["before"])
                data |= {"before": whole.before, "files": whole.files}
                if finished is not None:
                    data["position"] |= {"done": whole.done}
            else:
                chapters = over(there)
                data["files"] = files_of(data.get("files", {}))
            return cls(**{**data, "counts": Counts(**data["counts"]), "notes": notes, "chapters": chapters})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Invalid(
                f"the checkpoint at the destination can't be read ({error})",
                code="SYN705",
                help="It was written by another version of Syncline; run with --full-refresh to start over.",
            ) from error

    def advance(
        self,
        *,
        position: dict[str, Any] | None,
        counts: Counts,
        read: bytes,
        written: bytes,
        notes: tuple[str, ...] = (),
        sums: Mapping[str, Decimal] | None = None,
        unsure: str | None = None,
        file: str = "",
    ) -> Checkpoint:
        """
        The checkpoint after one more batch; `read` and `written` are the SHA-256 of its bytes. `unsure` is None where
        its keys aren't noted.
        """
        room = max(MAX_NOTES - len(self.notes), 0)
        # A sum that was asked for only after the run began is not known.
        known = {name: more for name, more in (sums or {}).items() if not self.sequence or name in self.sums}
        return replace(
            self,
            sequence=self.sequence + 1,
            position=position,
            counts=self.counts + counts,
            read_digest=chain(self.read_digest, read),
            written_digest=chain(self.written_digest, written),
            notes=(*self.notes, *notes[:room]),
            further=self.further + len(notes[room:]),
            sums=added(self.sums, known),
            unsure=self.unsure or unsure or "",
            noted=self.noted + (unsure is not None and self.noted == self.sequence),
            # Of a run that began without, what came before isn't known.
            files=with_counts(self.files, file, counts) if file and (self.files or not self.sequence) else self.files,
        )

    def told(self) -> tuple[str, ...]:
        """The notes for a receipt, the last of which says how many others there were."""
        return (*self.notes, f"{self.further:,} more answers had such a note") if self.further else self.notes


_FIELDS = Checkpoint.__struct_fields__
_SELDOM = ("restored", "noted", "files", "left_out")


def _finished(position: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The files that a position says are finished; None of one that has something else there, or nothing."""
    done = position.get("done") if position is not None else None
    return done if isinstance(done, Mapping) and None not in done.values() else None


def _plain(checkpoint: Checkpoint) -> dict[str, Any]:
    """What every text has, but for its version; nothing of what there isn't."""
    plain = {name: getattr(checkpoint, name) for name in _FIELDS if name != "chapters"}
    plain |= {"counts": checkpoint.counts.to_json(), "files": of_files(checkpoint.files)}
    return {name: value for name, value in plain.items() if value or name not in _SELDOM}


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def chain(previous: str, digest: bytes) -> str:
    """dₙ = SHA-256(dₙ₋₁ ‖ batch digest), in hex."""
    return hashlib.sha256(bytes.fromhex(previous) + digest).hexdigest()
