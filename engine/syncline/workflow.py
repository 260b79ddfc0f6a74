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

from syncline.manifests.text import nearest
from syncline.model.errors import Invalid
from syncline.model.event import Action
from syncline.planner.compiled import CompiledFlow
from syncline.planning import compare as compare
from syncline.planning import plan as plan
from syncline.planning import preview as preview
from syncline.planning import rehearse as rehearse
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
from syncline.validation import validate as validate
from syncline.validation import validate_again as validate_again
from syncline.validation import validate_beside as validate_beside
from syncline.validation import validate_each as validate_each

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.audit.checkpoint import Checkpoint
    from syncline.evidence.collect import Report, Span
    from syncline.evidence.pack import Pack
    from syncline.executor.engine import Engine
    from syncline.executor.flows.instance import Resolve
    from syncline.executor.progress import Progress
    from syncline.executor.services.facilities import Facilities
    from syncline.executor.services.signer_rotation import SignerRotated
    from syncline.executor.undo import UndoPlan
    from syncline.executor.work import RunResult
    from syncline.model.key import ObjectKey
    from syncline.model.plan import Plan
    from syncline.model.run import Reject
    from syncline.planner.approval import Approval
    from syncline.reconciler.apply import Applied
    from syncline.reconciler.approvals import Rule
    from syncline.reconciler.doctor import Finding
    from syncline.settings import Settings
    from syncline.state.store import RunRecord


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
    from syncline.executor.services.facilities import open_facilities
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
    from syncline.executor.batches.garbage import rarely_searched
    from syncline.executor.engine import Engine
    from syncline.executor.services.facilities import open_facilities
    from syncline.reconciler.status import after_run

    with rarely_searched(), open_facilities(settings) as facilities:
        yield Engine(facilities, _resolver(facilities), ended=after_run)


def _resolver(facilities: Facilities) -> Resolve:
    from syncline.executor.flows.instance import resolver

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
    from syncline.executor.retention.expire import expiring
    from syncline.executor.work import Work

    with engine(settings) as running, expiring(running, key, tell):
        return running.run(Work(key, full_refresh=full_refresh), progress)


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
    from syncline.executor.retention.expire import expiring
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
    from syncline.executor.batches.rejects import rejects_of
    from syncline.secrets.keys.ring import KeyRing
    from syncline.state.open import open_reader

    record = find_run(settings, run_id)
    demand(settings, record.key.tenant, "read")
    from syncline.executor.services.facilities import note

    note(settings, lambda r: r.event(Action.reject_read, key=record.key, run=record.id))
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
    from syncline.executor.services.facilities import note

    note(
        settings,
        lambda r: r.event(Action.approval_sign, approval=approval.id, effects=approval.effects, signature=path.name),
    )
    return approval, path


def export_snapshot(settings: Settings) -> bytes:
    """A signed snapshot of the state as it is now."""
    from syncline.executor.access.roles import demand_all
    from syncline.executor.services.facilities import open_facilities
    from syncline.reconciler.signed import export

    demand_all(settings)
    with open_facilities(settings) as facilities:
        return export(facilities)


def snapshot_key(settings: Settings) -> str:
    """The public key of this state's snapshots, which is made at first use."""
    from syncline.executor.services.facilities import open_facilities, signer_for
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
    from syncline.executor.access.roles import demand_all

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
    from syncline.executor.services.audit_head import resume
    from syncline.state.open import open_store

    with closing(open_store(settings.state_url)) as store:
        key = load_signer(settings)
        return resume(store, AuditLog.open(settings.audit, key, key.verifier.name), settings.actor, reason)


def rotate_audit_key(settings: Settings, to: str = "") -> SignerRotated:
    """Has another key sign the audit log. See `executor.signer_rotation.rotate_signer`."""
    from syncline.executor.services.signer_rotation import rotate_signer

    return rotate_signer(settings, to)


def audit_exported(settings: Settings, what: str) -> None:
    """Notes in the log that evidence was taken out of it."""
    from syncline.executor.services.facilities import note

    note(settings, lambda r: r.event(Action.audit_export, what=what))
