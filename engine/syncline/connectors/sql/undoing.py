"""Undoing what a run wrote to a table: all of its batches, newest first, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.connectors.sql.images import Images
from syncline.connectors.sql.reversal import Reversal
from syncline.model.errors import Invalid
from syncline.sdk.chapters import together
from syncline.sdk.reversal import Undoing, Undone

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.connectors.sql.database import Database
    from syncline.connectors.sql.ledger import Ledger


class _TakenBack(Exception):
    """No error: it ends a transaction without a commit."""


def undo(database: Database, ledger: Ledger, check: Callable[[], None], undoing: Undoing) -> Undone:
    """See `Reversing.undo`; `check` raises where somebody else has the flow by now."""
    images, found = Images(database), Undone()
    kept = images.of(undoing.run)
    if kept is None:
        raise Invalid(f"nothing is kept of run {undoing.run}", code="SYN761")
    reversal = Reversal(database, kept.table)
    reversal.prepare()
    try:
        with database.transaction():
            reversal.begin()
            if (held := images.hold(undoing.run)) != undoing.batches:
                raise Invalid(
                    f"of run {undoing.run}, {held:,} batches are kept, and {undoing.batches:,} were written",
                    code="SYN761",
                )
            for image in images.read(undoing.run, undoing.open):
                found += reversal.undo(image)
                undoing.advanced(found.deleted + found.restored + found.touched + found.gone)
            found += reversal.end()
            undoing.advanced(found.deleted + found.restored + found.touched + found.gone)
            images.drop(undoing.run)
            check()
            ledger.save(undoing.flow, undoing.by, together(undoing.checkpoint(found), {}, anew=True))
            if undoing.dry:
                raise _TakenBack
    except _TakenBack:
        pass
    return found
