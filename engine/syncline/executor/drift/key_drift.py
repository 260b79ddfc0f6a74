"""Versions of keys: a tenant's data key against the ring, and a credential against what a run used last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.executor.flows.credentials import digest_of, secrets_of
from syncline.executor.flows.instance import SecretUses
from syncline.kinds.auth import AuthConfigSpec
from syncline.model.drift import Finding, ObjectDrift
from syncline.model.errors import SynclineError
from syncline.model.event import Action
from syncline.secrets.keys import ring_file

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.model.key import ObjectKey


def observe_tenant_key(engine: Engine, key: ObjectKey) -> ObjectDrift:
    """Whether a tenant's data key is wrapped by the ring's newest key. Nothing is unwrapped."""
    facilities = engine.facilities
    entries = [entry.id for entry in ring_file.read(facilities.settings.keys) if entry.ready]
    by = dict(facilities.keys.tenants()).get(key.name)
    found = ObjectDrift(key, "keys")
    if by is None or (entries and by == entries[-1]):
        return found
    if by in entries:
        finding = Finding("intent", "data key", f"a rotation isn't finished: it is still wrapped by the key {by}")
    else:
        finding = Finding("actor", "data key", f"the key {by} that wraps it isn't in the ring any more")
    return ObjectDrift(key, "keys", (finding,))


def observe_credential(engine: Engine, key: ObjectKey) -> ObjectDrift:
    """
    Whether a credential whose age is watched is there, and the one that was used last.

    One that was replaced where it is kept is no trouble: the next run takes it. It is told, so that nobody wonders.
    """
    applied, facilities = engine.applied(), engine.facilities
    spec = applied.desired.objects[key].spec
    assert isinstance(spec, AuthConfigSpec)
    uses = SecretUses(engine.resolve, key.tenant)
    try:
        secrets = secrets_of(spec.root, uses)
    except SynclineError as error:
        return ObjectDrift(key, findings=(Finding("actor", "secret", f"{error.code} {error.message}"),))
    finally:
        recorder = facilities.recorder
        recorder.record([recorder.event(Action.secret_use, key=key, secret=name) for name in uses.names])
    seen = facilities.store.credentials().get(key)
    if seen is None:
        return ObjectDrift(key, unknown="no run has used it yet")
    if seen.digest == digest_of(facilities, key, secrets):
        return ObjectDrift(key)
    message = f"it was replaced since {seen.seen[:10]}, when it was first used: the next run takes the new one"
    return ObjectDrift(key, findings=(Finding("noise", "secret", message),))
