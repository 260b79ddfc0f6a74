"""Rows that differ, one by one, from what the source gives: found by reading it and comparing, without writing.

Whether a row was changed at the destination, or its record at the source since the last run, nobody can tell from
the two of them: both are told as what they are, a difference that reading everything again would end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.executor.drift.flow_drift import FlowDrift
from syncline.executor.previews.forecast import Forecaster
from syncline.manifests.demands.reactions import ROWS
from syncline.model.drift import Finding
from syncline.model.errors import Waiting
from syncline.model.event import Action
from syncline.planner.observed import Observed

if TYPE_CHECKING:
    from syncline.executor.engine import Engine


def with_rows(engine: Engine, found: FlowDrift, limit: int) -> FlowDrift:
    """What was found of a flow, with its rows compared: those of up to `limit` records, read from the start."""
    if found.unknown or found.acted:
        return found  # it can't be looked at, or what is missing is told already
    if found.appends:
        return replace(found, rows="rows that were appended have no key to be compared by")
    facilities, applied = engine.facilities, engine.applied()
    store = facilities.store
    observed = Observed(store.lineage, applied.serial, applied.objects)
    forecaster = Forecaster(
        applied.desired, applied.flows, facilities.settings, engine.resolve, store, observed, {}, limit, anew=True
    )
    try:
        with store.lease(f"run/{found.key}", ""):
            tried, secrets = forecaster.forecast(found.key)
    except Waiting:
        return replace(found, rows="not compared: a run is under way")
    recorder = facilities.recorder
    recorder.record([recorder.event(Action.run_preview, key=found.key, read=tried.counts.read, secrets=secrets)])
    if tried.problem or not tried.compared:
        return replace(found, rows=f"not compared: {tried.problem or tried.note}")
    counts = tried.counts
    of = f"of the {'' if tried.exact else 'first '}{counts.read:,} records of the source"
    differ = [f"{n:,} {what}" for n, what in ((counts.updated, "differ"), (counts.inserted, "are missing")) if n]
    if not differ:
        return replace(found, rows=f"rows {of} are as it gives them")
    message = f"{of}, {' and '.join(differ)}: changed here, or there since the last run"
    return replace(found, findings=(*found.findings, Finding("actor", ROWS, message, lost=True)))
