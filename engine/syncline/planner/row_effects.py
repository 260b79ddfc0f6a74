"""How many rows a change is about: as runs have counted them, for no plan looks at a table unless it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.model.change import Effect, EffectKind

if TYPE_CHECKING:
    from syncline.manifests.flow import Flow
    from syncline.model.tally import Tally


def rows_of(flow: Flow, known: Tally | None) -> str:
    """
    What is known of how many rows a flow has in its table, and since when, for people.

    Of a table that was counted after the newest run it is that number; of one that each run writes whole, what the last
    one left; of any other, what all of them inserted and deleted.
    """
    table = f"{flow.target.integration.key.name}/{flow.target.stream}"
    if known is None:
        return f"how many rows {table} has isn't known until it is looked at"
    at = f"run ended at {known.ended[:19]}Z"
    if known.counted is not None:
        return f"{table} had {counted(known.counted, 'row')} when the last {at}"
    if known.left is not None and flow.spec.read == "full" and flow.spec.write != "append":
        return f"{table} had {counted(known.left, 'row')} of this flow when its last {at}"
    runs = counted(known.runs, "run") if known.whole else f"newest {counted(known.runs, 'run')}"
    moved = f"inserted {counted(known.inserted, 'row')}"
    if known.deleted:
        moved += f" and deleted {known.deleted:,}"
    return f"its {runs} {moved} in {table}, of which the last {at}"


def rows_left(before: Flow, after: Flow, known: Tally | None, *, elsewhere: bool) -> Effect:
    """How many rows are there when a flow starts over, and what becomes of them; `elsewhere`: it leaves their table."""
    then = "they stay, and what is read again is appended to them once more"
    if elsewhere:
        then = "they stay"
    elif after.spec.write == "replace":
        then = "all of them are replaced"
    elif after.spec.write == "upsert" or after.target.runtime == "rest":
        then = "they stay, and are written again where their records come again"
    return Effect(EffectKind.rows_counted, str(after.key), f"{rows_of(before, known)}; {then}", "state")


def rows_dropped(flow: Flow, known: Tally | None) -> Effect:
    """How many rows go with a table that is dropped."""
    return Effect(EffectKind.rows_counted, str(flow.key), f"{rows_of(flow, known)}; they go with it", "state")


def counted(number: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "row"), counted(1204, "row")
    ('1 row', '1,204 rows')
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
