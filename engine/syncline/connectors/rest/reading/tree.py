"""A stream with what it is read for: a tree of listings, whose pages come in one order, each with its position.

`Once` reads a listing; `Each` reads one for every partition, which come from values or from the pages of a parent
stream (again one of the two). A partition's pages stay together and partitions keep their order, however many are read
at the same time, so that a position is a path: the page of parents, the partition on it, the page in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from syncline.connectors.rest.reading.cursors import MAX_PARTITIONS
from syncline.connectors.rest.reading.front import Front, noted
from syncline.connectors.rest.reading.partition import Partition, Product
from syncline.connectors.rest.reading.passes import Pass, unheard
from syncline.connectors.rest.reading.step import Step
from syncline.model.errors import SynclineError
from syncline.sdk.batch import Malformed, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from syncline.connectors.rest.reading.fan import Fan
    from syncline.connectors.rest.reading.fetching import Fetcher
    from syncline.connectors.rest.reading.incremental import Progress
    from syncline.connectors.rest.reading.listing import Listing
    from syncline.connectors.rest.reading.partition import Parents, Values
    from syncline.connectors.rest.reading.trial import Trial
    from syncline.sdk.http import Request


class Reading(Protocol):
    """Reads a stream from a position to the end."""

    @property
    def listing(self) -> Listing:
        """The listing whose records they are."""

    def begin(self, position: Position | None, *, incremental: bool) -> Position | None:
        """The position as it is when reading begins, with bounds that depend on the time."""

    def steps(self, position: Position | None, *, incremental: bool) -> Iterator[Step]:
        """What is read from a position on, in order."""


class Use(Struct, frozen=True):
    """What passes run with: the API's client, the time, a bound of requests under way; waiting for a host, and a client
    for files at other hosts, which has no credentials. `trial`: where nothing of what is read is kept, what was made
    for it.
    """

    client: Fetcher
    now: Callable[[], float]
    slots: AbstractContextManager[Any]
    pause: Callable[[Request, float, str], None]
    anonymous: Callable[[], Fetcher]
    notice: Callable[[str], None] = unheard
    trial: Trial | None = None


class Once(Struct, frozen=True):
    """Reads one listing. `fan`: in a thread ahead of who takes its pages."""

    listing: Listing
    use: Use
    fan: Fan | None = None

    def begin(self, position: Position | None, *, incremental: bool) -> Position | None:
        return self.listing.begin(position, incremental=incremental, now=self.use.now()).position()

    def steps(self, position: Position | None, *, incremental: bool) -> Iterator[Step]:
        progress = self.listing.begin(position, incremental=incremental, now=self.use.now())
        if nothing_left(progress, position):
            yield Step(progress.position(), last=True)
            return
        use = self.use
        ahead = self.fan is None
        reading = Pass(self.listing, use.client, progress, use.now, slots=use.slots, ahead=ahead, notice=use.notice)
        for page in self.fan.start(reading.pages()) if self.fan else reading.pages():
            yield Step(page.position, page=page, last=page.last)


def nothing_left(progress: Progress, position: Position | None) -> bool:
    """Whether a pass has ended as it begins, since no window is complete: its position is told of all the same."""
    return progress.ended and "done" not in (position or {})


class Given(Struct, frozen=True):
    """Partitions that are given."""

    partitions: Sequence[Partition]
    changed: bool = False


class ParentStream(Struct, frozen=True):
    """Partitions out of a parent stream, each with every combination of `times`. `changed`: only its records past its
    own cursor, in an incremental read. `group`: how many of them are read for together; 0: each by itself.
    """

    reading: Reading
    parents: Parents
    changed: bool
    times: tuple[Values, ...] = ()
    group: int = 0


Member = Given | ParentStream


def distinct(members: Sequence[Member]) -> tuple[Member, ...]:
    """The members, without what a list gives again that an earlier one gave."""
    lists = [member for member in members if isinstance(member, Given)]
    if len(lists) < 2:
        return tuple(members)
    met: set[str] = set()
    found: list[Member] = []
    for member in members:
        if not isinstance(member, Given):
            found.append(member)
            continue
        fresh = [partition for partition in member.partitions if partition.key not in met]
        met.update(partition.key for partition in fresh)
        found.append(Given(fresh))
    return tuple(found)


@dataclass(slots=True)
class _Unit:
    """A page of parents, or as many pages as a group of them takes: all that a position is before or after.

    `met` are keys of parents that were read for already.
    """

    member: ParentStream
    met: frozenset[str]
    malformed: tuple[Malformed, ...] = ()
    notes: tuple[str, ...] = ()
    unsure: str = ""
    _runs: list[list[Partition]] = field(default_factory=list)
    _around: str | None = None

    @property
    def full(self) -> bool:
        """Whether there are enough parents."""
        return sum(map(len, self._runs)) >= self.member.group

    def take(self, step: Step) -> None:
        """Takes in a step of the parents' read."""
        self.malformed += step.malformed
        self.notes += step.notes
        self.unsure = self.unsure or step.unsure
        if step.page is None:
            return
        self.malformed += step.page.malformed
        self.notes += step.page.notes
        self.unsure = self.unsure or step.page.unsure
        member = self.member
        around = step.around
        found = member.parents.of(member.reading.listing.decoding.frame(step.page.records), around)
        if around.key != self._around or not self._runs:
            self._around = around.key
            self._runs.append([])
        self._runs[-1] += [parent for parent in found if parent.key not in self.met]

    def partitions(self, known: Callable[[Partition], Position | None]) -> Sequence[Partition]:
        """
        What is read for them. `known` is where each would go on: those that are new are groups of their own, so that
        nothing is read from the start for others. Those that were read are one group wherever they go on.
        """
        if not self.member.group:
            return [parent for run in self._runs for parent in run]
        found: list[Partition] = []
        for run in self._runs:
            read: list[Partition] = []
            new: list[Partition] = []
            for parent in run:
                (new if known(parent) is None else read).append(parent)
            for parents in (read, new):
                found += self.member.parents.together(parents, self.member.group)
        return found


class _Part(Struct, frozen=True):
    """A partition that is read: where it is among those of its member. `steps` have its own positions."""

    member: int
    unit: Position | None
    index: int
    partition: Partition
    steps: Iterator[Step]


class _UnitEnd(Struct, frozen=True):
    """The end of a page of parents: the position after it. `keep`: as of the step of its parents."""

    after: Position | None
    malformed: tuple[Malformed, ...] = ()
    notes: tuple[str, ...] = ()
    unsure: str = ""
    keep: bool = False


class _MemberEnd(Struct, frozen=True):
    """The end of a member: the position that its parents were read to, and what came on the last page of them."""

    after: Position | None
    malformed: tuple[Malformed, ...] = ()
    notes: tuple[str, ...] = ()
    unsure: str = ""


_Item = _Part | _UnitEnd | _MemberEnd


class Each(Struct, frozen=True):
    """
    Reads a listing for each partition of its members, one member after the other. `by`: how one is read that isn't by
    pages alone, such as by a job; then they are read one after the other. `again`: the numbers of members whose parents
    later ones may give again: none is read for twice.
    """

    listing: Listing
    use: Use
    members: tuple[Member, ...]
    fan: Fan
    by: Callable[[Partition], Reading] | None = None
    again: frozenset[int] = frozenset()

    @property
    def stay(self) -> bool:
        """Whether partitions that a pass doesn't come to keep their cursors."""
        return any(member.changed for member in self.members)

    def begin(self, position: Position | None, *, incremental: bool) -> Position | None:
        del incremental
        return position

    def steps(self, position: Position | None, *, incremental: bool) -> Iterator[Step]:
        front = Front.of(position, len(self.members), incremental=incremental, now=self.use.now())
        front.timed = self.listing.cursor is not None and self.listing.cursor.relative
        if front.done:
            return
        with closing(self._ahead(replace(front), front)) as items:
            for item in items:
                match item:
                    case _Part():
                        yield from self._part(front, item)
                    case _UnitEnd(after, malformed, notes, unsure, keep):
                        front.turn(after)
                        yield Step(front.position(), malformed=malformed, notes=notes, unsure=unsure, keep=keep)
                    case _MemberEnd(after, malformed, notes, unsure):
                        front.leave(after if incremental and self.members[front.member].changed else None)
                        yield Step(front.position(), malformed=malformed, notes=notes, unsure=unsure)
        if front.unmet:
            self.use.notice(
                f"{self.listing.name}: more than {MAX_PARTITIONS:,} partitions of one member of `for`, so that those "
                "which come again in a later one are read again"
            )
        front.finish(self.listing.cursor, stay=self.stay)
        if front.cursors.many:
            most = f"{MAX_PARTITIONS:,}"
            self.use.notice(f"{self.listing.name}: more than {most} partitions, so one cursor serves all of them")
        yield Step(front.position(), last=True)

    def _part(self, front: Front, part: _Part) -> Iterator[Step]:
        front.enter(part.unit, part.index, part.partition.key)
        if front.member in self.again:
            front.meet(part.partition.cursors)
        for step in part.steps:
            front.move(part.partition, step.position, last=step.last, cursor=self.listing.cursor)
            yield Step(front.position(), part.partition, step.page, keep=step.keep)

    def _ahead(self, start: Front, front: Front) -> Generator[_Item, None, None]:
        """
        Items in order, with so many partitions begun as are read at the same time. What comes after something to be
        kept isn't begun before that was taken.
        """
        feed = self._items(start, front)
        queue: deque[_Item] = deque()
        failure: SynclineError | None = None
        low, high = (self.fan.width * 2, self.fan.width * 4) if self.fan.width > 1 else (1, 1)
        open_, ended, held = 0, False, False
        while True:
            if open_ < low:
                while not ended and not held and open_ < high:
                    try:
                        item = next(feed, None)
                    except SynclineError as error:
                        item, failure = None, error
                    if item is None:
                        ended = True
                        break
                    queue.append(item)
                    open_ += isinstance(item, _Part)
                    held = isinstance(item, _UnitEnd) and item.keep
            if not queue:
                break
            item = queue.popleft()
            yield item
            open_ -= isinstance(item, _Part)
            held = held and bool(queue)
        if failure is not None:
            # What came before the failure was handed over first.
            raise failure

    def _items(self, start: Front, front: Front) -> Iterator[_Item]:
        # What is known to be met is ahead of what `front` has come to.
        met = {number: dict(keys) for number, keys in start.met.items()}
        for number in range(start.member, len(self.members)):
            member = self.members[number]
            at = start if number == start.member else None
            before = frozenset(key for other, keys in met.items() if other < number for key in keys)
            if isinstance(member, Given):
                yield from self._parts(front, number, None, member.partitions, at)
                yield _MemberEnd(None)
            else:
                for item in self._of_parents(front, number, member, at, before):
                    if isinstance(item, _Part) and number in self.again:
                        noted(met, number, item.partition.cursors)
                    yield item

    def _of_parents(
        self, front: Front, number: int, member: ParentStream, at: Front | None, met: frozenset[str]
    ) -> Iterator[_Item]:
        incremental = front.incremental and member.changed
        known = at.unit if at is not None and at.unit is not None else front.parents[number] if incremental else None
        reading = member.reading
        before = reading.begin(known, incremental=incremental)
        unit = _Unit(member, met)
        for step in reading.steps(before, incremental=incremental):
            unit.take(step)
            if not (step.last or step.keep or unit.full):
                continue
            partitions = Product(unit.partitions(partial(self._known, front, member)), member.times)
            yield from self._parts(front, number, before, partitions, at)
            if step.last:
                yield _MemberEnd(step.position, unit.malformed, unit.notes, unit.unsure)
                return
            yield _UnitEnd(step.position, unit.malformed, unit.notes, unit.unsure, step.keep)
            unit = _Unit(member, met)
            before, at = step.position, None
        yield _MemberEnd(before)

    @staticmethod
    def _known(front: Front, member: ParentStream, parent: Partition) -> Position | None:
        """Where a parent's first partition goes on."""
        partitions = Product((parent,), member.times)
        return front.known(partitions[0], None) if len(partitions) else None

    def _parts(
        self,
        front: Front,
        number: int,
        unit: Position | None,
        partitions: Sequence[Partition],
        at: Front | None,
    ) -> Iterator[_Item]:
        first, inside = at.found(partitions) if at is not None else (0, None)
        for index in range(first, len(partitions)):
            partition = partitions[index]
            cursor = self.listing.cursor
            known = inside if index == first and inside is not None else front.known(partition, cursor)
            yield _Part(number, unit, index, partition, self._begun(partition, known, front))

    def _start(self, front: Front) -> Position | None:
        """
        Where a partition is read from that wasn't before. A start that is relative to now is the same for all of a
        pass, and stays what it was when that goes on.
        """
        cursor = self.listing.cursor
        if cursor is None or not cursor.relative:
            return None
        return self.listing.begin(None, incremental=front.incremental, now=front.cursors.began).position()

    def _begun(self, partition: Partition, known: Position | None, front: Front) -> Iterator[Step]:
        known = self._start(front) if known is None else known
        if self.by is not None:
            return self.by(partition).steps(known, incremental=front.incremental)
        use = self.use
        progress = self.listing.begin(known, incremental=front.incremental, now=use.now())
        if nothing_left(progress, known):
            return iter((Step(progress.position(), last=True),))
        reading = Pass(
            self.listing, use.client, progress, use.now, partition=partition, slots=use.slots, notice=use.notice
        )
        pages = self.fan.start(reading.pages())
        return (Step(page.position, page=page, last=page.last) for page in pages)
