"""Drift: what is really at a flow's destination against what its last run left there. Nothing is changed.

An `actor` took away or altered what runs had written; the `contract` with the source is broken, as the last run found;
`noise` is there besides (see `model/drift.py`). What is declared and not applied yet is no drift: `plan` shows that.
"""

from __future__ import annotations

from contextlib import closing
from itertools import takewhile
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.executor.batches.at_rest import copy_of
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.flows.sealed_ledger import ledgers
from syncline.kinds.sync import SOFT_MARK, SyncSpec
from syncline.manifests.demands.reactions import ROWS
from syncline.model.condition import SOURCE_CHANGED
from syncline.model.drift import Finding, ObjectDrift, can_heal
from syncline.model.errors import SynclineError, Waiting
from syncline.model.event import Action, EventOutcome
from syncline.model.key import ObjectKey
from syncline.model.run import UNDOING
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.destination import Target
from syncline.sdk.observation import Difference, Observation, Observing

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.destination import Destination
    from syncline.state.store import RunRecord

#: Finished runs that are looked at for one that wrote rows.
_LOOKED_AT = 20


class FlowDrift(ObjectDrift, frozen=True):
    """What was found of a flow, at its destination `to`.

    `appends`: reading everything again would write every row that is still there once more. `rows` is what there is to
    say of rows that were compared with the source, or weren't, where that was asked for.
    """

    appends: bool = False
    rows: str = ""

    @property
    def healable(self) -> bool:
        """Whether reading everything again would bring back all that differs."""
        return not self.appends and can_heal(self)


def heals(found: FlowDrift) -> bool:
    """
    Whether a flow is to be healed: all that differs can be brought back, the reaction to any of it says so, and none of
    it is to be adopted.
    """
    return found.healable and not found.adopts and any(finding.reaction == "heal" for finding in found.acted)


def runs_again(found: FlowDrift) -> bool:
    """Whether a flow is to be tried again whose source wasn't as declared."""
    return any(finding.cause == "contract" and finding.reaction == "heal" for finding in found.findings)


def observe_flow(engine: Engine, key: ObjectKey) -> FlowDrift:
    """
    Looks at the destination of an applied flow, under its lease so that no run is halfway through a change.

    What keeps it from looking is told in the result; `Invalid` where the flow isn't applied.
    """
    item = engine.applied().flow(key)
    found = FlowDrift(key, item.flow.spec.to, appends=item.flow.spec.write == "append")
    store = engine.facilities.store
    copy = copy_of(store, key)
    runs = store.runs(key, _LOOKED_AT)
    if copy is None or not runs:
        return replace(found, unknown="it has not run yet")
    contract = _contract(runs[0])
    if not all(result.allowed for result in engine.decide(item, engine.applied())):
        return replace(found, findings=contract, unknown="policy denies it")
    try:
        with store.lease(f"run/{key}", ""):
            findings = _at_destination(engine, item, Checkpoint.loads(copy), runs)
    except Waiting:
        return replace(found, findings=contract, unknown="a run is under way")
    except SynclineError as error:
        return replace(found, findings=contract, unknown=f"{error.code} {error.message}", error=error)
    return replace(found, findings=(*findings, *contract))


def _at_destination(
    engine: Engine, item: CompiledFlow, known: Checkpoint, runs: tuple[RunRecord, ...]
) -> tuple[Finding, ...]:
    facilities, flow = engine.facilities, item.flow
    opener = engine.opener(item, engine.applied(), facilities.settings, engine.resolve, facilities.keep)
    opener.ledgers = ledgers(facilities)
    target = Target(known.flow, known.run, flow.target.stream, _table(item), flow.spec.write)
    outcome, seen = EventOutcome.failure, 0
    try:
        with closing(opener.destination()) as destination:
            findings = _position(destination, known) + _content(destination, target, item, runs)
        outcome, seen = EventOutcome.success, len(findings)
        return findings
    finally:
        recorder = facilities.recorder
        used = recorder.secret_uses(flow.key, opener.secrets.names)
        recorder.record([*used, recorder.event(Action.drift_observe, outcome=outcome, key=flow.key, differences=seen)])


def _position(destination: Destination, known: Checkpoint) -> tuple[Finding, ...]:
    """Whether the destination still has the checkpoint that the state has a copy of, or a later one."""
    saved = destination.checkpoint(known.flow)
    if saved is None:
        if not known.sequence and not known.done:
            return ()  # it was stopped before its first commit
        message = "it is gone: the next run reads everything"
        return (Finding("actor", "checkpoint", message, lost=True),)
    there = Checkpoint.loads(saved)
    # The copy may be some commits behind, never ahead.
    if (there.started, there.sequence) < (known.started, known.sequence):
        message = f"it is of run {there.run}, older than {known.run}: was the destination restored from a backup?"
        return (Finding("actor", "checkpoint", message, lost=True),)
    return ()


def _content(
    destination: Destination, target: Target, item: CompiledFlow, runs: tuple[RunRecord, ...]
) -> tuple[Finding, ...]:
    if not isinstance(destination, Observing):
        return ()
    seen: Observation = destination.observe(target)
    # What was undone is gone by right.
    runs = tuple(takewhile(lambda run: run.trigger != UNDOING, runs))
    if known_gone := not any(run.counts.written for run in runs):
        # Nothing was written that could be gone: the table may never have been made.
        seen = replace(seen, differences=tuple(d for d in seen.differences if d.change != "gone"))
    findings = tuple(_finding(difference) for difference in seen.differences)
    deletes = isinstance(item.flow.spec, SyncSpec) and item.flow.spec.deletes != "ignore"
    if seen.empty and not known_gone and not deletes and all(finding.cause == "noise" for finding in findings):
        written = next(run.counts.written for run in runs if run.counts.written)
        findings = (Finding("actor", ROWS, f"all are gone; {written:,} were written", lost=True), *findings)
    return findings


def _finding(difference: Difference) -> Finding:
    if difference.change == "extra":
        return Finding("noise", difference.place, difference.message)
    lost = difference.change == "gone"
    return Finding("actor", difference.place, difference.message, lost=lost, fits=difference.fits)


def _contract(last: RunRecord) -> tuple[Finding, ...]:
    """What the last run found of its source, where that ended it."""
    if last.error_code not in SOURCE_CHANGED:
        return ()
    return (Finding("contract", "source", f"run {last.id}: {last.error}"),)


def _table(item: CompiledFlow) -> Schema:
    spec = item.flow.spec
    if isinstance(spec, SyncSpec) and spec.deletes == "soft":
        return replace(item.target, fields=(*item.target.fields, Field(SOFT_MARK, DataType("timestamp"))))
    return item.target
