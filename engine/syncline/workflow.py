"""The flow on one page: validate → plan → apply → run → verify. The command line, the API and the daemon call this.

    Git revision → manifests → desired → policy → plan → apply → run → audit

Deciding (validate, plan) reads files and the state and changes nothing. Acting happens in `reconciler` and `executor`.
Heavy libraries are imported where a verb needs them, so that the light verbs start fast.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from syncline.manifests.bumps import side_by_side, since
from syncline.manifests.expressions import check_expressions
from syncline.manifests.load import load_tree
from syncline.manifests.overlay import declared, read_overlays
from syncline.manifests.resolve import resolve
from syncline.manifests.subscriptions import check_subscriptions
from syncline.manifests.text import nearest
from syncline.model.diagnostic import Diagnostic, has_errors
from syncline.model.errors import Invalid
from syncline.model.event import Action
from syncline.planner.compiled import CompiledFlow, Flows, compile_flows, source_schema
from syncline.planner.known import Judged, Known, Tested

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.executor.drift import FlowDrift
    from syncline.executor.engine import Engine
    from syncline.executor.examine import Examination
    from syncline.executor.facilities import Facilities
    from syncline.executor.instance import Resolve
    from syncline.executor.preview import Preview
    from syncline.executor.progress import Progress
    from syncline.executor.recorder import Recorder
    from syncline.executor.work import RunResult
    from syncline.manifests.commits import Made
    from syncline.manifests.desired import Desired
    from syncline.manifests.load import LoadResult
    from syncline.manifests.repository import Revision
    from syncline.model.change import Change
    from syncline.model.condition import Status
    from syncline.model.event import Event
    from syncline.model.key import ObjectKey
    from syncline.model.plan import Plan, PolicyResult
    from syncline.model.rehearsal import Rehearsal
    from syncline.model.run import Reject
    from syncline.planner.approval import Approval
    from syncline.planner.observed import Observed
    from syncline.planner.ownership import Ownership
    from syncline.reconciler.apply import Applied
    from syncline.reconciler.doctor import Finding
    from syncline.settings import Settings
    from syncline.state.store import AppliedObject, AppliedRevision, RunRecord, StateReader


@dataclass(frozen=True, slots=True)
class Validation:
    """What is declared, and every finding about it, policy included; `formerly` is its environment's old name, and
    `known` what was wrong with other sources' objects before: it isn't among the findings.
    """

    files: tuple[str, ...]
    desired: Desired
    flows: Flows
    diagnostics: tuple[Diagnostic, ...]
    policy: tuple[PolicyResult, ...]
    formerly: str = ""
    known: frozenset[tuple[str, str, str]] = frozenset()

    @property
    def ok(self) -> bool:
        """Whether it may be planned: no finding is an error."""
        return not has_errors(self.diagnostics)


def validate(
    settings: Settings, *, mapping_tests: bool = True, base: str = "", known: Known | None = None
) -> Validation:
    """
    Loads, resolves and compiles what the environment of the settings declares, runs the mappings' own tests, and checks
    policy.

    With `base`, a Git revision, connectors that changed since then must have another version, raised far enough. With
    `known`, which the caller keeps, only what changed since the last time is found out anew; without a `base`.
    """
    loaded = declared(settings.root, settings.environment, None if known is None else known.files)
    if known is not None:
        return _decided(settings, known.of(loaded) or _judged_anew(loaded, known))
    return _validated(settings, loaded, mapping_tests=mapping_tests, base=base)


def validate_beside(
    settings: Settings, source: str = "", *, state: StateReader | None = None, base: str = ""
) -> Validation:
    """As `validate`, of the tree of a source beside what is applied of others: by a state, or by what stands for it."""
    from syncline.state.open import open_reader

    with ExitStack() as stack:
        reader = state or stack.enter_context(closing(open_reader(settings.state_url)))
        applied = {known.key: known for known in reader.objects()}
    return _beside(settings, None, applied, source, None, base=base)[0]


def validate_each(settings: Settings, *, mapping_tests: bool = True, base: str = "") -> dict[str, Validation]:
    """As `validate`, in each environment of the repository; under the name '' where it declares none."""
    overlays = read_overlays(settings.root)
    if overlays is None:
        loaded = {"": load_tree(settings.root)}
    else:
        loaded = {name: overlays.render(name) for name in overlays.environments.names or ("",)}
    return {name: _validated(settings, tree, mapping_tests=mapping_tests, base=base) for name, tree in loaded.items()}


def _validated(
    settings: Settings,
    loaded: LoadResult,
    *,
    mapping_tests: bool,
    base: str,
    owners: Ownership | None = None,
    known: Known | None = None,
) -> Validation:
    """With `owners`, together with what is applied of other sources."""
    judged = _judged(loaded, owners)
    found = list(judged.findings)
    if base:
        from syncline.manifests.revisions import connectors_at

        found += since(connectors_at(settings.root, base), judged.desired)
    if mapping_tests and not has_errors(found):
        passed, wrong = _mapping_tests(judged, known.passed if known is not None else frozenset())
        found += wrong
        if known is not None:
            known.passed = passed
    return _decided(settings, replace(judged, findings=tuple(found)))


def _judged_anew(loaded: LoadResult, known: Known) -> Judged:
    """What there is to find out about what was loaded, and isn't known yet."""
    judged, passed = _judged(loaded), known.passed
    if not has_errors(judged.findings):
        passed, found = _mapping_tests(judged, known.passed)
        judged = replace(judged, findings=(*judged.findings, *found))
    known.keep(judged, passed)
    return judged


def _judged(loaded: LoadResult, owners: Ownership | None = None) -> Judged:
    mine = {*(manifest.key for manifest in loaded.manifests), *loaded.broken}
    others = owners.others(mine) if owners is not None else []
    resolved = resolve([*loaded.manifests, *others], loaded.broken)
    flows = compile_flows(resolved.desired)
    found = [*loaded.diagnostics, *resolved.diagnostics, *check_expressions(resolved.desired)]
    found += _mapping_findings(resolved.desired, flows)
    found += side_by_side(resolved.desired)
    found += _condition_findings(resolved.desired)
    found += check_subscriptions(resolved.desired)
    if owners is not None:
        found += [*owners.findings(loaded.manifests), *owners.left()]
    return Judged(loaded, resolved.desired, flows, tuple(found))


def _decided(settings: Settings, judged: Judged) -> Validation:
    """With what policy says of it today."""
    loaded = judged.loaded
    results = _check_policy(settings.root, judged.desired, judged.flows)
    found = [*judged.findings, *(result.diagnostic for result in results if result.diagnostic is not None)]
    found = [_traced(d, loaded) for d in found]
    unique = tuple(sorted(dict.fromkeys(found), key=Diagnostic.sort_key))
    return Validation(loaded.files, judged.desired, judged.flows, unique, results, loaded.formerly)


def _traced(finding: Diagnostic, loaded: LoadResult) -> Diagnostic:
    """With where the variables at its place are given; not of a credential, which nobody may see."""
    given = loaded.given.get(finding.place) if finding.place and finding.code != "SYN210" else None
    return replace(finding, related=(*finding.related, *given)) if given else finding


def _condition_findings(desired: Desired) -> list[Diagnostic]:
    if not any(desired.of_kind("Schedule")) and not any(desired.of_kind("Subscription")):
        return []
    from syncline.policy.conditions import check_conditions

    return check_conditions(desired)


def _mapping_findings(desired: Desired, flows: Flows) -> list[Diagnostic]:
    """Findings of every mapping: against the sources it is used with, or alone when it isn't used."""
    from syncline.mapping.compile import compile_mapping

    used = {item.flow.mapping.key for item in flows.values()}
    found = [d for item in flows.values() for d in item.compiled.diagnostics]
    for manifest in desired.of_kind("Mapping"):
        if manifest.key not in used:
            found += compile_mapping(manifest, None).diagnostics
    return found


def _mapping_tests(judged: Judged, passed: frozenset[Tested]) -> tuple[frozenset[Tested], list[Diagnostic]]:
    """Runs the own tests of the mappings that were loaded, but for those that passed before: which pass, and what was
    found.
    """
    from syncline.kinds.mapping import MappingSpec

    sources = {item.flow.mapping.key: source_schema(item.flow.source) for item in judged.flows.values()}
    found: list[Diagnostic] = []
    passing: set[Tested] = set()
    mine = {manifest.key for manifest in judged.loaded.manifests}
    for manifest in judged.desired.of_kind("Mapping"):
        if not isinstance(manifest.spec, MappingSpec) or not manifest.spec.tests or manifest.key not in mine:
            continue
        from syncline.mapping.tests import run_tests

        tested = manifest.digest, sources.get(manifest.key)
        wrong = [] if tested in passed else run_tests(manifest, tested[1])
        found += wrong
        if not wrong:
            passing.add(tested)
    return frozenset(passing), found


def _check_policy(
    root: Path, desired: Desired, flows: Flows, changes: tuple[Change, ...] = ()
) -> tuple[PolicyResult, ...]:
    from syncline.policy.check import check
    from syncline.policy.facts import facts
    from syncline.policy.rule import Subjects

    found = facts({key: (item.flow, item.compiled) for key, item in flows.items()})
    return check(Subjects(desired, found, changes, dt.datetime.now(dt.UTC).date(), root))


def _refuse(validation: Validation) -> None:
    if validation.ok:
        return
    from syncline.model.errors import Denied

    errors = tuple(d for d in validation.diagnostics if d.severity == "error")
    policy = tuple(d for d in errors if d.code.startswith("SYN5"))
    if len(policy) == len(errors):
        raise Denied("policy denies what is declared", diagnostics=validation.diagnostics)
    raise Invalid("the configuration is not valid", diagnostics=validation.diagnostics)


def plan(
    settings: Settings,
    *,
    allow_deletes: bool = False,
    head: Revision | None = None,
    state: StateReader | None = None,
    validation: Validation | None = None,
    data: int = 0,
    source: str = "",
    known: Known | None = None,
) -> Plan:
    """
    What applying the working tree would change. Changes nothing, and needs no credentials.

    `source` is the source that the tree is of, '' for the first: what is applied of others stays as it is, and what
    they declare can be referred to. `known` is as in `validate`.

    With `data`, flows that are new or change are rehearsed on up to so many records each: their systems are contacted,
    with credentials, unless policy or a guard stops the plan.

    `head` is the revision of a tree that isn't a work tree of Git: one that was taken out of a commit. `state` is read
    instead of the state itself: a snapshot of it. `validation` is what `validate` has just found, where it was called.

    `Invalid` or `Denied`, with all findings, when the declaration isn't valid or policy forbids it.
    """
    from syncline.executor.applied import read_applied
    from syncline.manifests.repository import back_to, revision
    from syncline.planner.make import changes_of, make_plan
    from syncline.planner.observed import observe
    from syncline.reconciler.apply import check_environment
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
        validation, taken = _beside(settings, validation, observed.objects, source, known)
        _refuse(validation)
        unchanged = {key: applied.digest for key, applied in observed.objects.items()} == {
            key: manifest.digest for key, manifest in validation.desired.objects.items()
        }
        before = validation if unchanged else read_applied(reader)
        changes = changes_of(validation.desired, observed, before.flows, validation.flows, before.desired, taken)
        results = (
            _check_policy(settings.root, validation.desired, validation.flows, changes)
            if changes
            else validation.policy
        )
        results = tuple(r for r in results if r.diagnostic is None or _said(r.diagnostic) not in validation.known)
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
        basis = replace(made.basis, environment=settings.environment, formerly=validation.formerly, source=source)
        check_environment(basis, observed.environment)
        made = replace(made, basis=basis)
        if data and made.can_apply:
            made = replace(made, data=tuple(_rehearsed(settings, validation, made, observed, reader, data)))
    return made


def _beside(
    settings: Settings,
    validation: Validation | None,
    applied: Mapping[ObjectKey, AppliedObject],
    source: str,
    known: Known | None,
    base: str = "",
) -> tuple[Validation, Mapping[ObjectKey, str]]:
    """What the tree of a source declares, beside what is applied of others; which objects it takes over, and whose."""
    from syncline.planner.ownership import Ownership

    if not source and not any(one.source or key.kind == "Source" for key, one in applied.items()):
        found = validation or validate(settings, base=base, known=known)
        if not any(found.desired.of_kind("Source")):
            return found, {}
    loaded = declared(settings.root, settings.environment, None if known is None else known.files)
    owners = Ownership.of(source, loaded.manifests, applied)
    found = _validated(settings, loaded, mapping_tests=True, base=base, owners=owners, known=known)
    if not found.ok and (before := _wrong_before(settings, applied, source)):
        found = replace(found, diagnostics=tuple(d for d in found.diagnostics if _said(d) not in before), known=before)
    return found, owners.taken([manifest.key for manifest in loaded.manifests])


def _wrong_before(
    settings: Settings, applied: Mapping[ObjectKey, AppliedObject], source: str
) -> frozenset[tuple[str, str, str]]:
    """What is wrong with other sources' objects as they are applied: no commit of this one can be blamed for that."""
    from syncline.manifests.load import LoadResult, from_document

    manifests = tuple(from_document(one.document) for one in applied.values())
    found = _validated(settings, LoadResult(manifests), mapping_tests=False, base="").diagnostics
    others = {str(key) for key, one in applied.items() if one.source != source}
    return frozenset(_said(d) for d in found if d.subject in others)


def _said(finding: Diagnostic) -> tuple[str, str, str]:
    return finding.code, finding.message, finding.subject


def _rehearsed(
    settings: Settings, validation: Validation, made: Plan, observed: Observed, reader: StateReader, limit: int
) -> Iterator[Rehearsal]:
    """Rehearsals of the flows that a plan changes. Where there is an audit log, it says that records were read."""
    from syncline.executor.instance import resolver
    from syncline.executor.rehearse import Rehearser
    from syncline.planner.effects import changed_flows

    former = {change.key: change.previous for change in made.changes if change.previous is not None}
    rehearser = Rehearser(
        validation.desired, validation.flows, settings, resolver(settings), reader, observed, former, limit
    )
    for key in changed_flows(made.changes, validation.flows):
        found, secrets = rehearser.rehearse(key)
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
) -> Applied:
    """Applies a saved plan exactly, or plans now and applies that. See `reconciler.apply.apply_plan` for errors."""
    from syncline.executor.facilities import open_facilities
    from syncline.manifests.repository import author_of
    from syncline.reconciler.apply import apply_plan
    from syncline.state.store import Author

    chosen = wanted if wanted is not None else plan(settings, allow_deletes=allow_deletes)
    with open_facilities(settings) as facilities:
        author = Author(*author_of(settings.root, chosen.basis.revision))
        return apply_plan(facilities, chosen, step, author=author)


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

    return resolver(facilities.settings)


def run(settings: Settings, key: ObjectKey, *, progress: Progress, full_refresh: bool = False) -> RunResult:
    """Runs an applied sync or import to its end. See `executor.engine.Engine.run` for what it raises."""
    from syncline.executor.work import Work

    with engine(settings) as running:
        return running.run(Work(key, full_refresh=full_refresh), progress)


def preview(settings: Settings, key: ObjectKey, *, limit: int) -> Preview:
    """
    A dry run of a *declared* flow: reads up to `limit` records and maps them; writes nothing.

    Where there is an audit log, it says that records were read, and with which secrets.
    """
    from syncline.executor.instance import resolver
    from syncline.executor.preview import preview_flow

    validation = validate(settings, mapping_tests=False)
    _refuse(validation)
    found = preview_flow(validation.desired, validation.flows, key, settings, resolver(settings), limit)
    _records_read(settings, key, found.counts.read, found.secrets)
    return found


def examine(
    settings: Settings, key: ObjectKey, *, progress: Progress, share: float = 1.0, values: bool = False
) -> Examination:
    """
    A whole run of a *declared* flow without writing: what it would do, what it would reject, how good the data is.

    `share` of the records is looked at. Where there is an audit log, it says that records were read.
    """
    from syncline.executor.examine import Examiner
    from syncline.executor.instance import resolver
    from syncline.state.open import open_reader

    validation = validate(settings, mapping_tests=False)
    _refuse(validation)
    with closing(open_reader(settings.state_url)) as reader:
        examiner = Examiner(
            validation.desired, validation.flows, settings, resolver(settings), reader, share, values=values
        )
        found = examiner.examine(key, progress)
    _records_read(settings, key, found.counts.read, found.secrets)
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
    from syncline.executor.retry import retry_work

    with engine(settings) as running:
        work, record = retry_work(running, run_id, overwrite=overwrite_newer, corrected=corrected)
        result = running.run(work, progress)
        running.facilities.store.mark_retried(record.id, result.record.id)
        return result


def find_run(settings: Settings, run_id: str) -> RunRecord:
    """A run by its id or the beginning of it; `Invalid` where there is none."""
    from syncline.state.open import open_reader

    with closing(open_reader(settings.state_url)) as reader:
        found = reader.run(run_id)
    if found is None:
        raise Invalid(f"there is no run {run_id!r}", code="SYN709", help="`syncline runs list` shows the runs.")
    return found


def runs(settings: Settings, key: ObjectKey | None, limit: int) -> tuple[RunRecord, ...]:
    """Runs, newest first."""
    from syncline.state.open import open_reader

    with closing(open_reader(settings.state_url)) as reader:
        return reader.runs(key, limit)


def rejects(settings: Settings, run_id: str) -> Iterator[Reject]:
    """Rejects of a run, decrypted, in the order in which they were read; the audit log says that they were."""
    from syncline.executor.rejects import rejects_of
    from syncline.secrets.envelope import KeyRing
    from syncline.state.open import open_reader

    record = find_run(settings, run_id)
    _note(settings, lambda r: r.event(Action.reject_read, key=record.key, run=record.id))
    with closing(open_reader(settings.state_url)) as reader:
        yield from rejects_of(reader, KeyRing.open(settings.keys), record.key, record.id)


def objects(settings: Settings) -> tuple[AppliedObject, ...]:
    """What is applied, in key order."""
    from syncline.state.open import open_reader

    with closing(open_reader(settings.state_url)) as reader:
        return reader.objects()


def history(settings: Settings, limit: int) -> tuple[AppliedRevision, ...]:
    """What was applied, newest first."""
    from syncline.state.open import open_reader

    with closing(open_reader(settings.state_url)) as reader:
        return reader.history(limit)


def kept_revisions(settings: Settings) -> tuple[str, ...]:
    """Commits under which positions are known, newest first; empty where there is no state."""
    from syncline.state.open import open_reader

    with closing(open_reader(settings.state_url)) as reader:
        return reader.kept_revisions()


def statuses(settings: Settings) -> dict[ObjectKey, Status]:
    """How everything stands, in key order; sources are among them, under the kind `Source`."""
    from syncline.state.open import open_reader

    with closing(open_reader(settings.state_url)) as reader:
        return reader.statuses()


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


def reject_rules(settings: Settings, run_id: str) -> dict[str, int]:
    """How many rejects of a run broke which rule (`field: rule`), most first; nothing is decrypted."""
    from collections import Counter

    from syncline.state.open import open_reader

    total: Counter[str] = Counter()
    with closing(open_reader(settings.state_url)) as reader:
        for sealed in reader.rejects(run_id):
            total.update(sealed.rules)
    return dict(total.most_common())


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
    from syncline.reconciler.signed import export

    with open_facilities(settings) as facilities:
        return export(facilities)


def snapshot_key(settings: Settings) -> str:
    """The public key of this state's snapshots, which is made at first use."""
    from syncline.executor.facilities import open_facilities
    from syncline.reconciler.signed import snapshot_signer

    with open_facilities(settings) as facilities:
        return str(snapshot_signer(facilities).verifier)


def drift(settings: Settings, keys: Iterable[ObjectKey], *, rows: int = 0) -> tuple[FlowDrift, ...]:
    """
    What is really at the destinations of applied flows, against what their runs left there; conditions follow.

    `rows`: so many records of each source are read besides, and compared with the rows one by one.
    """
    from syncline.executor.row_drift import with_rows
    from syncline.reconciler.look import look

    with engine(settings) as running:
        found = tuple(look(running, running.facilities.store, key) for key in sorted(keys))
        return tuple(with_rows(running, flow, rows) for flow in found) if rows else found


def adopt(settings: Settings, found: FlowDrift, branch: str = "") -> tuple[Made, ObjectKey, tuple[str, ...]]:
    """
    Makes a commit that declares a flow's destination as somebody left it: the commit, the mapping that it changes, and
    the columns that it gives up. `Invalid` (SYN752) where that isn't all that differs.
    """
    from syncline.executor.applied import read_applied
    from syncline.manifests.adoption import adopt as commit
    from syncline.state.open import open_reader

    columns = dropped_columns(found)
    if found.unknown or not columns or len(columns) < len(found.acted):
        others = [finding.place for finding in found.acted if finding.place.removeprefix("column ") not in columns]
        what = found.unknown or (f"{', '.join(others)} can't be adopted" if others else "nothing was dropped there")
        raise Invalid(f"{found.key}: {what}", code="SYN752", help="Only dropped columns can be adopted.")
    with closing(open_reader(settings.state_url)) as reader:
        mapping = read_applied(reader).flow(found.key).flow.mapping.key
    made = commit(settings.root, mapping, columns, branch or f"adopt-{found.key.name}")
    return made, mapping, columns


def dropped_columns(found: FlowDrift) -> tuple[str, ...]:
    """Columns that somebody dropped."""
    gone = [finding.place.split(" ", 1) for finding in found.acted if finding.lost]
    return tuple(name for what, name in (part for part in gone if len(part) > 1) if what == "column")


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
