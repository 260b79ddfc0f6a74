"""What a destination without transactions remembers between runs: checkpoints of flows, and ids of records.

An HTTP API can't keep a checkpoint in the transaction that writes the rows. The engine keeps it instead, after the
rows: what was written since the checkpoint is written again when a run was killed in between, by the same idempotency
key or by the id that the first attempt got. `docs/decisions/0012-writes-to-apis.md` has the whole argument.

A destination is given a ledger of its tenant with its `Instance`. Names of flows are as in `Target.flow`; a `place` is
what a stream of one system is called for ever (`RestDestination` makes it of URL, configuration and stream); keys are
digests of records' keys, so that no personal data is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from syncline.model.ledger import Known, Ledger, Mark

__all__ = ["Known", "Ledger", "Mark", "MemoryLedger"]


@dataclass(slots=True)
class MemoryLedger:
    """A ledger that lasts as long as its process: for tests of a destination.

    >>> ledger = MemoryLedger()
    >>> ledger.begin("acme/Sync/contacts", "epoch1").checkpoint is None
    True
    >>> ledger.save("acme/Sync/contacts", "checkpoint1", "crm contacts", {"k1": Known(id="17")})
    >>> ledger.mark("acme/Sync/contacts").checkpoint, ledger.known("crm contacts", ["k1", "k2"])
    ('checkpoint1', {'k1': Known(id='17', version='', digest='', pending='')})
    """

    marks: dict[str, Mark] = field(default_factory=dict)
    records: dict[tuple[str, str], Known] = field(default_factory=dict)
    effects: dict[str, frozenset[str]] = field(default_factory=dict)

    def mark(self, flow: str) -> Mark | None:
        """See `Ledger.mark`."""
        return self.marks.get(flow)

    def begin(self, flow: str, epoch: str) -> Mark:
        """See `Ledger.begin`."""
        return self.marks.setdefault(flow, Mark(epoch))

    def known(self, place: str, keys: Iterable[str]) -> dict[str, Known]:
        """See `Ledger.known`."""
        return {key: self.records[place, key] for key in keys if (place, key) in self.records}

    def applied(self, flow: str) -> frozenset[str]:
        """See `Ledger.applied`."""
        return self.effects.get(flow, frozenset())

    def progress(self, flow: str, place: str, records: Mapping[str, Known], applied: Iterable[str] = ()) -> None:
        """See `Ledger.progress`."""
        self.marks[flow] = replace(self.marks[flow], begun=True)
        self._put(place, records)
        self.effects[flow] = self.applied(flow).union(applied)

    def save(self, flow: str, checkpoint: str, place: str, records: Mapping[str, Known]) -> None:
        """See `Ledger.save`."""
        self.marks[flow] = replace(self.marks[flow], checkpoint=checkpoint, begun=False)
        self._put(place, records)
        self.effects.pop(flow, None)

    def drop(self, place: str, keys: Iterable[str]) -> None:
        """See `Ledger.drop`."""
        for key in keys:
            self.records.pop((place, key), None)

    def drop_ids(self, place: str, ids: Iterable[str]) -> None:
        """See `Ledger.drop_ids`."""
        gone = set(ids)
        self.records = {at: known for at, known in self.records.items() if at[0] != place or known.id not in gone}

    def forget(self, flow: str) -> None:
        """See `Ledger.forget`."""
        self.marks.pop(flow, None)
        self.effects.pop(flow, None)

    def move(self, previous: str, flow: str) -> None:
        """See `Ledger.move`."""
        if previous in self.marks:
            self.marks[flow] = self.marks.pop(previous)
            self.effects[flow] = self.effects.pop(previous, frozenset())

    def _put(self, place: str, records: Mapping[str, Known]) -> None:
        self.records.update({(place, key): known for key, known in records.items()})
