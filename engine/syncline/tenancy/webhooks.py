"""Webhooks that a tenant's integrations have registered at their systems: deleted there, one after the other.

What is deleted is what the state knows to be ours: by the id that the system gave, where it is still sent to where it
was to be. What merely has the same URL is somebody else's, and is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from syncline.connectors.registry import runtime
from syncline.executor.drift.webhook_steps import known_as_ours, like, registered
from syncline.executor.drift.webhook_systems import (
    dumped,
    former_system,
    keyed,
    name_of,
    ours_at,
    place_of,
    systems,
    uncounted,
)
from syncline.executor.flows.instance import SecretUses, instance_of, resolver
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.flow import side_of
from syncline.model.errors import Stalled, SynclineError, Waiting
from syncline.model.event import Action, EventOutcome
from syncline.model.offboarding import LeavingStep, StepState
from syncline.sdk.webhooks import Wanted

if TYPE_CHECKING:
    from collections.abc import Container

    from syncline.executor.flows.former import Former
    from syncline.executor.services.facilities import Facilities
    from syncline.kinds.webhooks import RemoteWebhook
    from syncline.model.key import ObjectKey
    from syncline.sdk.webhooks import Webhook, Webhooks
    from syncline.state.store import StateReader

WHAT: Final = "webhook"
_BY_HAND: Final = "delete it at the system, and add --give-up"


def with_webhooks(reader: StateReader, former: Former) -> dict[ObjectKey, tuple[str, ...]]:
    """The tenant's integrations that declared webhooks to the last, or have registered some, and the names of these."""
    found = {}
    for key in former.integrations:
        if names := sorted({*_declared(former, key), *registered(reader.cursor(key))}):
            found[key] = tuple(names)
    return found


def subject(key: ObjectKey, name: str) -> str:
    """How a step names a webhook: `acme/Integration/forge/push`."""
    return f"{key}/{name}"


def leave(
    facilities: Facilities, former: Former, key: ObjectKey, names: Container[str], *, give_up: bool = False
) -> Iterator[LeavingStep]:
    """
    Deletes these webhooks of an integration at its system. Each is told as `begun` before it is asked for, and as what
    became of it: what couldn't be deleted is tried again later, or `left` with `give_up`.
    """
    store = facilities.store
    todo = [name for name in with_webhooks(store, former).get(key, ()) if name in names]
    done: set[str] = set()
    try:
        with store.lease(f"run/{key}", ""):
            for step in _deleted(facilities, former, key, todo):
                if step.state != "begun":
                    done.add(step.subject)
                yield replace(step, state="left") if give_up and step.state == "failed" else step
    except SynclineError as error:
        state: StepState = "left" if give_up and not isinstance(error, Waiting) else "failed"
        for name in todo:
            if subject(key, name) not in done:
                yield LeavingStep(WHAT, subject(key, name), state, message=_failed(error))


def _deleted(facilities: Facilities, former: Former, key: ObjectKey, names: list[str]) -> Iterator[LeavingStep]:
    manifest = former.under(key).desired.objects.get(key)
    desired = former.under(key).desired
    side = side_of(desired, manifest, "") if manifest is not None else None
    opens = runtime(side.runtime).open_webhooks if side is not None else None
    settings = facilities.settings
    uses = SecretUses(resolver(settings, facilities.keep), key.tenant)
    if side is None or opens is None:
        for name in names:
            message = f"SYN862 no applied commit that Git has here declares how it was registered: {_BY_HAND}"
            yield LeavingStep(WHAT, subject(key, name), "failed", message=message)
        return
    try:
        instance = instance_of(side, desired, settings, uses, uncounted, facilities.keep)
        with closing(opens(instance)) as webhooks:
            here = place_of(side, webhooks)
            kept = registered(facilities.store.cursor(key))
            away = [name for name in names if name in kept and kept[name].at not in {"", here}]
            for name in away:
                yield from _elsewhere(facilities, former, key, name, uses)
            yield from _one_by_one(facilities, former, key, [n for n in names if n not in away], webhooks)
    finally:
        facilities.recorder.record(facilities.recorder.secret_uses(key, uses.names))


def _one_by_one(
    facilities: Facilities, former: Former, key: ObjectKey, names: list[str], webhooks: Webhooks
) -> Iterator[LeavingStep]:
    declared, there = _declared(former, key), webhooks.there()
    digest = partial(keyed, facilities.keys.credential_key(key.tenant))
    for name in names:
        kept = registered(facilities.store.cursor(key))
        known, want = kept.get(name), declared.get(name)
        wanted = Wanted(name, want.url, want.events) if want is not None else None
        others = {one.id for other, one in kept.items() if other != name and (known is None or one.at == known.at)}
        hook = known_as_ours(known, wanted, there, others, digest) if known is not None else None
        if hook is not None:
            yield LeavingStep(WHAT, subject(key, name), "begun", 1)
            try:
                _delete(facilities, key, name, hook, webhooks)
            except Stalled as error:  # of this one: others may be deleted
                yield LeavingStep(WHAT, subject(key, name), "failed", message=_failed(error))
                continue
        elif (other := like(known, wanted, there, others)) is not None:
            message = f"webhook {other.id} there may be it, and isn't known to be: {_BY_HAND}"
            yield LeavingStep(WHAT, subject(key, name), "failed", message=message)
            continue
        if known is not None:
            _forget(facilities, key, name)
        message = "it was deleted at the system" if hook is not None else "it isn't there"
        yield LeavingStep(WHAT, subject(key, name), "done", int(hook is not None), message)


def _elsewhere(
    facilities: Facilities, former: Former, key: ObjectKey, name: str, uses: SecretUses
) -> Iterator[LeavingStep]:
    """Deletes a webhook at the system that the integration led to when it was registered."""
    text = facilities.store.cursor(key)
    kept = registered(text)
    system = systems(text).get(kept[name].at)
    try:
        if system is None:
            raise Stalled("how its system was reached can't be read any more", code="SYN726", help=_BY_HAND)
        with former_system(facilities, former.under(key).desired, key, system, uses) as (webhooks, wanted):
            there = webhooks.there()
            hook = ours_at(name, kept, wanted, there, facilities.keys.credential_key(key.tenant))
            others = {one.id for other, one in kept.items() if other != name and one.at == kept[name].at}
            if hook is None and (other := like(kept[name], wanted.get(name_of(name)), there, others)) is not None:
                message = f"webhook {other.id} at {system.host} may be it, and isn't known to be: {_BY_HAND}"
                yield LeavingStep(WHAT, subject(key, name), "failed", message=message)
                return
            if hook is not None:
                yield LeavingStep(WHAT, subject(key, name), "begun", 1)
                _delete(facilities, key, name, hook, webhooks)
    except SynclineError as error:
        yield LeavingStep(WHAT, subject(key, name), "failed", message=_failed(error))
        return
    _forget(facilities, key, name)
    message = f"it was deleted at {system.host}" if hook is not None else f"it isn't at {system.host} any more"
    yield LeavingStep(WHAT, subject(key, name), "done", int(hook is not None), message)


def _forget(facilities: Facilities, key: ObjectKey, name: str) -> None:
    text = facilities.store.cursor(key)
    facilities.store.put_cursor(key, dumped({n: k for n, k in registered(text).items() if n != name}, systems(text)))


def _failed(error: SynclineError) -> str:
    return f"{error.code} {error.told}; else {_BY_HAND}"


def _delete(facilities: Facilities, key: ObjectKey, name: str, hook: Webhook, webhooks: Webhooks) -> None:
    recorder = facilities.recorder
    outcome, code = EventOutcome.failure, ""
    try:
        webhooks.delete(hook.id)
        outcome = EventOutcome.success
    except SynclineError as error:
        code = error.code
        raise
    finally:
        about = {"webhook": name, "cause": "intent", "code": code}
        recorder.record([recorder.event(Action.webhook_delete, outcome=outcome, key=key, **about)])


def _declared(former: Former, key: ObjectKey) -> Mapping[str, RemoteWebhook]:
    manifest = former.under(key).desired.objects.get(key)
    return manifest.spec.webhooks if manifest is not None and isinstance(manifest.spec, IntegrationSpec) else {}
