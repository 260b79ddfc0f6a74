"""Control totals: what came with the data, against what a run came to. Sums are exact, and kept with the checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

import polars as pl

from syncline.model.errors import Denied

if TYPE_CHECKING:
    from syncline.executor.checkpoint import Checkpoint
    from syncline.kinds.sync import Control, Guards

#: Digits that sums are computed with: more than any column holds.
_DIGITS = 100


def sums_of(frame: pl.DataFrame, control: Control | None) -> dict[str, Decimal]:
    """The sums that the control totals ask for, of some rows."""
    if control is None:
        return {}
    return {name: _sum(frame[name]) for name in control.sums}


def added(before: Mapping[str, str], more: Mapping[str, Decimal]) -> dict[str, str]:
    """Sums as a checkpoint keeps them, with those of one more batch.

    >>> added({"balance": "0.10"}, {"balance": Decimal("0.2")})
    {'balance': '0.30'}
    """
    with localcontext(prec=_DIGITS):
        return {name: format(Decimal(before.get(name, "0")) + value, "f") for name, value in more.items()}


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


def _sum(column: pl.Series) -> Decimal:
    if column.is_empty():
        return Decimal(0)
    scale = column.dtype.scale if isinstance(column.dtype, pl.Decimal) else 0
    return Decimal(column.cast(pl.Decimal(38, scale)).sum() or 0)
