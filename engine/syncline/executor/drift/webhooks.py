"""Webhooks at an integration's system: looking at them, and registering what is declared. `webhook_steps` compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.connectors.registry import runtime
from syncline.executor.drift.webhook_steps import Kept, Step, asked_for, compare, known_as_ours, registered
from syncline.executor.drift.webhook_systems import (
    Nowhere,
    System,
    dumped,
    former_system,
    keyed,
    name_of,
    named,
    ours_at,
    place_of,
    system_of,
    systems,
    uncounted,
)
from syncline.executor.flows.instance import SecretUses, instance_of
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.demands.reactions import reaction_of
from syncline.manifests.flow import side_of
from syncline.model.drift import Finding, ObjectDrift
from syncline.model.errors import Invalid, Stalled, SynclineError, Waiting
from syncline.model.event import Action, EventOutcome
from syncline.sdk.webhooks import Wanted, Webhook

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.executor.flows.applied import Applied
    from syncline.manifests.flow import Side
    from syncline.model.key import ObjectKey
    from syncline.model.secret import Secret
    from syncline.sdk.source import Instance
    from syncline.sdk.webhooks import Webhooks
    from syncline.state.store import StateStore


@dataclass(slots=True)
class _At:
    """An integration's system while it is looked at."""

    engine: Engine
    store: StateStore
    key: ObjectKey
    applied: Applied
    webhooks: Webhooks
    wanted: Mapping[str, Wanted]
    digests: Mapping[str, Kept]  # as they are to be kept; without an id
    written: Callable[[object], str]
    here: str
    uses: SecretUses
    kept: dict[str, Kept] = field(default_factory=dict)
    systems: dict[str, System] = field(default_factory=dict)
    remains: dict[str, str] = field(default_factory=dict)  # why one is still at a former system

    def steps(self) -> tuple[list[Step], tuple[Finding, ...], tuple[Webhook, ...]]:
        """What differs from what is there now, the noise, and what is there."""
        there = self.webhooks.there()
        at_hand = {name: one for name, one in self.kept.items() if one.at in {"", self.here}}
        steps, noise = compare(self.wanted, self.digests, at_hand, there, self.written)
        return [*steps, *self._left()], noise, there

    def _left(self) -> Iterator[Step]:
        """What is still registered where the integration no longer leads."""
        for name, one in self.kept.items():
            if one.at in {"", self.here}:
                continue
            host = self.systems[one.at].host if one.at in self.systems else "a former system"
            what = f"webhook {one.id} is still registered at {host}, where the integration no longer leads"
            finding = Finding("intent", f"webhook {name_of(name)}", what)
            if name in self.remains:
                help_ = f"delete it there, then: syncline drift {self.key} --heal --give-up"
                finding = replace(finding, cause="contract", message=f"{what}; {self.remains[name]}; {help_}")
            yield Step(name, finding, "leave", one.id)

    def keep(self, name: str, known: Kept | None) -> None:
        if known is None:
            self.kept.pop(name, None)
        else:
            self.kept[name] = known
        self.save()

    def save(self) -> None:
        """Keeps what is known of them."""
        self.store.put_cursor(self.key, dumped(self.kept, self.systems))


def observe_webhooks(
    engine: Engine, store: StateStore, key: ObjectKey, *, heal: bool | None = None, give_up: bool = False
) -> ObjectDrift:
    """
    Looks at the webhooks of an applied integration. What keeps it from looking is told in the result.

    Changes nothing where `heal` is None. Else what is declared and not carried out yet is: registered, changed or
    deleted; and, where its reaction says so or `heal` is true, what somebody did there is undone. What is found after
    that is told. What is registered at a system that the integration led to before is deleted there; what can't be is
    told until it can, or until somebody says to `give_up`, which forgets it.
    """
    applied = engine.applied()
    manifest = applied.desired.objects.get(key)
    side = side_of(applied.desired, manifest, "") if manifest is not None else None
    if manifest is None or side is None or not isinstance(manifest.spec, IntegrationSpec):
        raise Invalid(f"{key} is not applied", code="SYN630", help="Apply the configuration first: `syncline apply`.")
    found = ObjectDrift(key, side.connector.key.base)
    facilities = engine.facilities
    uses = SecretUses(engine.resolve, key.tenant)
    outcome, seen = EventOutcome.failure, 0
    try:
        with store.lease(f"run/{key}", ""):
            text = store.cursor(key)
            opens = runtime(side.runtime).open_webhooks
            if not manifest.spec.webhooks and not registers(side) and systems(text):
                opens = _nowhere
            if opens is None:
                raise Invalid(f"{found.to} registers no webhooks", code="SYN790")
            instance = instance_of(side, applied.desired, facilities.settings, uses, uncounted, facilities.keep)
            wanted = {name: _wanted(name, manifest.spec, uses) for name in manifest.spec.webhooks}
            secret_key = facilities.keys.credential_key(key.tenant)
            with closing(opens(instance)) as webhooks:
                written = partial(keyed, secret_key)
                here = place_of(side, webhooks)
                digests = {name: _digest(one, secret_key, here) for name, one in wanted.items()}
                at = _At(engine, store, key, applied, webhooks, wanted, digests, written, here, uses)
                at.systems = {**systems(text), here: system_of(side, applied.desired, instance, secret_key)}
                at.kept = named(registered(text), at.systems, here)
                steps, noise, there = at.steps()
                if heal is not None:
                    _settle(at, there)
                    for again in (True, False):
                        todo = [step for step in steps if _carried_out(at, step, manifest.spec, heal=heal)]
                        if not todo:
                            break
                        _carry_out(at, todo, there, give_up=give_up)
                        steps, noise, there = at.steps()
                        if again and not any(step.does == "leave" for step in todo):
                            break  # what was deleted at a former system may have been in the way
        outcome, seen = EventOutcome.success, len(steps) + len(noise)
        return replace(found, findings=(*(step.finding for step in steps), *noise))
    except Waiting:
        outcome = EventOutcome.success
        return replace(found, unknown="somebody is registering them")
    except SynclineError as error:
        return replace(found, unknown=f"{error.code} {error.message}", error=error)
    finally:
        recorder = facilities.recorder
        used = recorder.secret_uses(key, uses.names)
        recorder.record([*used, recorder.event(Action.drift_observe, outcome=outcome, key=key, differences=seen)])


def _carried_out(at: _At, step: Step, spec: IntegrationSpec, *, heal: bool) -> bool:
    """Whether a difference is ended now."""
    if step.does == "wait" or step.name in at.remains:
        return False
    if heal:
        return True
    if step.finding.cause == "actor" and step.name not in spec.webhooks:
        return False
    return reaction_of(at.applied.desired, None, at.key, step.finding) == "heal"


def _settle(at: _At, there: Sequence[Webhook]) -> None:
    """Keeps where they are registered, and how that is reached now, where that isn't what the state has."""
    for name, one in at.kept.items():
        others = {known.id for other, known in at.kept.items() if other != name}
        if not one.at and known_as_ours(one, at.wanted.get(name), there, others, at.written) is not None:
            at.kept[name] = replace(one, at=at.here)
    if dumped(at.kept, at.systems) != at.store.cursor(at.key) and at.kept:
        at.save()


def _leave(at: _At, step: Step, *, give_up: bool) -> None:
    """Deletes a webhook at the system where it was registered before; says what keeps it from that."""
    facilities, one = at.engine.facilities, at.kept[step.name]
    recorder, system = facilities.recorder, at.systems.get(one.at)
    outcome, code = EventOutcome.failure, ""
    try:
        if system is None:
            raise Stalled("how it was reached can't be read any more", code="SYN726", help="Delete it there by hand.")
        with former_system(facilities, at.applied.desired, at.key, system, at.uses) as (webhooks, wanted):
            there = webhooks.there()
            hook = ours_at(step.name, at.kept, wanted, there, facilities.keys.credential_key(at.key.tenant))
            if hook is None and one.id and any(webhook.id == one.id for webhook in there):
                raise Stalled(
                    "somebody changed where it is sent, so that it may be another's", code="SYN726", help="Look at it."
                )
            if hook is not None:
                webhooks.delete(hook.id)
        outcome = EventOutcome.success
        at.keep(step.name, None)
    except SynclineError as error:
        code = error.code
        if give_up and not isinstance(error, Waiting):
            at.keep(step.name, None)
        else:
            at.remains[step.name] = f"{error.code} {error.told}"
    finally:
        about = {"webhook": step.name, "id": step.id, "cause": step.finding.cause, "code": code}
        event = recorder.event(Action.webhook_delete, outcome=outcome, key=at.key, **about, given_up=give_up)
        recorder.record([event])


def _carry_out(at: _At, steps: Sequence[Step], there: Sequence[Webhook], *, give_up: bool) -> None:
    recorder = at.engine.facilities.recorder
    for step in sorted(steps, key=lambda step: step.does == "leave"):
        if step.does == "leave":
            _leave(at, step, give_up=give_up)
            continue
        action = Action.webhook_register if step.does == "register" else Action.webhook_delete
        outcome, code = EventOutcome.failure, ""
        try:
            if step.does == "delete":
                if step.id:
                    at.webhooks.delete(step.id)
                at.keep(step.name, None)
            else:
                there = _register(at, step, there)
            outcome = EventOutcome.success
        except SynclineError as error:
            code = error.code
            raise
        finally:
            about = {"webhook": step.name, "cause": step.finding.cause, "code": code}
            recorder.record([recorder.event(action, outcome=outcome, key=at.key, **about)])


def _register(at: _At, step: Step, there: Sequence[Webhook]) -> tuple[Webhook, ...]:
    """Registers a webhook and keeps it under the id that the system now tells; what is there after that."""
    name, former = step.name, at.kept.get(step.name)
    want = at.wanted[name]
    before = tuple(sorted(webhook.id for webhook in there if webhook.id != step.id))
    asked = replace(at.digests[name], id=step.id, before=before)
    at.keep(name, asked)
    try:
        at.webhooks.register(replace(want, id=step.id))
    except SynclineError as error:
        if error.code == "SYN791":  # the system refused it
            at.keep(name, former)
        raise
    at.keep(name, replace(asked, answered=True))
    now = tuple(at.webhooks.there())
    hook = next((webhook for webhook in now if webhook.id == step.id), None)
    others = {known.id for other, known in at.kept.items() if other != name and known.at == at.here}
    hook = hook or asked_for(want, before, now, others)
    if hook is None:
        raise Invalid(
            f"{at.key}: webhook {name} was registered, and isn't in the list of those that are there",
            code="SYN792",
            help="Look at `webhooks` of the connector: at its stream, and at id and url.",
        )
    at.keep(name, replace(at.digests[name], id=hook.id, written="" if hook.url == want.url else at.written(hook.url)))
    return now


def registers(side: Side) -> bool:
    """Whether the connector of an integration says how webhooks are registered."""
    return isinstance(side.connector.spec, ConnectorSpec) and side.connector.spec.webhooks is not None


def _nowhere(instance: Instance) -> Webhooks:
    del instance
    return Nowhere()


def _wanted(name: str, spec: IntegrationSpec, uses: SecretUses) -> Wanted:
    declared = spec.webhooks[name]
    secret: Secret | None = uses(declared.secret) if declared.secret is not None else None
    return Wanted(name, declared.url, declared.events, secret)


def _digest(wanted: Wanted, key: bytes, here: str) -> Kept:
    """What is kept of it: digests that tell nothing without the tenant's key."""
    secret = keyed(key, ["webhook", wanted.secret.reveal()]) if wanted.secret is not None else ""
    return Kept("", keyed(key, [wanted.url, sorted(wanted.events)]), secret, at=here)
