"""What a read of a stream comes to, step by step: a page of records, and how far the read is after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from syncline.connectors.rest.reading.partition import WHOLE, Partition, Values

if TYPE_CHECKING:
    from syncline.connectors.rest.reading.contract import Breach
    from syncline.sdk.batch import Malformed, Position, Span


class PageRead(Struct, frozen=True):
    """A page's records that are kept, and the position after them.

    `size` is the body's, in bytes; `last`: the pass ended with it. `skipped` counts those that a filter left
    out, or that are marked as deleted. `breach`: how all of its records break the contract. `notes` say what was wrong
    with it and accepted all the same. `unsure`: as of a `Batch`. `window`: of a calendar, that it was read for.
    """

    records: list[Any]
    spans: tuple[Span, ...]
    malformed: tuple[Malformed, ...]
    digest: str
    size: int
    position: Position
    last: bool
    skipped: int = 0
    breach: Breach | None = None
    notes: tuple[str, ...] = ()
    unsure: str = ""
    window: tuple[Values, ...] = ()

    @property
    def judged(self) -> int:
        """Records that belong to the pass, well-formed or not."""
        return len(self.records) + len(self.malformed)


class Step(Struct, frozen=True):
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

    @property
    def around(self) -> Partition:
        """What its page was read for: the partition, and the window of a calendar in it."""
        found = self.partition
        for values in self.page.window if self.page is not None else ():
            found = values.within(found, 0)
        return found
