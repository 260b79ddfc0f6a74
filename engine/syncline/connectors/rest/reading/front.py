"""How far a partitioned read has come, as a position: the page of parents, the partition on it, the page in that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from syncline.connectors.rest.reading.cursors import MAX_PARTITIONS, Cursors
from syncline.connectors.rest.reading.incremental import Cursor, foreign
from syncline.connectors.rest.reading.partition import Partition
from syncline.sdk.batch import Position


@dataclass(slots=True)
class Front:
    """The partition that is read, or was read last.

    `member` is the number of what the stream is read for; `unit` the position of its parents before their page with the
    partition; `index` the partition's place on that page and `last` its key; `inside` the position in it, None once it
    has ended, when `index` is the place of the next one. `parents` are where the parents of each member were read to in
    the last pass, for those that only go by what changed. `met` are keys of what was read of members that later ones
    may give again, by the member's number; `unmet`: there were more than are kept. `timed`: where partitions start is
    relative to when the pass began, which a read in full then keeps as well.
    """

    incremental: bool
    cursors: Cursors
    parents: list[Position | None]
    member: int = 0
    unit: Position | None = None
    index: int = 0
    last: str = ""
    inside: Position | None = None
    done: bool = False
    ended: bool = False
    met: dict[int, dict[str, None]] = field(default_factory=dict)
    unmet: bool = False
    timed: bool = False

    @classmethod
    def of(cls, position: Position | None, members: int, *, incremental: bool, now: float) -> Front:
        """Where a position is, or the begin of a new pass. `Invalid` (SYN434) for one that isn't of such a stream."""
        found = position or {}
        parents = found.get("parents", [None] * members)
        if position and (found.get("v") != 2 or not isinstance(parents, list) or len(parents) != members):
            raise foreign()
        front = cls(incremental, Cursors.of_position(found.get("cursors", {}), now), list(parents))
        front.done = bool(found.get("done"))
        at = found.get("at")
        if at is not None:
            front.member, front.unit, front.index = at.get("member", 0), at.get("unit"), at.get("index", 0)
            front.last, front.inside = at.get("last", ""), at.get("inside")
            front.met = {int(number): dict.fromkeys(keys) for number, keys in at.get("met", {}).items()}
        return front

    def position(self) -> Position:
        """As JSON data. What is empty is left out."""
        if self.ended and not self.incremental:
            return {"v": 2, "done": True}
        found: Position = {"v": 2}
        if self.incremental or self.timed:
            found["cursors"] = self.cursors.position()
        if any(parent is not None for parent in self.parents):
            found["parents"] = list(self.parents)
        if self.ended:
            return found
        met = {str(number): list(keys) for number, keys in self.met.items()}
        at = {
            "member": self.member,
            "unit": self.unit,
            "index": self.index,
            "last": self.last,
            "inside": self.inside,
            "met": met,
        }
        return found | {"at": {name: value for name, value in at.items() if value}}

    def known(self, partition: Partition, cursor: Cursor | None) -> Position | None:
        """The position that a partition is read from; None: from its start."""
        return self.cursors.of(partition.cursors, cursor) if self.incremental else None

    def meet(self, keys: Sequence[str]) -> None:
        """Notes what is read of the member, for later ones that may give it again."""
        self.unmet = not noted(self.met, self.member, keys) or self.unmet

    def found(self, partitions: Sequence[Partition]) -> tuple[int, Position | None]:
        """
        Where to go on among the partitions of the page that the position is on: the first one, and the position in it.

        Where the page isn't what it was, all of it is read again: records may come twice by that, none is lost.
        """
        at = self.index if self.inside is not None else self.index - 1
        if not self.last:
            return 0, None
        if at >= len(partitions) or partitions[at].key != self.last:
            return 0, None
        return self.index, self.inside

    def enter(self, unit: Position | None, index: int, key: str) -> None:
        """Goes to a partition."""
        self.unit, self.index, self.last, self.inside = unit, index, key, None

    def move(self, partition: Partition, position: Position, *, last: bool, cursor: Cursor | None) -> None:
        """Goes on inside a partition; with its last page, past it."""
        if not last:
            self.inside = position
            return
        self.inside = None
        self.index += 1
        if self.incremental and cursor is not None:
            self.cursors.ended(partition.cursors, position, cursor)

    def turn(self, unit: Position | None) -> None:
        """Goes past a page of parents, after which their position is `unit`."""
        self.unit, self.index, self.last, self.inside = unit, 0, "", None

    def leave(self, parents: Position | None) -> None:
        """Goes past a member; notes where its parents were read to, for the next pass."""
        self.parents[self.member] = parents
        self.member += 1
        self.turn(None)

    def finish(self, cursor: Cursor | None, *, stay: bool) -> None:
        """The pass has ended: the next one starts from new cursors."""
        self.ended = True
        if cursor is not None:
            self.cursors = self.cursors.next(cursor, stay=stay)


def noted(met: dict[int, dict[str, None]], member: int, keys: Sequence[str]) -> bool:
    """Adds keys to those of a member that were met, as long as there is room; whether there was.

    >>> met = {}
    >>> noted(met, 0, ["a", "b"]), met
    (True, {0: {'a': None, 'b': None}})
    """
    known = met.setdefault(member, {})
    room = MAX_PARTITIONS - len(known)
    new = [key for key in keys if key not in known]
    known.update(dict.fromkeys(new[:room]))
    return len(new) <= room
