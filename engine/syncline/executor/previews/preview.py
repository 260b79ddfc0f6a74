"""Dry runs: the first records of a declared flow, mapped; nothing is written or recorded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from syncline.executor.batches.moves import moves_of
from syncline.executor.batches.prepare import place_order
from syncline.executor.batches.rejects import shown
from syncline.executor.batches.watch import watch_of
from syncline.executor.flows.applied import Applied
from syncline.executor.flows.opening import Opener, bind_columns, hash_key_of, ring_of
from syncline.executor.previews.held import held
from syncline.executor.previews.waiting import batches, reading
from syncline.model.run import Counts, Reject
from syncline.sdk.destination import Target
from syncline.sdk.source import BATCH_ROWS

if TYPE_CHECKING:
    from syncline.executor.flows.instance import Resolve
    from syncline.manifests.desired import Desired
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import Flows
    from syncline.sdk.batch import Batch
    from syncline.settings import Settings
    from syncline.state.store import StateReader


class Preview(Struct, frozen=True):
    """What a run would write first: rows as plain values, rejects with their reasons, the counts, and the
    names of the secrets that were used. `notes` are what connectors told, and what was found in values and allowed.
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    rejects: tuple[Reject, ...]
    counts: Counts
    secrets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def first(batch: Batch, limit: int) -> Batch:
    """The first records of a batch, with what couldn't be parsed among them; what its source skipped is left out."""
    if batch.frame.height <= limit:
        return batch
    last: dict[str, int] = {}  # of each origin, the last number that is still in
    left = limit
    for span in batch.spans:
        last[span.uri] = span.first + left - 1 if span.count >= left else sys.maxsize
        left -= span.count
        if left <= 0:
            break
    malformed = []
    for found in batch.malformed:
        uri, number = place_order(found.place)
        if number <= last.get(uri, -1):
            malformed.append(found)
    return replace(batch, frame=batch.frame.head(limit), malformed=tuple(malformed), skipped=0)


def preview_flow(
    desired: Desired,
    flows: Flows,
    key: ObjectKey,
    settings: Settings,
    resolve: Resolve,
    reader: StateReader,
    limit: int,
) -> Preview:
    """
    Reads from the start of the source until `limit` records are mapped. The destination is asked for its columns only.

    `Denied` (SYN516) for what policy would end the run with, by these records.
    """
    applied = Applied(0, "", "", {}, desired, flows)
    item = applied.flow(key)
    # What doesn't fit is what it shows.
    opener = Opener(item, applied, settings, resolve, strict=False, trial=True, batch_rows=min(limit, BATCH_ROWS))
    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    counts = Counts()
    with reading(opener) as source:
        columns = bind_columns(item, source, hash_key_of(settings))
        watch = watch_of(item, applied, settings.root, partly=True)
        moves = moves_of(item, applied, columns, watch, reader, ring_of(settings), settings.root)
        limits = held(opener, Target(str(key), "", item.flow.target.stream, moves.target, item.flow.spec.write))
        preparer = moves.preparer(limits)
        for batch in batches(opener, source.read(None)):
            prepared = preparer.prepare(first(batch, limit - counts.read))
            counts += prepared.counts
            rows += prepared.frame.to_dicts()
            rejects += map(shown, prepared.rejects)
            if counts.read >= limit:
                break
        watch.settle(whole=counts.read < limit)
    used, notes = tuple(opener.secrets.names), (*opener.notices, *watch.notes)
    return Preview(item.target.names, tuple(rows), tuple(rejects), counts, used, notes)
