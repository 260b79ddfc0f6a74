"""A stream with what it is read for: a tree of listings, whose pages come in one order, each with its position.

`Once` reads a listing; `Each` reads one for every partition, which come from values or from the pages of a parent
stream (again one of the two). A partition's pages stay together and partitions keep their order, however many are read
at the same time, so that a position is a path: the page of parents, the partition on it, the page in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from syncline.connectors.rest.cursors import MAX_PARTITIONS
from syncline.connectors.rest.front import Front
from syncline.connectors.rest.partition import WHOLE, Partition, Product
from syncline.connectors.rest.passes import PageRead, Pass, unheard
from syncline.model.errors import SynclineError
from syncline.sdk.batch import Malformed, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from syncline.connectors.rest.fan import Fan
    from syncline.connectors.rest.fetching import Fetcher
    from syncline.connectors.rest.listing import Listing
    from syncline.connectors.rest.partition import Parents, Values
    from syncline.connectors.rest.trial import Trial


@dataclass(frozen=True, slots=True)
class Step:
    """Progress of a read: a page of a partition, or malformed parents whose own records can't be read, or nothing but
    another position. `last`: it is the end. `keep`: the position has to be kept before anything else is done, and the
    step after it isn't asked for until it is. `notes` and `unsure` are those of pages of parents.
    """

    position: Position
    partition: Partition = WHOLE
    page: PageRead | None = None
    malformed: tuple[Malformed, ...] = ()
    last: bool = False
    keep: bool = False
    notes: tuple[str, ...] = ()
    unsure: str = ""


class Reading(Protocol):
    """Reads a stream from a position to the end."""

    @property
    def listing(self) -> Listing:
        """The listing whose records they are."""

    def begin(self, position: Position | None, *, incremental: bool) -> Position | None:
        """The position as it is when reading begins, with bounds that depend on the time."""

    def steps(self, position: Position | None, *, incremental: bool) -> Iterator[Step]:
        """What is read from a position on, in order."""


@dataclass(frozen=True, slots=True)
class Use:
    """What passes run with: the API's client, the time, a bound of requests under way; waiting, and a client for files
    at other hosts, which has no credentials. `trial`: where nothing of what is read is kept, what was made for it.
    """

    client: Fetcher
    now: Callable[[], float]
    slots: AbstractContextManager[Any]
    sleep: Callable[[float], None]
    anonymous: Callable[[], Fetcher]
    notice: Callable[[str], None] = unheard
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class Once:
    """Reads one listing. `fan`: in a thread ahead of who takes its pages."""

    listing: Listing
    use: Use
    fan: Fan | None = None

    def begin(self, position: Position | None, *, incremental: bool) -> Position | None:
        return self.listing.begin(position, incremental=incremental, now=self.use.now()).position()

    def steps(self, position: Position | None, *, incremental: bool) -> Iterator[Step]:
        progress = self.listing.begin(position, incremental=incremental, now=self.use.now())
        use = self.use
        ahead = self.fan is None
        reading = Pass(self.listing, use.client, progress, use.now, slots=use.slots, ahead=ahead, notice=use.notice)
        for page in self.fan.start(reading.pages()) if self.fan else reading.pages():
            yield Step(page.position, page=page, last=page.last)


@dataclass(frozen=True, slots=True)
class Given:
    """Partitions that are given."""

    partitions: Sequence[Partition]
    changed: bool = False


@dataclass(frozen=True, slots=True)
class ParentStream:
    """Partitions out of a parent stream, each with every combination of `times`. `changed`: only its records past its
    own cursor, in an incremental read.
    """

    reading: Reading
    parents: Parents
    changed: bool
    times: tuple[Values, ...] = ()


Member = Given | ParentStream


@dataclass(frozen=True, slots=True)
class _Part:
    """A partition that is read: where it is among those of its member. `steps` have its own positions."""

    member: int
    unit: Position | None
    index: int
    partition: Partition
    steps: Iterator[Step]


@dataclass(frozen=True, slots=True)
class _UnitEnd:
    """The end of a page of parents: the position after it. `keep`: as of the step of its parents."""

    after: Position | None
    malformed: tuple[Malformed, ...] = ()
    notes: tuple[str, ...] = ()
    unsure: str = ""
    keep: bool = False


@dataclass(frozen=True, slots=True)
class _MemberEnd:
    """The end of a member: the position that its parents were read to, and what came on the last page of them."""

    after: Position | None
    malformed: tuple[Malformed, ...] = ()
    notes: tuple[str, ...] = ()
    unsure: str = ""


_Item = _Part | _UnitEnd | _MemberEnd


@dataclass(frozen=True, slots=True)
class Each:
    """
    Reads a listing for each partition of its members, one member after the other. `by`: how one is read that isn't by
    pages alone, such as by a job; then they are read one after the other.
    """

    listing: Listing
    use: Use
    members: tuple[Member, ...]
    fan: Fan
    by: Callable[[Partition], Reading] | None = None

    @property
    def stay(self) -> bool:
        """Whether partitions that a pass doesn't come to keep their cursors."""
        return any(member.changed for member in self.members)

    def begin(self, position: Position | None, *, incremental: bool) -> Position | None:
        del incremental
        return position

    def steps(self, position: Position | None, *, incremental: bool) -> Iterator[Step]:
        front = Front.of(position, len(self.members), incremental=incremental, now=self.use.now())
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
        front.finish(self.listing.cursor, stay=self.stay)
        if front.cursors.many:
            most = f"{MAX_PARTITIONS:,}"
            self.use.notice(f"{self.listing.name}: more than {most} partitions, so one cursor serves all of them")
        yield Step(front.position(), last=True)

    def _part(self, front: Front, part: _Part) -> Iterator[Step]:
        front.enter(part.unit, part.index, part.partition.key)
        for step in part.steps:
            front.move(part.partition.key, step.position, last=step.last, cursor=self.listing.cursor)
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
        for number in range(start.member, len(self.members)):
            member = self.members[number]
            at = start if number == start.member else None
            if isinstance(member, Given):
                yield from self._parts(front, number, None, member.partitions, at)
                yield _MemberEnd(None)
            else:
                yield from self._of_parents(front, number, member, at)

    def _of_parents(self, front: Front, number: int, member: ParentStream, at: Front | None) -> Iterator[_Item]:
        incremental = front.incremental and member.changed
        known = at.unit if at is not None and at.unit is not None else front.parents[number] if incremental else None
        reading = member.reading
        before = reading.begin(known, incremental=incremental)
        decoding = reading.listing.decoding
        for step in reading.steps(before, incremental=incremental):
            malformed, notes, unsure = step.malformed, step.notes, step.unsure
            if step.page is not None:
                malformed += step.page.malformed
                notes += step.page.notes
                unsure = unsure or step.page.unsure
                parents = member.parents.of(decoding.frame(step.page.records), step.partition)
                partitions = Product(parents, member.times)
                yield from self._parts(front, number, before, partitions, at)
            if step.last:
                yield _MemberEnd(step.position, malformed, notes, unsure)
                return
            yield _UnitEnd(step.position, malformed, notes, unsure, step.keep)
            before, at = step.position, None
        yield _MemberEnd(before)

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
            known = inside if index == first and inside is not None else front.known(partition.key)
            yield _Part(number, unit, index, partition, self._begun(partition, known, front))

    def _begun(self, partition: Partition, known: Position | None, front: Front) -> Iterator[Step]:
        if self.by is not None:
            return self.by(partition).steps(known, incremental=front.incremental)
        use = self.use
        progress = self.listing.begin(known, incremental=front.incremental, now=use.now())
        reading = Pass(
            self.listing, use.client, progress, use.now, partition=partition, slots=use.slots, notice=use.notice
        )
        pages = self.fan.start(reading.pages())
        return (Step(page.position, page=page, last=page.last) for page in pages)
