"""Control totals: what came with the data, against what a run came to."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from syncline.model.errors import Denied

if TYPE_CHECKING:
    from syncline.executor.batches.checkpoint import Checkpoint
    from syncline.kinds.sync import Guards


def differences(guards: Guards, end: Checkpoint) -> Iterator[str]:
    """How what a run came to differs from its control totals."""
    control = guards.control
    if control is None:
        return
    if control.records is not None and end.counts.read != control.records:
        yield f"{end.counts.read:,} records were read, and control.records is {control.records:,}"
    for name, text in control.sums.items():
        if name not in end.sums and end.counts.written:
            yield f"the sum of {name} isn't known: it was declared after the run began"
        elif (found := Decimal(end.sums.get(name, "0"))) != Decimal(text):
            yield f"the sum of {name} is {found:f}, and control.sums has {text}"


def check_control(guards: Guards, end: Checkpoint) -> None:
    """Denied where a run came to other totals than its control totals."""
    found = list(differences(guards, end))
    if found:
        rejected = f"; {end.counts.rejected:,} records were rejected" if end.counts.rejected else ""
        raise Denied(
            f"{'; '.join(found)}{rejected}",
            code="SYN717",
            help="Look whether the source is complete, and what was rejected. Totals of another delivery belong in the"
            " manifest: guards.control.",
        )


def confirmed(guards: Guards, end: Checkpoint) -> tuple[str, ...]:
    """A note for the receipt of a run that came to its control totals."""
    control = guards.control
    if control is None or any(differences(guards, end)):
        return ()
    records = [f"{control.records:,} records"] if control.records is not None else []
    sums = [f"the sum of {name} is {end.sums.get(name, '0')}" for name in control.sums]
    return (f"control totals hold: {', '.join([*records, *sums])}",) if records or sums else ()
