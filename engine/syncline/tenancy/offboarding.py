"""Taking a tenant out, once Git no longer declares it: what there is of it is exported and deleted, which is proved.

    retired in Git and applied → archive → destinations → webhooks → files → state → key → signed proof

Each step is journalled before the next begins, and does nothing when it is taken again: after a kill at any point the
same command goes on. What a legal hold covers stays, with all that it needs to be read, until the hold has ended.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from syncline import workflow
from syncline.executor.batches.provable import folder_of
from syncline.executor.drift.webhook_steps import registered
from syncline.executor.flows.former import Former, declared_since, former
from syncline.executor.flows.retiring import applied_of, kept
from syncline.executor.flows.written import where
from syncline.executor.services.facilities import open_facilities
from syncline.executor.start import new_run_id
from syncline.model.errors import Invalid
from syncline.model.event import Action, EventOutcome, rfc3339
from syncline.model.key import ObjectKey
from syncline.model.offboarding import LeavingStep, Offboarding
from syncline.state.tenants import TABLES
from syncline.tenancy import destinations, webhooks
from syncline.tenancy.archive import digest_of
from syncline.tenancy.certificate import certificate_path, keep, proof_path
from syncline.tenancy.destinations import held_flows
from syncline.tenancy.export import export
from syncline.tenancy.proof import prove

if TYPE_CHECKING:
    from syncline.executor.flows.applied import Applied
    from syncline.executor.services.facilities import Facilities
    from syncline.settings import Settings

Told = Callable[[LeavingStep], None]


class Wanted(Struct, frozen=True):
    """How a tenant is to be taken out: where its archive goes and who may read it, the commit that last declared it
    ('' to look for it), and whether what can't be reached is given up.
    """

    archive: Path
    recipients: tuple[str, ...] = ()
    revision: str = ""
    give_up: bool = False


class Expected(Struct, frozen=True):
    """What taking a tenant out would find."""

    tenant: str
    revision: str
    flows: tuple[tuple[str, str], ...]
    webhooks: tuple[str, ...]
    counts: dict[str, int]
    key: bool


def expect(settings: Settings, tenant: str, revision: str = "") -> Expected:
    """What there is of a retired tenant; nothing is changed. `Invalid` (SYN861) while it is declared or applied."""
    _refuse_declared(settings, tenant)
    with open_facilities(settings) as facilities:
        _refuse_applied(facilities, tenant)
        found = _former(facilities, tenant, revision)
        held = held_flows(found, _today())
        flows = tuple((str(key), f"stays: {held[key]}" if key in held else _fate(found, key)) for key in found.flows)
        counts = facilities.store.tenants().counts(tenant)
        hooks = webhooks.with_webhooks(facilities.store, found).items()
        named = tuple(webhooks.subject(key, name) for key, names in sorted(hooks) for name in names)
        return Expected(tenant, found.revision, flows, named, counts, bool(facilities.keys.remains(tenant)))


def offboard(settings: Settings, tenant: str, wanted: Wanted, told: Told) -> tuple[Offboarding, bytes]:
    """
    Takes a tenant out, or goes on with it; what became of each step, and the signed proof once nothing is left to do.

    `Invalid` (SYN861) while it is declared or applied, or where there is nothing of it.
    """
    _refuse_declared(settings, tenant)
    with ExitStack() as stack:
        facilities = stack.enter_context(open_facilities(settings))
        stack.enter_context(facilities.store.lease(f"offboard/{tenant}"))
        _refuse_applied(facilities, tenant)
        leaving = _Leaving(facilities, tenant, wanted, told)
        leaving.export()
        stack.enter_context(facilities.store.lease("apply"))  # until all is gone, nobody declares it again
        _refuse_applied(facilities, tenant)
        leaving.run()
    done = leaving.now
    if not leaving.over:
        return done, b""
    proof = prove(settings, done, leaving.held)
    keep(proof_path(settings, tenant), proof)
    if not leaving.held:
        with open_facilities(settings) as facilities:
            done = structs.replace(done, finished=rfc3339())
            facilities.store.tenants().put(done)
    return done, proof


class _Leaving:
    """One tenant on its way out. `run` reads from top to bottom."""

    def __init__(self, facilities: Facilities, tenant: str, wanted: Wanted, told: Told) -> None:
        self.facilities = facilities
        self.tenant = tenant
        self.wanted = wanted
        self.told = told
        self.book = facilities.store.tenants()
        self.now, self.former = self._begin()
        self.held = {str(key): reason for key, reason in held_flows(self.former, _today()).items()}
        self.over = False

    def export(self) -> None:
        """Writes the archive, once."""
        if not self.now.settled("export"):
            digest, count = export(self.facilities, self.tenant, self.wanted.archive, self.wanted.recipients)
            self.now = structs.replace(self.now, archive=digest)
            self._took(LeavingStep("export", "", "done", count))

    def run(self) -> None:
        """
        Takes every step that isn't settled; the first that fails keeps those after it from being taken. While nobody
        applies: the export must have all that there is.
        """
        if self._came_back(self.now):
            raise Invalid(
                f"tenant {self.tenant!r} was applied, and retired again, while it was exported",
                code="SYN861",
                help="Run it again: it begins anew.",
            )
        failed = False
        for key in self.former.flows:
            if self.now.settled(destinations.WHAT, str(key)):
                continue
            if reason := self.held.get(str(key)):
                step = LeavingStep(destinations.WHAT, str(key), "held", message=reason)
            else:
                step = destinations.leave(self.facilities, self.former, key, give_up=self.wanted.give_up)
            self._took(step)
            failed = failed or step.state == "failed"
        failed = self._webhooks() or failed
        if failed:  # what is left in the state may be needed to reach them
            return
        self._files()
        self._state()
        self._key()
        self.over = True

    def _webhooks(self) -> bool:
        """Deletes what the tenant's integrations have registered at their systems; whether it ends here."""
        failed = False
        for key, names in sorted(webhooks.with_webhooks(self.facilities.store, self.former).items()):
            todo = {name for name in names if not self.now.settled(webhooks.WHAT, webhooks.subject(key, name))}
            if not todo:
                continue
            for step in webhooks.leave(self.facilities, self.former, key, todo, give_up=self.wanted.give_up):
                if step.state == "begun":
                    self._begun([step])
                    continue
                self._took(step)
                failed = failed or step.state == "failed"
        return failed

    def _begin(self) -> tuple[Offboarding, Former]:
        known = self.book.newest(self.tenant)
        if known is not None and not known.finished and not self._came_back(known):
            self._refuse_another_archive(known)
            return known, _former(self.facilities, self.tenant, known.revision)
        if not self.book.counts(self.tenant) and not self.facilities.keys.remains(self.tenant):
            when = f": it was taken out on {known.finished[:10]}" if known is not None and known.finished else ""
            raise Invalid(f"there is nothing of tenant {self.tenant!r} here{when}", code="SYN861")
        self._refuse_former_archive(known)
        found = _former(self.facilities, self.tenant, self.wanted.revision)
        if known is not None and not known.finished:
            over = LeavingStep("superseded", "", "left", message="the tenant was applied again meanwhile")
            self.book.put(structs.replace(known, finished=rfc3339(), steps=(over,)))
        begun = Offboarding(new_run_id(), self.tenant, found.revision, rfc3339())
        self.book.put(begun)
        return begun, found

    def _came_back(self, known: Offboarding) -> bool:
        """Whether the tenant was applied, or ran, after an offboarding of it was begun."""
        settings, store = self.facilities.settings, self.facilities.store
        if self.book.last_run(self.tenant) > known.begun:
            return True
        return declared_since(settings, store, self.tenant, known.begun)

    def _refuse_another_archive(self, known: Offboarding) -> None:
        """Refuses a file in which nothing would be: what is gone on with was exported already."""
        if known.settled("export") and _digest(self.wanted.archive) != known.archive:
            raise Invalid(
                f"{self.wanted.archive} is not the archive that was written on {known.begun[:10]}",
                code="SYN861",
                help=f"It goes on with that one: name the file whose SHA-256 is {known.archive}.",
            )

    def _refuse_former_archive(self, known: Offboarding | None) -> None:
        """Refuses to write over the archive of a time before: what is in it may be nowhere else."""
        if known is not None and known.archive and _digest(self.wanted.archive) == known.archive:
            raise Invalid(
                f"{self.wanted.archive} is the archive of {known.begun[:10]}, and would be written over",
                code="SYN861",
                help="The tenant came back since. Name another file for what there is now.",
            )

    def _took(self, step: LeavingStep) -> None:
        """Journals a step, with what was found of it before a kill, and says so in the log."""
        self.now = structs.replace(self.now, steps=self._with({(step.what, step.subject): step}))
        step = next(one for one in self.now.steps if (one.what, one.subject) == (step.what, step.subject))
        recorder = self.facilities.recorder
        event = recorder.event(
            Action.tenant_export if step.what == "export" else Action.tenant_delete,
            outcome={"failed": EventOutcome.failure, "held": EventOutcome.denied}.get(step.state, EventOutcome.success),
            key=ObjectKey.of_tenant(self.tenant),
            request=self.now.id,
            what=step.what,
            subject=step.subject,
            state=step.state,
            count=step.count,
            archive=self.now.archive,
        )
        recorder.record([replace(event, tenant=self.tenant)])
        self.book.put(structs.replace(self.now, steps=(step,)))
        self.told(step)

    def _files(self) -> None:
        """Commitments to the rows of runs, and the certificate. Before the state, which knows the runs."""
        settings, count = self.facilities.settings, 0
        for run in self.book.runs(self.tenant, self._kept):
            folder = folder_of(settings, run)
            if folder.is_dir():
                count += sum(1 for path in folder.iterdir())
                shutil.rmtree(folder)
        certificate = certificate_path(settings, self.tenant)
        count += certificate.exists()
        certificate.unlink(missing_ok=True)
        self._took(LeavingStep("files", "", "held" if self.held else "done", count, self._why))

    def _state(self) -> None:
        found = self.book.counts(self.tenant, self._kept)
        self._begun(LeavingStep("state", table, "begun", count) for table, count in found.items())
        for table in TABLES:
            known = self.now.step("state", table)
            count = self.book.delete(self.tenant, table, self._kept)
            left = self.book.counts(self.tenant).get(table)
            if known is not None or left:
                step = LeavingStep("state", table, "done", count)
                self._took(structs.replace(step, state="held", message=self._why) if left else step)

    def _key(self) -> None:
        """Destroys the data key, unless something that it seals is held."""
        keys, recorder = self.facilities.keys, self.facilities.recorder
        if self.held:
            self._took(LeavingStep("key", "", "held", message=self._why))
            return
        if keys.remains(self.tenant):
            self._begun([LeavingStep("key", "", "begun", 1)])
            event = recorder.event(
                Action.key_destroy, tenant=self.tenant, purpose="data", kind="tenant", owner=self.tenant
            )
            recorder.record([event])
            keys.destroy(self.tenant)
        if not self.now.settled("key"):
            self._took(LeavingStep("key", "", "done"))

    def _begun(self, steps: Iterable[LeavingStep]) -> None:
        """Journals what was found before it goes: a kill in between doesn't make it fewer."""
        found = {(step.what, step.subject): step for step in steps}
        self.now = structs.replace(self.now, steps=self._with(found))
        self.book.put(self.now)

    def _with(self, found: dict[tuple[str, str], LeavingStep]) -> tuple[LeavingStep, ...]:
        """The steps, with these in the place of what they were; of what was found, the most that ever was counts."""
        steps = {(step.what, step.subject): step for step in self.now.steps}
        for key, step in found.items():
            most = max(step.count, steps[key].count if key in steps else 0)
            steps[key] = structs.replace(step, count=most)
        return tuple(steps[key] for key in sorted(steps))

    @property
    def _kept(self) -> list[ObjectKey]:
        return [key.unversioned for key in self.former.flows if str(key) in self.held]

    @property
    def _why(self) -> str:
        return "; ".join(sorted(set(self.held.values())))


def _former(facilities: Facilities, tenant: str, revision: str) -> Former:
    """
    The tenant as it was applied last: its flows by what is kept of them, all else by the commits that Git has.

    `Invalid` (SYN862) where neither says anything.
    """
    store = facilities.store
    known = [k for k in store.tenants().objects(tenant) if k.is_flow or registered(store.cursor(k))]
    last = [text] if (text := store.cursor(ObjectKey.of_tenant(tenant))) else []
    past = {name: then for key in known if key.is_flow for name, then in _past(facilities, key, last)}
    missing = [key for key in known if key not in past]
    try:
        found = former(facilities.settings, store, tenant, revision, missing)
    except Invalid:
        if revision or not past:
            raise
        found = Former(tenant, "", applied_of(last), unexplained=tuple(missing))
    past |= {key: then for key in found.unexplained for then in past.values() if key in then.desired.objects}
    left = tuple(key for key in found.unexplained if key not in past)
    return structs.replace(found, earlier={**found.earlier, **past}, unexplained=left)


def _past(facilities: Facilities, key: ObjectKey, beside: Sequence[str]) -> Iterator[tuple[ObjectKey, Applied]]:
    """How a flow was applied last, and what it, or one that had its name, was when it wrote to other tables before."""
    newer: list[tuple[object, ...]] = []
    for number, (one, then) in enumerate(kept(facilities.store, key, beside)):
        item = then.flows.get(key)
        if item is None:
            if number:  # the last is looked for in Git
                yield one.place, then
        elif (there := where(item.flow, facilities.settings.root)) not in newer:
            newer.append(there)
            yield one.place if number else key, then


def _fate(found: Former, key: ObjectKey) -> str:
    item = found.flow(key)
    if item is None:
        return destinations.UNKNOWN
    flow = item.flow
    what = (
        f"{flow.spec.to} is dropped, if a flow made it" if flow.spec.deletion == "delete" else f"{flow.spec.to} stays"
    )
    return f"{what} (deletion: {flow.spec.deletion})"


def _refuse_declared(settings: Settings, tenant: str) -> None:
    declared = workflow.validate(settings, mapping_tests=False).desired.objects
    mine = [key for key in declared if key.owner == tenant]
    if mine:
        raise Invalid(
            f"tenant {tenant!r} is still declared: {mine[0]}",
            code="SYN861",
            help="Remove its manifests by a commit, and let that be applied: Git decides who is a tenant.",
        )


def _refuse_applied(facilities: Facilities, tenant: str) -> None:
    store = facilities.store
    there = (*store.objects(tenant), store.object(ObjectKey.of_tenant(tenant)))
    if mine := [one.key for one in there if one is not None]:
        raise Invalid(
            f"tenant {tenant!r} is still applied: {mine[0]}",
            code="SYN861",
            help="Apply the commit that removes its manifests: `syncline plan` shows what it retires.",
        )


def _digest(path: Path) -> str:
    return digest_of(path) if path.is_file() else ""


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
