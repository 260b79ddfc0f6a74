"""Webhooks at an integration's system: looking at them, and registering what is declared. `webhook_steps` compares."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from syncline.connectors.registry import runtime
from syncline.executor.admission import tenant_spec
from syncline.executor.instance import SecretUses, instance_of
from syncline.executor.webhook_steps import Kept, Step, asked_for, compare, registered
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.flow import side_of
from syncline.model.drift import Finding, ObjectDrift
from syncline.model.errors import Invalid, SynclineError, Waiting
from syncline.model.event import Action, EventOutcome
from syncline.sdk.webhooks import Wanted, Webhook

if TYPE_CHECKING:
    from syncline.executor.applied import Applied
    from syncline.executor.engine import Engine
    from syncline.kinds.drift import Reaction
    from syncline.model.key import ObjectKey
    from syncline.model.secret import Secret
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
    written: Callable[[str], str]
    kept: dict[str, Kept] = field(default_factory=dict)

    def steps(self) -> tuple[list[Step], tuple[Finding, ...], tuple[Webhook, ...]]:
        """What differs from what is there now, the noise, and what is there."""
        there = self.webhooks.there()
        steps, noise = compare(self.wanted, self.digests, self.kept, there, self.written)
        return list(steps), noise, there

    def keep(self, name: str, known: Kept | None) -> None:
        if known is None:
            self.kept.pop(name, None)
        else:
            self.kept[name] = known
        self.store.put_cursor(self.key, dumped(self.kept))


def observe_webhooks(engine: Engine, store: StateStore, key: ObjectKey, *, heal: bool | None = None) -> ObjectDrift:
    """
    Looks at the webhooks of an applied integration. What keeps it from looking is told in the result.

    Changes nothing where `heal` is None. Else what is declared and not carried out yet is: registered, changed or
    deleted; and, where its reaction says so or `heal` is true, what somebody did there is undone. What is found after
    that is told.
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
            opens = runtime(side.runtime).open_webhooks
            if opens is None:
                raise Invalid(f"{found.to} registers no webhooks", code="SYN790")
            instance = instance_of(side, applied.desired, facilities.settings, uses, uncounted, facilities.keep)
            wanted = {name: _wanted(name, manifest.spec, uses) for name in manifest.spec.webhooks}
            secret_key = facilities.keys.credential_key(key.tenant)
            digests = {name: _digest(one, secret_key) for name, one in wanted.items()}
            kept = registered(store.cursor(key))
            with closing(opens(instance)) as webhooks:
                written = partial(keyed, secret_key)
                at = _At(engine, store, key, applied, webhooks, wanted, digests, written, kept)
                steps, noise, there = at.steps()
                if heal is not None and (todo := [s for s in steps if _carried_out(at, s, manifest.spec, heal=heal)]):
                    _carry_out(at, todo, there)
                    steps, noise, _ = at.steps()
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
    if step.does == "wait":
        return False
    if step.finding.cause == "intent" or heal:
        return True
    declared = spec.webhooks.get(step.name)
    default: Reaction | None = tenant_spec(at.applied.desired, at.key.tenant).drift.webhooks
    return declared is not None and (declared.drift or default) == "heal"


def _carry_out(at: _At, steps: Sequence[Step], there: Sequence[Webhook]) -> None:
    recorder = at.engine.facilities.recorder
    for step in steps:
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
    hook = hook or asked_for(want, before, now, {known.id for other, known in at.kept.items() if other != name})
    if hook is None:
        raise Invalid(
            f"{at.key}: webhook {name} was registered, and isn't in the list of those that are there",
            code="SYN792",
            help="Look at `webhooks` of the connector: at its stream, and at id and url.",
        )
    at.keep(name, replace(at.digests[name], id=hook.id, written="" if hook.url == want.url else at.written(hook.url)))
    return now


def _wanted(name: str, spec: IntegrationSpec, uses: SecretUses) -> Wanted:
    declared = spec.webhooks[name]
    secret: Secret | None = uses(declared.secret) if declared.secret is not None else None
    return Wanted(name, declared.url, declared.events, secret)


def _digest(wanted: Wanted, key: bytes) -> Kept:
    """What is kept of it: digests that tell nothing without the tenant's key."""
    secret = keyed(key, ["webhook", wanted.secret.reveal()]) if wanted.secret is not None else ""
    return Kept("", keyed(key, [wanted.url, sorted(wanted.events)]), secret)


def keyed(key: bytes, value: object) -> str:
    """A digest of a value, JSON, that tells nothing without the tenant's key."""
    return hmac.new(key, json.dumps(value).encode(), hashlib.sha256).hexdigest()


def dumped(kept: Mapping[str, Kept]) -> str:
    """What `registered` reads."""
    return json.dumps({"webhooks": {name: asdict(known) for name, known in sorted(kept.items())}}, sort_keys=True)


def uncounted(name: str, value: float) -> None:
    """Metrics belong to runs."""
    del name, value
