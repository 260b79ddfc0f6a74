"""What is known of runs that undo others: which runs they undid, and whether one is halfway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.model.errors import Stalled
from syncline.model.run import UNDOING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from syncline.state.store import RunRecord

#: Runs of an object that are looked at.
LOOKED_AT = 1_000


def undone(runs: Iterable[RunRecord]) -> dict[str, str]:
    """Of an object's runs, those that were undone, and by which."""
    return {run.parent: run.id for run in runs if run.trigger == UNDOING and run.receipt is not None}


def refuse_halfway(runs: Iterable[RunRecord]) -> None:
    """Raises `Stalled` (SYN763) where one of an object's open runs is to undo another."""
    for run in runs:
        if run.trigger == UNDOING:
            raise Stalled(
                f"undoing run {run.parent} of {run.key} was begun and isn't finished",
                code="SYN763",
                help=f"Go on with it: `syncline runs rollback {run.parent} --yes`.",
            )
