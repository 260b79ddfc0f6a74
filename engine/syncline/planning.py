"""What applying and running what is *declared* would do: plans, dry runs, rehearsals, comparisons.

They read files, the state and, where records are looked at, systems. Nothing is written but evidence that records were
read, and with which secrets. `workflow.py` goes on from here.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from syncline.model.event import Action
from syncline.queries import demand
from syncline.validation import Validation, beside, refuse, validate

if TYPE_CHECKING:
    from syncline.executor.previews.comparer import Comparison
    from syncline.executor.previews.preview import Preview
    from syncline.executor.previews.rehearse import Rehearsal
    from syncline.executor.progress import Progress
    from syncline.manifests.desired import Desired
    from syncline.manifests.repository import Revision
    from syncline.model.forecast import Forecast
    from syncline.model.key import ObjectKey
    from syncline.model.plan import Plan
    from syncline.planner.compiled import Flows
    from syncline.planner.known import Known
    from syncline.planner.observed import Observed
    from syncline.policy.decisions import Decisions
    from syncline.settings import Settings
    from syncline.state.store import StateReader


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
    from syncline.manifests.repository import revision
    from syncline.planner.make import changes_of, make_plan
    from syncline.policy.decisions import Decisions
    from syncline.reconciler.preconditions import check_environment
    from syncline.reconciler.rotation import findings
    from syncline.state.open import open_reader

    with closing(state or open_reader(settings.state_url)) as reader:
        head = head or revision(settings.root)
        observed = _observed(settings, reader, head, source)
        validation, taken = beside(settings, validation, observed.objects, source, known)
        refuse(validation)
        desired, flows = _before(reader, observed, validation, known)
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
            made = structs.replace(made, data=_forecasts(settings, made, validation, reader, observed, flows, data))
    return made


def _observed(settings: Settings, reader: StateReader, head: Revision, source: str) -> Observed:
    """What is applied, and what is kept of what was retired, as the commit of a source finds it."""
    from syncline.manifests.repository import back_to
    from syncline.planner.observed import observe

    back = head.back_to
    if back is None:
        back = back_to(settings.root, reader.applied_before(head.commit, source), head.commit)
    observed = observe(reader, back)
    if back:
        # What is retired is nobody's, and may come back where it was.
        others = {key for key, known in observed.objects.items() if known.source != source}
        observed = replace(observed, kept={key: at for key, at in observed.kept.items() if key not in others})
    return observed


def _before(
    reader: StateReader, observed: Observed, validation: Validation, known: Known | None
) -> tuple[Desired, Flows]:
    """What is applied, resolved and compiled: as declared where it is the same, as remembered, or read."""
    from syncline.executor.flows.applied import read_applied

    applied = {key: one.digest for key, one in observed.objects.items()}
    if applied == {key: manifest.digest for key, manifest in validation.desired.objects.items()}:
        return validation.desired, validation.flows
    remembered = known.applied(observed.serial) if known is not None else None
    if remembered is not None:
        return remembered
    before = read_applied(reader)
    return before.desired, before.flows


def _forecasts(
    settings: Settings,
    made: Plan,
    validation: Validation,
    reader: StateReader,
    observed: Observed,
    before: Flows,
    data: int,
) -> tuple[Forecast, ...]:
    """Forecasts of the flows that a plan changes. Where there is an audit log, it says that records were read."""
    from syncline.executor.flows.instance import resolver
    from syncline.executor.previews.forecast import Forecaster
    from syncline.planner.effects import changed_flows
    from syncline.planner.field_effects import all_dropped

    flows = validation.flows
    former = {change.key: change.previous for change in made.changes if change.previous is not None}
    forecaster = Forecaster(
        validation.desired,
        flows,
        settings,
        resolver(settings),
        reader,
        observed,
        former,
        data,
        dropped=all_dropped(before, flows, former),
    )
    changed = changed_flows(made.changes, flows)
    for tenant in sorted({key.tenant for key in changed}):
        demand(settings, tenant, "read")
    forecasts = []
    for key in changed:
        found, secrets = forecaster.forecast(key)
        _records_read(settings, key, found.counts.read, secrets)
        forecasts.append(found)
    return tuple(forecasts)


def preview(settings: Settings, key: ObjectKey, *, limit: int) -> Preview:
    """
    A dry run of a *declared* flow: reads up to `limit` records and maps them; writes nothing.

    Where there is an audit log, it says that records were read, and with which secrets.
    """
    demand(settings, key.tenant, "read")
    from syncline.executor.flows.instance import resolver
    from syncline.executor.previews.preview import preview_flow
    from syncline.state.open import open_reader

    validation = validate(settings, mapping_tests=False)
    refuse(validation)
    with closing(open_reader(settings.state_url)) as reader:
        found = preview_flow(validation.desired, validation.flows, key, settings, resolver(settings), reader, limit)
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
    from syncline.executor.flows.instance import resolver
    from syncline.executor.previews.rehearse import Rehearser
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
    from syncline.executor.flows.instance import resolver
    from syncline.executor.previews.comparer import Comparer
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
    from syncline.executor.services.facilities import note

    note(settings, lambda r: r.event(Action.run_preview, key=key, read=read, secrets=secrets))
