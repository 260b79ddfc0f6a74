"""Going back to where a flow was under an earlier commit: whether its position fits, and what can't be undone.

A position is restored where reading again does no harm and means something: an incremental sync that updates rows by
key. Of one that appends, every row that was read since would come twice, so that it stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from syncline.kinds.sync import SyncSpec
from syncline.model.change import Effect, EffectKind
from syncline.planner.position import position_digest

if TYPE_CHECKING:
    from syncline.manifests.flow import Flow
    from syncline.planner.observed import Kept, Observed


def kept_of(before: Flow | None, after: Flow, observed: Observed) -> Kept | None:
    """The position that a flow goes back to; None where it stays, or has none that fits."""
    kept = observed.kept.get(after.key)
    if kept is None or (before is not None and before.key != after.key):
        return None
    spec = after.spec
    repeatable = isinstance(spec, SyncSpec) and spec.read == "incremental" and spec.write == "upsert"
    return kept if repeatable and kept.basis == position_digest(after) else None


def way_back(before: Flow | None, after: Flow, observed: Observed) -> Iterator[Effect]:
    """What going back does to a flow, and what it doesn't."""
    key, table = str(after.key), f"{after.target.integration.key.name}/{after.target.stream}"
    kept = kept_of(before, after, observed)
    if kept is not None:
        since = f"{kept.read:,} records in {kept.runs:,} runs" if kept.runs else "nothing"
        what = (
            f"its position goes back to where it was under {observed.back_to[:12]}, at {kept.taken}: since then it read"
        )
        yield Effect(EffectKind.cursor_restored, key, f"{what} {since}, which the next run reads again", "state")
        if after.target.runtime == "rest":
            left = f"what was sent to {table} since can't be taken back: records are sent again as they are mapped then"
        else:
            left = (
                f"rows of {table} that were written since stay until their records are read again; rows that were "
                "deleted since come back only if the source still gives them"
            )
        yield Effect(EffectKind.runs_changed, table, left, reversible=False)
    elif after.key in observed.kept and after.spec.write == "append":
        what = (
            f"its position stays, and so do rows that were appended to {table} since: reading again would double them"
        )
        yield Effect(EffectKind.runs_changed, key, what, "state", reversible=False)
