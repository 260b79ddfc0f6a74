"""Runs syncs and imports, one after another, under a lease of each; what they share is compiled once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.executor.access.admission import admitted, tenant_spec
from syncline.executor.batches.watch import Watch, facts_in, watch_of
from syncline.executor.flows.applied import Applied, Latest, read_applied
from syncline.executor.flows.opening import Opener, bind_columns
from syncline.executor.key_age import renew_key
from syncline.executor.outcome import outcome
from syncline.executor.progress import Progress
from syncline.executor.run import Run
from syncline.executor.work import RunResult, Work
from syncline.model.errors import Stalled, SynclineError
from syncline.policy.check import Verdicts
from syncline.policy.decisions import Decided
from syncline.policy.rule import Subjects
from syncline.state.store import RunRecord

if TYPE_CHECKING:
    from syncline.executor.flows.instance import Resolve
    from syncline.executor.services.facilities import Facilities
    from syncline.manifests.desired import Desired
    from syncline.mapping.columns import Columns
    from syncline.model.plan import PolicyResult
    from syncline.model.schema import Schema
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.keep import Keep
    from syncline.sdk.source import Source
    from syncline.settings import Settings
    from syncline.state.store import StateStore


#: Is told of each run that ended: the store as that run may change it, what was applied when it began, its record, and
#: what it failed with.
Ended = Callable[["StateStore", Applied, RunRecord, "SynclineError | None"], None]


def untold(store: StateStore, applied: Applied, record: RunRecord, error: SynclineError | None) -> None:
    """Tells nobody."""
    del store, applied, record, error


def unasked(work: Work) -> None:
    """Asks nobody before a run."""
    del work


class _Judged(Struct, frozen=True):
    """What policy decided of these declarations, also by what it is about."""

    desired: Desired
    decided: Decided
    verdicts: Verdicts


@dataclass(slots=True)
class Engine:
    """
    Runs flows, one after another or several at once; what is applied is read again only when the state's serial moved.

    `opener` opens both ends of a flow; `ended` is told how each run ended, `before` that one is about to begin. What is
    kept is kept by what it was made from: a run that began before an apply never gets what belongs to the one after it,
    nor the other way round.
    """

    facilities: Facilities
    resolve: Resolve
    opener: Callable[[CompiledFlow, Applied, Settings, Resolve, Keep], Opener] = Opener
    ended: Ended = untold
    before: Callable[[Work], None] = unasked
    _applied: Applied | None = None
    _judged: _Judged | None = None
    _columns: dict[tuple[str, str, Schema], Columns] = field(default_factory=dict)
    # One thread reads or decides, and those that ask meanwhile wait for it: each would take as much time and memory.
    _reading: Lock = field(init=False)
    _deciding: Lock = field(init=False)

    def __post_init__(self) -> None:
        self._reading, self._deciding = Lock(), Lock()

    def applied(self, serial: int | None = None) -> Applied:
        """What is applied now; `serial` is the state's, where that was just read."""
        known = self._applied
        if known is None or self._outdated(known, serial):
            with self._reading:
                known = self._applied
                if known is None or self._outdated(known, None):
                    known = read_applied(self.facilities.store, self.facilities.keep.shared(Latest), known)
                    self._applied = known
                    self._columns.clear()
                    self._judged = None
        return known

    def _outdated(self, known: Applied, serial: int | None) -> bool:
        store = self.facilities.store
        now = store.serial() if serial is None else serial
        return known.serial != now or (known.partial and not store.unfinished_apply())

    def run(self, work: Work, progress: Progress) -> RunResult:
        """
        Runs it to its end.

        Raises what stopped it, after recording that: `Denied` (policy, guards, a store of the work's that is fenced
        off), `Invalid`, `Again`, `Stalled`, `Waiting` (another run of the same flow holds its lease). A run that was
        stopped goes on where it was.
        """
        self.before(work)
        with (work.store or self.facilities.store).lease(f"run/{work.key}", "") as lease:
            applied = self.applied(lease.serial)
            item = applied.flow(work.key)
            suspend = item.flow.spec.suspend
            if suspend is not None and suspend.holds(dt.datetime.now(dt.UTC).date()):
                raise Stalled(
                    f"{work.key} is suspended: {suspend.reason}",
                    code="SYN707",
                    help="Remove spec.suspend and apply, or wait for its end.",
                )
            tenant = tenant_spec(applied.desired, work.key.tenant)
            with admitted(self.facilities.store, tenant, work.key):
                renew_key(self.facilities, tenant, work.key.tenant)
                return self._executed(Run(self, lease, work, applied, item, progress))

    def _executed(self, run: Run) -> RunResult:
        try:
            result = run.execute()
        except Exception as error:  # not a signal: that says nothing about the flow
            self._tell(run, outcome(error).error)
            raise
        self._tell(run, None)
        return result

    def _tell(self, run: Run, error: SynclineError | None) -> None:
        """Tells how a run ended. Should that fail, neither an error nor a result is hidden: the next run tells anew."""
        try:
            self.ended(run.facilities.store, run.applied, run.record, error)
        except SynclineError as second:
            if error is not None:
                error.add_note(f"Noting how the flow stands failed as well: {second}")

    def decide(self, item: CompiledFlow, applied: Applied) -> tuple[PolicyResult, ...]:
        """
        Policy's decisions about a flow and what it stands on, as at plan time; made once a day for all flows, or taken
        from the apply of today that led to this.
        """
        return self._all_judged(applied).verdicts.of_flow(item.flow)

    def _all_judged(self, applied: Applied) -> _Judged:
        today, root = dt.datetime.now(dt.UTC).date(), self.facilities.settings.root
        with self._deciding:
            judged = self._judged
            if judged is None or judged.desired is not applied.desired or judged.decided.day != today:
                decided = applied.decided
                if decided is None or (decided.day, decided.root) != (today, root):
                    decided = Decided.of(Subjects(applied.desired, facts_in(applied), (), today, root))
                judged = self._judged = _Judged(applied.desired, decided, Verdicts(decided.results))
        return judged

    def watch(self, item: CompiledFlow, applied: Applied, since: dt.date | None = None) -> Watch:
        """
        Policy for what turns up inside a run of a flow, which it allowed on a day (None: today) or later: asked again,
        with the facts that were found.
        """
        facts = self._all_judged(applied).decided.facts[item.flow.key]
        return watch_of(item, applied, self.facilities.settings.root, facts=facts, since=since)

    def columns(self, item: CompiledFlow, source: Source) -> Columns:
        """The flow's mapping bound to what the source turned out to be. Kept: flows often share both."""
        name = (item.flow.mapping.digest, item.flow.key.tenant, source.schema)
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = bind_columns(item, source, self.facilities.keys.tenant_hash_key)
        return found
