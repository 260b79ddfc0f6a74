"""Looking at what is really there, and saying in an object's conditions what was found.

Looked at are the destinations of flows, the webhooks that integrations have at their systems, the positions of
schedules, credentials whose age is watched, and tenants' data keys.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from syncline.executor.access.admission import tenant_spec
from syncline.executor.drift.flow_drift import FlowDrift, observe_flow
from syncline.executor.drift.key_drift import observe_credential, observe_tenant_key
from syncline.executor.drift.row_drift import with_rows
from syncline.executor.drift.schedule_drift import heal_schedule, observe_schedule
from syncline.executor.drift.webhook_steps import registered
from syncline.executor.drift.webhook_systems import systems
from syncline.executor.drift.webhooks import observe_webhooks, registers
from syncline.kinds.schedule import ScheduleSpec
from syncline.manifests.demands.reactions import reaction_of, terms_of
from syncline.manifests.demands.webhooks import webhooks_of
from syncline.manifests.flow import side_of
from syncline.model.drift import Finding, ObjectDrift
from syncline.reconciler.rotation import rotation_of
from syncline.reconciler.status import after_look

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.executor.flows.applied import Applied
    from syncline.model.key import ObjectKey
    from syncline.model.manifest import Manifest
    from syncline.state.store import StateReader, StateStore

#: Findings that a condition names; the others are counted.
_NAMED = 3
#: Time between looks at webhooks where the tenant says nothing of it: they are declared, so that they are kept.
WEBHOOKS_EVERY: Final = "1h"


def _nowhere(found: ObjectDrift) -> None:
    """Proposes nothing."""
    del found


def look(
    engine: Engine,
    store: StateStore,
    key: ObjectKey,
    *,
    heal: bool | None = None,
    give_up: bool = False,
    propose: Callable[[ObjectDrift], None] = _nowhere,
) -> ObjectDrift:
    """
    What differs of an applied object; `store` keeps the condition. Where it couldn't be looked at, what was said last
    stays.

    As many records as the flow's `compare` says are read, and compared with its rows.

    Changes nothing where `heal` is None. False: what is declared of webhooks is carried out, and what its declared
    reaction says is healed, but for flows, which runs heal. True: so is all that can be. `give_up` forgets webhooks
    that can't be deleted at a system that their integration led to before. `propose` has what is to be adopted be a
    commit that is proposed; how that stands the state says.
    """
    found = _observe(engine, store, key, heal=heal, give_up=give_up)
    applied = engine.applied()
    item = applied.flows.get(key)
    flow = item.flow if item is not None else None
    if flow is not None and isinstance(found, FlowDrift) and (records := terms_of(applied.desired, flow).compare):
        found = with_rows(engine, found, records)
    findings = (replace(one, reaction=reaction_of(applied.desired, flow, key, one)) for one in found.findings)
    found = replace(found, findings=tuple(findings))
    if found.unknown:
        return found
    proposal = None
    if found.adopts:
        propose(found)
        proposal = store.proposals().of(key)
    elif flow is not None and terms_of(applied.desired, flow).tables == "adopt" and store.proposals().of(key):
        store.proposals().put(key, None)  # what it was made for is over
    after_look(store, applied, key, _summary(found), proposal)
    return replace(found, proposed=proposal.said) if proposal is not None else found


def _tells(key: ObjectKey, finding: Finding) -> bool:
    """Whether a condition tells of a difference."""
    match finding.cause:
        case "actor":
            return True
        case "noise":
            return finding.reaction == "report"
        case "intent":
            return key.kind == "Integration" and finding.reaction == "report"
        case "contract":  # of a flow, its run has told; of an integration, that is what remains at a former system
            return key.kind == "Integration"


def looked_at(applied: Applied, store: StateReader) -> dict[ObjectKey, str | None]:
    """What there is to look at beside flows, and how often the daemon does; None: only when somebody asks."""
    found: dict[ObjectKey, str | None] = {}
    for key, manifest in applied.desired.objects.items():
        every = tenant_spec(applied.desired, key.owner).drift.every
        match key.kind:
            case "Integration" if webhooks_of(manifest) or _left_over(applied, store, manifest):
                found[key] = every or WEBHOOKS_EVERY
            case "Schedule" if isinstance(manifest.spec, ScheduleSpec) and manifest.spec.on is None:
                found[key] = every
            case "AuthConfig" if rotation_of(manifest) is not None:
                found[key] = every
            case "Tenant":
                found[key] = every
            case _:
                pass  # nothing of it is anywhere but here
    return found


def _observe(engine: Engine, store: StateStore, key: ObjectKey, *, heal: bool | None, give_up: bool) -> ObjectDrift:
    match key.kind:
        case "Integration":
            return observe_webhooks(engine, store, key, heal=heal, give_up=give_up)
        case "Schedule":
            now = dt.datetime.now(dt.UTC)
            found = observe_schedule(engine, key, now)
            declared = tenant_spec(engine.applied().desired, key.tenant).drift.schedules == "heal"
            if found.findings and (heal or (heal is not None and declared)):
                heal_schedule(engine, store, key, now)
                return observe_schedule(engine, key, now)
            return found
        case "AuthConfig":
            return observe_credential(engine, key)
        case "Tenant":
            return observe_tenant_key(engine, key)
        case _:
            return observe_flow(engine, key)


def _left_over(applied: Applied, store: StateReader, manifest: Manifest) -> bool:
    """Whether webhooks may be registered that an integration doesn't declare any more."""
    side = side_of(applied.desired, manifest, "")
    if side is None:
        return False
    text = store.cursor(manifest.key)
    return bool(registered(text)) if registers(side) else bool(systems(text))


def _summary(found: ObjectDrift) -> str:
    told = tuple(finding for finding in found.findings if _tells(found.key, finding))
    said = [f"{finding.place}: {finding.message}" for finding in told]
    more = [f"{len(said) - _NAMED} more"] if len(said) > _NAMED else []
    return "; ".join([*said[:_NAMED], *more])
