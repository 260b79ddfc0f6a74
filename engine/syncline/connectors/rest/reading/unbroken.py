"""A read ends before the records of pages that break the declared contract are written; see `contract.py`.

So that a few odd records at the end of a listing don't end it, `ENOUGH` of them in a row have to break it, over as many
pages as that takes. These pages are held back meanwhile, and the position before them is the one that is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.model.errors import Invalid, foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.connectors.rest.reading.contract import Breach
    from syncline.connectors.rest.reading.step import Step

#: Records in a row that break the contract in the same way, before the run is stopped.
ENOUGH = 10
#: The same where a read from the start had no other records: what is replaced would be replaced by nothing.
ENOUGH_OF_ALL = 2
#: Pages that are held back at most; pages without records count too.
_MAX_HELD = 100


def unbroken(steps: Iterator[Step], stream: str, *, fresh: bool) -> Iterator[Step]:
    """
    The steps of a read, as long as the contract is kept; `Invalid` (SYN424) before the first one that breaks it.

    `fresh`: it reads from the start.
    """
    held: list[Step] = []
    breach: Breach | None = None
    count, sound = 0, False
    for step in steps:
        page = step.page
        judged = page.judged if page is not None else 0
        found = page.breach if page is not None else None
        if judged and (found is None or (breach is not None and found.field != breach.field)):
            yield from held
            held, breach, count = [], None, 0
        sound = sound or (judged > 0 and found is None)
        if found is not None:
            breach, count = breach or found, count + judged
            if count >= ENOUGH:
                raise _broken(stream, breach, count)
        if breach is None:
            yield step
            continue
        held.append(step)
        if step.keep or len(held) >= _MAX_HELD:
            yield from held
            held, breach, count = [], None, 0
    if breach is not None and fresh and not sound and count >= ENOUGH_OF_ALL:
        raise _broken(stream, breach, count)
    yield from held


def _broken(stream: str, breach: Breach, count: int) -> Invalid:
    return Invalid(
        f"{foreign(breach.place)}: the records of stream {stream} are no longer as declared: {breach.field!a} is "
        f"{breach.declared}; in all of {count} records in a row: {breach.came}",
        code="SYN424",
        help="None of these records was written, and the position is before them. Correct the connector's schema or "
        "the mapping, apply, and run again. What records may lack isn't `required`; what has several types is `any`.",
    )
