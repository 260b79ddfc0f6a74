"""The flow on one page: validate → plan → apply → run → verify. The command line, the API and the daemon call this.

    Git revision → manifests → desired → policy → plan → apply → run → audit

Deciding (validate, plan) reads files and the state and changes nothing. Acting happens in `reconciler` and `executor`.
Heavy libraries are imported where a verb needs them, so that the light verbs start fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from syncline.manifests.text import nearest
from syncline.model.errors import Invalid
from syncline.model.event import Action
from syncline.planner.compiled import CompiledFlow
from syncline.queries import demand as demand
from syncline.queries import find_run as find_run
from syncline.queries import history as history
from syncline.queries import kept_revisions as kept_revisions
from syncline.queries import objects as objects
from syncline.queries import reject_rules as reject_rules
from syncline.queries import run_outcome as run_outcome
from syncline.queries import runs as runs
from syncline.queries import statuses as statuses
from syncline.queries import view as view
from syncline.validation import Validation as Validation
from syncline.validation import beside, refuse
from syncline.validation import validate as validate
from syncline.validation import validate_again as validate_again
from syncline.validation import validate_beside as validate_beside
from syncline.validation import validate_each as validate_each

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.audit.checkpoint import Checkpoint
    from syncline.evidence.collect import Report, Span
    from syncline.evidence.pack import Pack
    from syncline.executor.comparer import Comparison
    from syncline.executor.engine import Engine
    from syncline.executor.facilities import Facilities
    from syncline.executor.forecast import Forecaster
    from syncline.executor.instance import Resolve
    from syncline.executor.preview import Preview
    from syncline.executor.progress import Progress
    from syncline.executor.recorder import Recorder
    from syncline.executor.rehearse import Rehearsal
    from syncline.executor.signer_rotation import SignerRotated
    from syncline.executor.undo import UndoPlan
    from syncline.executor.work import RunResult
    from syncline.manifests.repository import Revision
    from syncline.model.event import Event
    from syncline.model.forecast import Forecast
    from syncline.model.key import ObjectKey
    from syncline.model.plan import Plan
    from syncline.model.run import Reject
    from syncline.planner.approval import Approval
    from syncline.planner.known import Known
    from syncline.policy.decisions import Decisions
    from syncline.reconciler.apply import Applied
    from syncline.reconciler.approvals import Rule
    from syncline.reconciler.doctor import Finding
    from syncline.settings import Settings
    from syncline.state.store import RunRecord, StateReader


def plan(  # noqa: PLR0913 - what is known already, each by its name
    settings: Settings,
    *,
    allow_deletes: bool = False,
    head: Revision | None = None,
    state: StateReader | None = None,
    validation: Validation | None = None,
    data: int = 0,
    source: str = "",
    known: Known | None = None,
    decisions: Decisions | None = None,
) -> Plan:
    """
    What applying the working tree would change. Changes nothing, and needs no credentials.

    `source` is the source that the tree is of, '' for the first: what is applied of others stays as it is, and what
    they declare can be referred to. `known` is as in `validate`.

    With `data`, flows that are new or change are tried on up to so many records each: their systems are contacted,
    with credentials, unless policy or a guard stops the plan.

    `head` is the revision of a tree that isn't a work tree of Git: one that was taken out of a commit. `state` is read
    instead of the state itself: a snapshot of it. `validation` is what `validate` has just found, where it was called.
    `decisions` keeps what policy says, for the apply.

    `Invalid` or `Denied`, with all findings, when the declaration isn't valid or policy forbids it.
    """
    from syncline.executor.applied import read_applied
    from syncline.manifests.repository import back_to, revision
    from syncline.planner.field_effects import all_dropped
    from syncline.planner.make import changes_of, make_plan
    from syncline.planner.observed import observe
    from syncline.policy.decisions import Decisions
    from syncline.reconciler.preconditions import check_environment
    from syncline.reconciler.rotation import findings
    from syncline.state.open import open_reader

    with closing(state or open_reader(settings.state_url)) as reader:
        head = head or revision(settings.root)
        back = head.back_to
        if back is None:
            back = back_to(settings.root, reader.applied_before(head.commit, source), head.commit)
        observed = observe(reader, back)
        if back:
            # What is retired is nobody's, and may come back where it was.
            others = {key for key, known in observed.objects.items() if known.source != source}
            observed = replace(observed, kept={key: at for key, at in observed.kept.items() if key not in others})
        validation, taken = beside(settings, validation, observed.objects, source, known)
        refuse(validation)
        unchanged = {key: applied.digest for key, applied in observed.objects.items()} == {
            key: manifest.digest for key, manifest in validation.desired.objects.items()
        }
        remembered = known.applied(observed.serial) if known is not None else None
        if unchanged:
            desired, flows = validation.desired, validation.flows
        elif remembered is not None:
            desired, flows = remembered
        else:
            before = read_applied(reader)
            desired, flows = before.desired, before.flows
        changes = changes_of(validation.desired, observed, flows, validation.flows, desired, taken)
        decisions = decisions or Decisions()
        results = decisions.of_plan(validation.subjects, validation.policy, changes)
        results = tuple(r for r in results if r.diagnostic is None or validation.blames(r.diagnostic))
        made = make_plan(
            validation.desired,
            observed,
            changes,
            results,
            revision=head.commit,
            dirty=head.dirty,
            findings=(
                *(d for d in validation.diagnostics if not d.code.startswith("SYN5")),
                *findings(validation.desired, reader),
            ),
            allow_deletes=allow_deletes,
        )
        basis = structs.replace(
            made.basis, environment=settings.environment, formerly=validation.formerly, source=source
        )
        check_environment(basis, observed.environment)
        made = structs.replace(made, basis=basis)
        if data and made.can_apply:
            from syncline.executor.forecast import Forecaster
            from syncline.executor.instance import resolver

            made_of = (validation.desired, validation.flows, settings)
            former = {change.key: change.previous for change in made.changes if change.previous is not None}
            lost = all_dropped(flows, validation.flows, former)
            forecaster = Forecaster(*made_of, resolver(settings), reader, observed, former, data, dropped=lost)
            made = structs.replace(made, data=tuple(_forecasts(settings, made, forecaster)))
    return made


def _forecasts(settings: Settings, made: Plan, forecaster: Forecaster) -> Iterator[Forecast]:
    """Forecasts of the flows that a plan changes. Where there is an audit log, it says that records were read."""
    from syncline.planner.effects import changed_flows

    changed = changed_flows(made.changes, forecaster.flows)
    for tenant in sorted({key.tenant for key in changed}):
        demand(settings, tenant, "read")
    for key in changed:
        found, secrets = forecaster.forecast(key)
        _records_read(settings, key, found.counts.read, secrets)
        yield found


def _quiet(line: str) -> None:
    """Tells nobody which step was taken."""
    del line


def apply(
    settings: Settings,
    wanted: Plan | None = None,
    *,
    allow_deletes: bool = False,
    step: Callable[[str], None] = _quiet,
    rule: Rule | None = None,
    override: str = "",
    gated: bool = True,
    saved: bool = False,
) -> Applied:
    """
    Applies a plan exactly, or plans now and applies that. See `reconciler.apply.apply_plan` for errors.

    A plan that comes from a file (`saved`) has to be what planning here gives: it is planned again, and `Invalid`
    (SYN641) where that gives anything else. What a file says of itself allows nothing.

    Approvals and windows that tenants and policies demand hold as for a daemon, unless it isn't `gated`, as in a
    scratch state. `rule`: who may approve; `override`: why what would have to wait is applied all the same.
    """
    from syncline.executor.facilities import open_facilities
    from syncline.manifests.repository import author_of
    from syncline.reconciler.apply import apply_plan
    from syncline.reconciler.approvals import Gate
    from syncline.reconciler.authors import authors_here, untold_here
    from syncline.reconciler.preconditions import check_fresh
    from syncline.reconciler.saved import check_saved
    from syncline.state.store import Author

    chosen = wanted if wanted is not None else plan(settings, allow_deletes=allow_deletes)
    here = replace(settings, environment=chosen.basis.environment)
    with open_facilities(settings) as facilities:
        if saved:
            check_fresh(chosen, facilities.store)
            check_saved(chosen, plan(here, allow_deletes=True, source=chosen.basis.source))
        commit = chosen.basis.revision
        author = Author(*author_of(settings.root, commit))
        gate = Gate(
            rule,
            settings.root,
            lambda base: authors_here(settings.root, base, commit),
            lambda: untold_here(settings.root, chosen.basis.environment, chosen.basis),
            override,
        )
        return apply_plan(facilities, chosen, step, author=author, gate=gate if gated else None)


@contextmanager
def engine(settings: Settings) -> Iterator[Engine]:
    """An engine over this home, for one run or for many."""
    from syncline.executor.engine import Engine
    from syncline.executor.facilities import open_facilities
    from syncline.executor.garbage import rarely_searched
    from syncline.reconciler.status import after_run

    with rarely_searched(), open_facilities(settings) as facilities:
        yield Engine(facilities, _resolver(facilities), ended=after_run)


def _resolver(facilities: Facilities) -> Resolve:
    from syncline.executor.instance import resolver

    return resolver(facilities.settings, facilities.keep)


def _unsaid(text: str) -> None:
    """Nobody is told."""


def run(
    settings: Settings,
    key: ObjectKey,
    *,
    progress: Progress,
    full_refresh: bool = False,
    tell: Callable[[str], None] = _unsaid,
) -> RunResult:
    """
    Runs an applied sync or import to its end. See `executor.engine.Engine.run` for what it raises.

    Then, and where it failed, what was kept to undo runs of an import goes, once its window is over; `tell` is told
    so, or why it can't.
    """
    demand(settings, key.tenant, "run")
    from syncline.executor.expire import expiring
    from syncline.executor.work import Work

    with engine(settings) as running, expiring(running, key, tell):
        return running.run(Work(key, full_refresh=full_refresh), progress)


def preview(settings: Settings, key: ObjectKey, *, limit: int) -> Preview:
    """
    A dry run of a *declared* flow: reads up to `limit` records and maps them; writes nothing.

    Where there is an audit log, it says that records were read, and with which secrets.
    """
    demand(settings, key.tenant, "read")
    from syncline.executor.instance import resolver
    from syncline.executor.preview import preview_flow

    validation = validate(settings, mapping_tests=False)
    refuse(validation)
    found = preview_flow(validation.desired, validation.flows, key, settings, resolver(settings), limit)
    _records_read(settings, key, found.counts.read, found.secrets)
    return found


def rehearse(
    settings: Settings, key: ObjectKey, *, progress: Progress, share: float = 1.0, values: bool = False
) -> Rehearsal:
    """
    A whole run of a *declared* flow without writing: what it would do, what it would reject, how good the data is.

    `share` of the records is looked at. Where there is an audit log, it says that records were read.
    """
    demand(settings, key.tenant, "read")
    from syncline.executor.instance import resolver
    from syncline.executor.rehearse import Rehearser
    from syncline.state.open import open_reader

    validation = validate(settings, mapping_tests=False)
    refuse(validation)
    with closing(open_reader(settings.state_url)) as reader:
        rehearser = Rehearser(
            validation.desired, validation.flows, settings, resolver(settings), reader, share, values=values
        )
        found = rehearser.rehearse(key, progress)
    _records_read(settings, key, found.counts.read, found.secrets)
    return found


def compare(settings: Settings, key: ObjectKey, *, progress: Progress, limit: int = 100) -> Comparison:
    """
    What a *declared* flow's source has against what is at its destination, by key and field; nothing is written.

    At most `limit` rows of each kind are listed. Where there is an audit log, it says that records were read.
    """
    demand(settings, key.tenant, "read")
    from syncline.executor.comparer import Comparer
    from syncline.executor.instance import resolver
    from syncline.state.open import open_reader

    validation = validate(settings, mapping_tests=False)
    refuse(validation)
    with closing(open_reader(settings.state_url)) as reader:
        comparer = Comparer(validation.desired, validation.flows, settings, resolver(settings), reader, limit)
        found = comparer.compare(key, progress)
    _records_read(settings, key, found.records, found.secrets)
    return found


def _records_read(settings: Settings, key: ObjectKey, read: int, secrets: tuple[str, ...]) -> None:
    """Notes in the log, where there is one, that records were read without being written, and with which secrets."""
    _note(settings, lambda r: r.event(Action.run_preview, key=key, read=read, secrets=secrets))


def retry(
    settings: Settings,
    run_id: str,
    *,
    progress: Progress,
    overwrite_newer: bool = False,
    corrected: Path | None = None,
) -> RunResult:
    """
    Maps and writes a run's rejects again, with the mapping as it is applied now; a new run, with its own rejects.

    `corrected` is a file that `runs rejects -o correction` wrote and a person has corrected.
    """
    demand(settings, find_run(settings, run_id).key.tenant, "run")
    from syncline.executor.expire import expiring
    from syncline.executor.retry import retry_work

    with engine(settings) as running:
        work, record = retry_work(running, run_id, overwrite=overwrite_newer, corrected=corrected)
        with expiring(running, record.key, _unsaid):
            result = running.run(work, progress)
            running.facilities.store.mark_retried(record.id, result.record.id)
            return result


def plan_undo(settings: Settings, run_id: str) -> UndoPlan:
    """What undoing a run would do; found by doing it and taking that back, so that nothing is changed."""
    demand(settings, find_run(settings, run_id).key.tenant, "run")
    from syncline.executor.undo import plan_undo as look

    with engine(settings) as running:
        return look(running, run_id)


def undo(settings: Settings, run_id: str, *, progress: Progress) -> RunResult:
    """Takes back what a run of an import wrote; a run of its own. See `executor.undo.undo_run` for what it raises."""
    demand(settings, find_run(settings, run_id).key.tenant, "run")
    from syncline.executor.undo import undo_run

    with engine(settings) as running:
        return undo_run(running, run_id, progress)


def rejects(settings: Settings, run_id: str) -> Iterator[Reject]:
    """Rejects of a run, decrypted, in the order in which they were read; the audit log says that they were."""
    from syncline.executor.rejects import rejects_of
    from syncline.secrets.ring import KeyRing
    from syncline.state.open import open_reader

    record = find_run(settings, run_id)
    demand(settings, record.key.tenant, "read")
    _note(settings, lambda r: r.event(Action.reject_read, key=record.key, run=record.id))
    with closing(open_reader(settings.state_url)) as reader:
        yield from rejects_of(reader, KeyRing.look(settings.keys, settings.environ), record.key, record.id)


def lineage(settings: Settings, key: ObjectKey) -> CompiledFlow:
    """A declared flow with its compiled lineage."""
    validation = validate(settings, mapping_tests=False)
    found = validation.flows.get(key)
    if found is None:
        near = nearest(str(key), map(str, validation.flows))
        hint = f"; did you mean {near}?" if near else ""
        raise Invalid(
            f"{key} is not declared, or doesn't resolve{hint}", code="SYN221", diagnostics=validation.diagnostics
        )
    return found


def doctor(settings: Settings) -> Iterator[Finding]:
    """Whether this machine and this repository are fit for running."""
    from syncline.reconciler.doctor import doctor as look

    validation = validate(settings, mapping_tests=False)
    errors = sum(d.severity == "error" for d in validation.diagnostics)
    yield from look(settings, validation.desired, errors)


def approve(settings: Settings, made: Plan, key: Path, days: float, *, renew: bool) -> tuple[Approval, Path]:
    """Signs the effects of a plan with an SSH key. See `reconciler.approvals.approve`."""
    from syncline.reconciler.approvals import approve as sign

    approval, path = sign(settings.root, made, key, days, renew=renew)
    _note(
        settings,
        lambda r: r.event(Action.approval_sign, approval=approval.id, effects=approval.effects, signature=path.name),
    )
    return approval, path


def export_snapshot(settings: Settings) -> bytes:
    """A signed snapshot of the state as it is now."""
    from syncline.executor.facilities import open_facilities
    from syncline.executor.roles import demand_all
    from syncline.reconciler.signed import export

    demand_all(settings)
    with open_facilities(settings) as facilities:
        return export(facilities)


def snapshot_key(settings: Settings) -> str:
    """The public key of this state's snapshots, which is made at first use."""
    from syncline.executor.facilities import open_facilities, signer_for
    from syncline.reconciler.signed import PURPOSE

    with open_facilities(settings) as facilities:
        return str(signer_for(facilities, PURPOSE).verifier)


def prove_record(settings: Settings, record: RunRecord, row: Mapping[str, object]) -> bytes:
    """Proves that a row was among those that a run wrote. See `evidence.recorded.prove_record`."""
    from syncline.evidence.recorded import prove_record as proof

    return proof(settings, record, row)


def make_evidence(settings: Settings, name: str, span: Span, render: Callable[[Report], str]) -> Pack:
    """Makes a pack of evidence for a framework. See `evidence.pack.make_pack`; `Invalid` (SYN912) for no framework."""
    from syncline.evidence.frameworks import framework
    from syncline.evidence.pack import make_pack
    from syncline.executor.roles import demand_all

    demand_all(settings)
    return make_pack(settings, framework(name), span, render)


def attest(settings: Settings, record: RunRecord, *, bundle: bool = True) -> bytes:
    """Attests a run, as a Sigstore bundle or as a DSSE envelope. See `evidence.attesting.attest`."""
    from syncline.evidence.attesting import attest as signed

    envelope, whole = signed(settings, record)
    return whole if bundle else envelope.encode()


def resume_audit(settings: Settings, reason: str) -> Checkpoint:
    """Goes on with a log that is older than the state, and says so in it. See `executor.audit_head.resume`."""
    from syncline.audit.log import AuditLog
    from syncline.audit.log_signer import load_signer
    from syncline.executor.audit_head import resume
    from syncline.state.open import open_store

    with closing(open_store(settings.state_url)) as store:
        key = load_signer(settings)
        return resume(store, AuditLog.open(settings.audit, key, key.verifier.name), settings.actor, reason)


def rotate_audit_key(settings: Settings, to: str = "") -> SignerRotated:
    """Has another key sign the audit log. See `executor.signer_rotation.rotate_signer`."""
    from syncline.executor.signer_rotation import rotate_signer

    return rotate_signer(settings, to)


def audit_exported(settings: Settings, what: str) -> None:
    """Notes in the log that evidence was taken out of it."""
    _note(settings, lambda r: r.event(Action.audit_export, what=what))


def _note(settings: Settings, event: Callable[[Recorder], Event]) -> None:
    """Appends one event to the log, where there is one."""
    if not settings.audit.is_dir():
        return
    from syncline.executor.facilities import open_facilities

    with open_facilities(settings) as facilities:
        facilities.recorder.record([event(facilities.recorder)])
