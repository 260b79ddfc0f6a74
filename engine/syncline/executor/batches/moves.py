"""What a run of a flow moves: columns of its source to those of a table, and who looks at each batch on the way.

It is the same in a run and in whatever tries one: a rehearsal, a forecast, a comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import structs

from syncline.executor.batches.absence import Absence, absence_of
from syncline.executor.batches.cutoff import Cutoff, cutoff_of
from syncline.executor.batches.prepare import Preparer
from syncline.executor.batches.suppressor import Suppressor, suppressor_of
from syncline.executor.batches.tombstones import Tombstones, tombstones_of

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.executor.batches.watch import Watch
    from syncline.executor.flows.applied import Applied
    from syncline.kinds.sync import Control
    from syncline.mapping.columns import Columns
    from syncline.model.schema import Schema
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.destination import Limits, Writer
    from syncline.secrets.keys.ring import KeyRing
    from syncline.state.store import StateReader


@dataclass(frozen=True, slots=True)
class Moves:
    """
    `target` is the table, with its key and the mark of rows that are deleted softly; `keyed`: rows are told by the key.

    `watch`: policy for what turns up; `tombstones`: some records delete; `absence`: what the read lacks is deleted;
    `suppressor`: some people aren't to come back; `cutoff`: what is too old isn't written.
    """

    columns: Columns
    target: Schema
    keyed: bool
    watch: Watch
    tombstones: Tombstones | None
    absence: Absence | None
    suppressor: Suppressor | None
    cutoff: Cutoff | None

    @property
    def mark(self) -> str:
        """The column that says which rows are deleted; '' where they go."""
        return self.tombstones.mark if self.tombstones is not None else ""

    def preparer(
        self,
        writer: Writer | Limits | None,
        *,
        control: Control | None = None,
        strict: bool = False,
        sweeps: bool = False,
    ) -> Preparer:
        """Makes batches ready for a writer. `sweeps`: what is absent is found out as well."""
        return Preparer(
            self.columns,
            self.target,
            self.keyed,
            writer,
            strict=strict,
            tombstones=self.tombstones,
            control=control,
            absence=self.absence if sweeps else None,
            watch=self.watch,
            suppressor=self.suppressor,
            cutoff=self.cutoff,
        )


def moves_of(
    item: CompiledFlow,
    applied: Applied,
    columns: Columns,
    watch: Watch,
    reader: StateReader,
    ring: Callable[[], KeyRing],
    root: Path,
) -> Moves:
    """What a flow moves that begins now. `Denied` (SYN516) for columns that policy forbids."""
    watch.source(columns)
    flow = item.flow
    tombstones = tombstones_of(flow, columns)
    target = structs.replace(columns.target, key=flow.target_key)
    if tombstones is not None:
        target = tombstones.target(target)
    return Moves(
        columns,
        target,
        flow.spec.write != "append" and bool(target.key),
        watch,
        tombstones,
        absence_of(flow, columns),
        suppressor_of(reader, ring, applied, item, columns, root),
        cutoff_of(applied, item, root),
    )
