"""Webhooks at an integration's system: what is registered there against what is declared, and registering it.

The state keeps, for each that was registered, the system's id of it and keyed digests of what was declared and of its
secret: a system doesn't show the secret that it has, so that this is how a replaced one is found. Before one is
registered, the state keeps that it is asked for and what was there: what is there after that is ours, however the
system writes its URL, also where the answer was lost. What was there before is somebody else's, even with the same URL.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from syncline.connectors.registry import runtime
from syncline.executor.admission import tenant_spec
from syncline.executor.instance import SecretUses, instance_of
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


@dataclass(frozen=True, slots=True)
class Kept:
    """
    What the state keeps of a webhook that was registered, or is asked for: then `before` has the ids that were there.

    `answered`: the system said that it is registered. `written`: a keyed digest of the URL as the system writes it, ''
    where that is as it is declared.
    """

    id: str
    declared: str
    secret: str = ""
    written: str = ""
    before: tuple[str, ...] | None = None
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A difference, and what ends it: registering under `id` ('' for a new one), deleting that, or a person."""

    name: str
    finding: Finding
    does: Literal["register", "delete", "wait"]
    id: str = ""


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
        self.store.put_cursor(self.key, _dumped(self.kept))


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
            instance = instance_of(side, applied.desired, facilities.settings, uses, _uncounted, facilities.keep)
            wanted = {name: _wanted(name, manifest.spec, uses) for name in manifest.spec.webhooks}
            secret_key = facilities.keys.credential_key(key.tenant)
            digests = {name: _digest(one, secret_key) for name, one in wanted.items()}
            kept = registered(store.cursor(key))
            with closing(opens(instance)) as webhooks:
                written = partial(_keyed, secret_key)
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
        return replace(found, unknown=f"{error.code} {error.message}")
    finally:
        recorder = facilities.recorder
        used = recorder.secret_uses(key, uses.names)
        recorder.record([*used, recorder.event(Action.drift_observe, outcome=outcome, key=key, differences=seen)])


def compare(
    wanted: Mapping[str, Wanted],
    digests: Mapping[str, Kept],
    kept: Mapping[str, Kept],
    there: Sequence[Webhook],
    written: Callable[[str], str],
) -> tuple[tuple[Step, ...], tuple[Finding, ...]]:
    """What differs between declared webhooks, those that were registered and those that are there; and the noise."""
    by_id = {webhook.id: webhook for webhook in there}
    ours = {known.id for known in kept.values()} & set(by_id)
    steps: list[Step] = []
    for name, want in wanted.items():
        known = kept.get(name)
        hook = by_id.get(known.id) if known is not None else None
        if hook is None and known is not None and known.before is not None:
            hook = _asked_for(want, known.before, there, ours)
            if hook is not None:
                ours.add(hook.id)
        if hook is None and (why := _waits(want, known, there, ours)):
            steps.append(Step(name, Finding("intent", f"webhook {name}", why), "wait"))
            continue
        finding = _differs(name, want, digests[name], known, hook, written)
        if finding is not None:
            steps.append(Step(name, finding, "register", hook.id if hook is not None else ""))
    for name, known in kept.items():
        if name not in wanted:
            message = "it isn't declared any more"
            steps.append(Step(name, Finding("intent", f"webhook {name}", message), "delete", known.id))
    noise = tuple(
        Finding("noise", f"webhook {w.id}", f"to {_host(w.url)}, of somebody else") for w in there if w.id not in ours
    )
    return tuple(steps), noise


def registered(text: str | None) -> dict[str, Kept]:
    """What the state keeps of an integration's webhooks; nothing where it has none, or nobody can read it."""
    try:
        found = {name: Kept(**known) for name, known in json.loads(text or "{}")["webhooks"].items()}
        return {
            name: replace(known, before=tuple(known.before)) if known.before is not None else known
            for name, known in found.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _asked_for(want: Wanted, before: Sequence[str], there: Sequence[Webhook], ours: set[str]) -> Webhook | None:
    """The webhook that is there since it was asked for; None for none, or where others are that may be it as well."""
    new = [w for w in there if w.id not in before and w.id not in ours and _host(w.url) == _host(want.url)]
    same = [w for w in new if w.url == want.url]
    return same[-1] if same else new[0] if len(new) == 1 else None


def _waits(want: Wanted, known: Kept | None, there: Sequence[Webhook], ours: set[str]) -> str:
    """Why a webhook that isn't there isn't registered, for people; '' where it is to be."""
    if known is not None and known.before is not None:
        if known.answered:
            return "it was registered, and isn't found in the list: leave it out and apply, then declare it again"
        if any(w.id not in known.before and w.id not in ours and _host(w.url) == _host(want.url) for w in there):
            return "it was asked for, and several are there that may be it: delete them there"
    other = next((w for w in there if w.url == want.url and w.id not in ours), None)
    return f"webhook {other.id}, of somebody else, has its URL: delete it there, or use another" if other else ""


def _differs(
    name: str,
    want: Wanted,
    digest: Kept,
    known: Kept | None,
    hook: Webhook | None,
    written: Callable[[str], str],
) -> Finding | None:
    place = f"webhook {name}"
    if known is None or known.before is not None:
        what = "it isn't registered yet" if hook is None else "it is there, and isn't taken over yet"
        return Finding("intent", place, what)
    if hook is None:
        return Finding("actor", place, "it was deleted", lost=True)
    if (known.declared, known.secret) != (digest.declared, digest.secret):
        changed = known.declared != digest.declared
        what = "it is declared otherwise" if changed else "its secret was replaced"
        return Finding("intent", place, f"{what} since it was registered")
    said = list(_changed(want, hook, known.written, written))
    return Finding("actor", place, ", ".join(said), lost=True) if said else None


def _changed(want: Wanted, hook: Webhook, as_written: str, written: Callable[[str], str]) -> Iterator[str]:
    if hook.url != want.url and written(hook.url) != as_written:
        yield f"it is sent to another URL, at {_host(hook.url)}"
    if hook.events is not None and set(hook.events) != set(want.events):
        yield f"it is sent {', '.join(sorted(hook.events)) or 'nothing'} instead of {', '.join(want.events)}"
    if not hook.active:
        yield "it is disabled"


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
    hook = hook or _asked_for(want, before, now, {known.id for other, known in at.kept.items() if other != name})
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
    secret = _keyed(key, ["webhook", wanted.secret.reveal()]) if wanted.secret is not None else ""
    return Kept("", _keyed(key, [wanted.url, sorted(wanted.events)]), secret)


def _keyed(key: bytes, value: object) -> str:
    return hmac.new(key, json.dumps(value).encode(), hashlib.sha256).hexdigest()


def _dumped(kept: Mapping[str, Kept]) -> str:
    return json.dumps({"webhooks": {name: asdict(known) for name, known in sorted(kept.items())}}, sort_keys=True)


def _host(url: str) -> str:
    """Where a URL leads, without what may be secret in it."""
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"


def _uncounted(name: str, value: float) -> None:
    """Metrics belong to runs."""
    del name, value
