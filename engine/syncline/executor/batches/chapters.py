"""
Chapters of a checkpoint: which files are finished, with their records and digests, and where the run began.

A checkpoint is written with every batch. With all files in it, an import of 10,000 files would write 1.7 MB each time;
so what has come to more than `ROOM` is made a chapter, which is written once, and later texts say what came after it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from syncline.model.run import FileCounts

T = TypeVar("T")

#: What a text has of files at most, in characters; a chapter has little more than that.
ROOM = 4096


class Growing(Struct, frozen=True):
    """
    What a checkpoint has of files: the `done` of its position, their records, and the position that the run began from.
    A value of None is one that is gone. `before` is None where it isn't said.
    """

    done: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, FileCounts | None] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None

    def since(self, earlier: Growing) -> Growing:
        """What is to be added to `earlier` for it to be this."""
        same = earlier.before is not None
        return Growing(
            _since(earlier.done, self.done), _since(earlier.files, self.files), None if same else self.before
        )

    def __add__(self, later: Growing) -> Growing:
        """With what came later, in its place."""
        before = later.before if self.before is None else self.before
        return Growing(_added(self.done, later.done), _added(self.files, later.files), before)

    def to_json(self) -> dict[str, Any]:
        """Plain data, as short as can be."""
        plain = {"done": self.done, "files": of_files(self.files), "before": self.before}
        return {name: value for name, value in plain.items() if value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Growing:
        """What `to_json` gave."""
        return cls(data.get("done", {}), files_of(data.get("files", {})), data.get("before"))


class Chapters(Struct, frozen=True):
    """
    The chapters `first` to `last`, which together say `told`, and what was `since`, where that is known. `fresh` is the
    text of the last where the destination has that only with the next commit; `anew`: what it has so far is of no run
    that goes on, and goes with that commit.
    """

    first: int = 1
    last: int = 0
    told: Growing = Growing()
    since: Growing | None = None
    fresh: str = ""
    anew: bool = False

    @property
    def count(self) -> int:
        """How many there are."""
        return self.last - self.first + 1

    def turned(self, now: Growing) -> Chapters:
        """
        With one more, where what they don't tell of `now` has become long. Records of a file that is still read are
        others with the next batch.
        """
        since = now.since(self.told)
        more = replace(since, files={name: each for name, each in since.files.items() if name in now.done})
        if len(text := _text(more.to_json())) <= ROOM:
            return replace(self, since=since)
        still = {name: each for name, each in since.files.items() if name not in more.files}
        return replace(self, last=self.last + 1, told=self.told + more, since=Growing(files=still), fresh=text)

    def settled(self) -> Chapters:
        """Once a commit has come to the destination."""
        return replace(self, since=None, fresh="", anew=False) if self.count else Chapters()


def read(chapters: Mapping[int, str], span: tuple[int, int]) -> Chapters:
    """Chapters as they are kept; `ValueError` where it isn't those of `span` that are there."""
    first, last = span
    if sorted(chapters) != list(range(first, last + 1)):
        msg = f"of its chapters {first} to {last}, {len(chapters):,} are there"
        raise ValueError(msg)
    told = Growing()
    for number in sorted(chapters):
        told += Growing.from_json(json.loads(chapters[number]))
    return Chapters(first, last, told)


def over(there: Mapping[int, str]) -> Chapters:
    """None, for a run that has nothing of those that are there. They are numbered on: not all databases let a row go
    and come again in one transaction.
    """
    last = max(there, default=0)
    return Chapters(last + 1, last, anew=bool(there))


def of_files(files: Mapping[str, FileCounts | None]) -> dict[str, tuple[int, int, int] | None]:
    """Records of files as checkpoints have them."""
    return {name: None if each is None else (each.read, each.rejected, each.skipped) for name, each in files.items()}


def files_of(data: Mapping[str, Any]) -> dict[str, FileCounts]:
    """What `of_files` gave; `TypeError`, `ValueError` or `AttributeError` for anything else."""
    return {name: FileCounts(*map(int, each)) for name, each in data.items()}


def _since(earlier: Mapping[str, T], now: Mapping[str, T]) -> dict[str, T | None]:
    """The entries that are others than before, in their order, and None for those that are gone."""
    if _begins(earlier, now):
        return dict(islice(now.items(), len(earlier), None))
    changed = {name: value for name, value in now.items() if name not in earlier or earlier[name] != value}
    return {**changed, **{name: None for name in earlier if name not in now}}


def _begins(earlier: Mapping[str, T], now: Mapping[str, T]) -> bool:
    """Whether all that was before is there, in its place. It is the same objects, as a rule, so that this is fast."""
    count = len(earlier)
    same = list(islice(now, count)) == list(earlier)
    return same and list(islice(now.values(), count)) == list(earlier.values())


def _added(earlier: Mapping[str, T], later: Mapping[str, T]) -> dict[str, T]:
    """Entries with later ones, in the order in which they came to be as they are."""
    kept = dict(earlier)
    for name in later:
        kept.pop(name, None)
    return {**kept, **{name: value for name, value in later.items() if value is not None}}


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)
