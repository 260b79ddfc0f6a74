"""What the planner needs of a state, as a text that may leave the house: a snapshot, and a state reader of one.

In it are the applied declarations, which flows have a position, and figures of their runs. Not in it, whatever the
state holds: positions themselves (they are values of records), rejects, logs, errors, tokens, ledgers. A declaration
names secrets and never has one.

The text is a line with the version and a line of canonical JSON (RFC 8785). It is read strictly: of one snapshot there
is one text, and a text with an unknown field is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct, field, to_builtins

from syncline.audit import canonical_json
from syncline.model.key import ObjectKey
from syncline.model.run import Counts, RunState
from syncline.model.tally import Tally
from syncline.planner.observed import Kept, observe, observe_kept
from syncline.state.empty import EmptyState
from syncline.state.store import AppliedObject, KeptPosition, MetricsPeriod, RunRecord, StateReader

VERSION: Final = "syncline/snapshot/v1"
#: Commits, the newest, of which a snapshot says how far back their positions are: what is gone back to mostly.
KEPT: Final = 5


class FlowFigures(Struct, frozen=True):
    """A flow that has a position: what its last finished run read (None: none has finished), counters of a week, and
    what its runs did to rows.
    """

    read: int | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    rows: Tally | None = None


class Snapshot(Struct, frozen=True):
    """A state at a serial. `taken` is RFC 3339 UTC; `program` is the version that took it; `kept` says of which commits
    which flows have a position to go back to.
    """

    taken: str
    program: str
    lineage: str
    serial: int
    revision: str
    plan: str
    environment: str
    objects: tuple[AppliedObject, ...]
    flows: Mapping[ObjectKey, FlowFigures]
    kept: Mapping[str, Mapping[ObjectKey, Kept]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The two lines of it."""
        plain = ("taken", "program", "lineage", "serial", "revision", "plan", "environment")
        data = {
            **{name: getattr(self, name) for name in plain},
            "objects": [_object_data(o) for o in self.objects],
            "flows": {str(key): _flow_data(figures) for key, figures in self.flows.items()},
        }
        if self.kept:
            data["kept"] = {c: {str(key): to_builtins(k) for key, k in kept.items()} for c, kept in self.kept.items()}
        return f"{VERSION}\n{canonical_json.dumps(data).decode()}\n"


def _flow_data(figures: FlowFigures) -> dict[str, object]:
    data: dict[str, object] = {"read": figures.read, "counters": dict(figures.counters)}
    return data if figures.rows is None else data | {"rows": to_builtins(figures.rows)}


def _object_data(applied: AppliedObject) -> dict[str, object]:
    data = {**to_builtins(applied), "key": str(applied.key)}
    if not applied.source:
        del data["source"]  # only where there are several
    return data


def take(reader: StateReader, taken: str, program: str) -> Snapshot:
    """A snapshot of what a reader reads, all of it at one serial."""
    while (seen := observe(reader)).serial != reader.serial():
        pass  # somebody applied meanwhile
    flows = {
        key: FlowFigures(seen.last_read.get(key), seen.counters.get(key, {}), seen.tally(key))
        for key in sorted(seen.cursors)
    }
    revision, plan = reader.applied_under()
    objects = tuple(seen.objects.values())
    commits = [commit for commit in reader.kept_revisions() if commit][:KEPT]
    found = {commit: observe_kept(reader, commit) for commit in commits}
    kept = {commit: positions for commit, positions in found.items() if positions}
    return Snapshot(taken, program, seen.lineage, seen.serial, revision, plan, seen.environment, objects, flows, kept)


class _Object(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    digest: str
    document: str
    place: str
    revision: str
    plan: str
    generation: int
    applied: str
    source: str = ""


class _Flow(msgspec.Struct, forbid_unknown_fields=True):
    read: int | None
    counters: dict[str, int]
    rows: Tally | None = None


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    basis: str
    taken: str
    runs: int
    read: int


class _Data(msgspec.Struct, forbid_unknown_fields=True):
    taken: str
    program: str
    lineage: str
    serial: int
    revision: str
    plan: str
    environment: str
    objects: list[_Object]
    flows: dict[str, _Flow]
    kept: dict[str, dict[str, _Kept]] = msgspec.field(default_factory=dict)


def parse(text: str) -> Snapshot:
    """Reads the text of a snapshot; ValueError says what is wrong with it."""
    version, _, body = text.partition("\n")
    if version != VERSION:
        raise ValueError(f"it begins with {version[:60]!a}, and this program reads {VERSION}")
    data = msgspec.json.decode(body, type=_Data)
    objects = [{**msgspec.structs.asdict(item), "key": ObjectKey.parse(item.key)} for item in data.objects]
    snapshot = Snapshot(
        taken=data.taken,
        program=data.program,
        lineage=data.lineage,
        serial=data.serial,
        revision=data.revision,
        plan=data.plan,
        environment=data.environment,
        objects=tuple(AppliedObject(**item) for item in objects),
        flows={
            ObjectKey.parse(key): FlowFigures(item.read, item.counters, item.rows) for key, item in data.flows.items()
        },
        kept={
            commit: {ObjectKey.parse(key): Kept(**msgspec.structs.asdict(item)) for key, item in kept.items()}
            for commit, kept in data.kept.items()
        },
    )
    if snapshot.text != text:
        raise ValueError("it isn't in canonical form")
    return snapshot


class SnapshotState(EmptyState):
    """A `StateReader` of a snapshot: it answers what the planner asks, as the state itself did then."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._objects = {applied.key: applied for applied in snapshot.objects}
        self.lineage = snapshot.lineage

    def serial(self) -> int:
        return self._snapshot.serial

    def objects(self, tenant: str | None = None) -> tuple[AppliedObject, ...]:
        return tuple(o for o in self._snapshot.objects if tenant in {None, o.key.tenant})

    def object(self, key: ObjectKey) -> AppliedObject | None:
        return self._objects.get(key)

    def cursors(self) -> dict[ObjectKey, str]:
        """Flows that have a position, without what it is."""
        return dict.fromkeys(self._snapshot.flows, "")

    def runs(self, key: ObjectKey | None = None, limit: int = 50) -> tuple[RunRecord, ...]:
        """Of a flow, one run that stands for the last one that finished."""
        found = self._snapshot.flows.get(key) if key else None
        if key is None or found is None or found.read is None or not limit:
            return ()
        counts = Counts(read=found.read)
        return (RunRecord("", key, RunState.succeeded, "", "", "", "", counts=counts, receipt={}),)

    def tally(self, key: ObjectKey) -> Tally | None:
        """Of a flow that has a position."""
        found = self._snapshot.flows.get(key)
        return found.rows if found else None

    def metrics(self, key: ObjectKey, limit: int = 168) -> tuple[MetricsPeriod, ...]:
        """Counters of a flow, as one period that stands for all of them."""
        found = self._snapshot.flows.get(key)
        return (MetricsPeriod(key, "", "", found.counters),) if found and limit else ()

    def applied_before(self, revision: str, source: str = "") -> str:  # noqa: ARG002 - of any
        """The applied revision; of what came before it, a snapshot knows nothing."""
        return self._snapshot.revision if self._snapshot.revision != revision else ""

    def positions(self, revision: str) -> dict[ObjectKey, KeptPosition]:
        """Flows that have a position to go back to, without what it is."""
        kept = self._snapshot.kept.get(revision, {})
        return {key: KeptPosition(json.dumps({"basis": k.basis}), k.taken, k.runs, k.read) for key, k in kept.items()}

    def environment(self) -> str:
        return self._snapshot.environment

    def applied_under(self, source: str | None = None) -> tuple[str, str]:  # noqa: ARG002 - of any
        return self._snapshot.revision, self._snapshot.plan
