"""Removing what was kept to undo imports, once nobody may undo them any more."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syncline.executor.image_keys import destroy_expired, has_keys
from syncline.kinds.import_ import ImportSpec
from syncline.sdk.offers import offers
from syncline.sdk.reversal import Reversing

if TYPE_CHECKING:
    from syncline.executor.engine import Engine
    from syncline.model.key import ObjectKey


def keeping(engine: Engine) -> tuple[ObjectKey, ...]:
    """
    One import for each integration that has what is kept: removing there isn't asked of each of them. An import that
    doesn't declare rollback any more may have some, as long as keys of it are there.
    """
    found: dict[ObjectKey, ObjectKey] = {}
    for key, item in sorted(engine.applied().flows.items()):
        spec, integration = item.flow.spec, item.flow.target.integration.key
        if not isinstance(spec, ImportSpec) or integration in found:
            continue
        if spec.rollback is not None or has_keys(engine, key):
            found[integration] = key
    return tuple(found.values())


def expire(engine: Engine, key: ObjectKey) -> int:
    """Removes, at an import's destination, what is kept of runs whose window is over; the number of runs."""
    facilities, applied = engine.facilities, engine.applied()
    item = applied.flow(key)
    if not all(result.allowed for result in engine.decide(item, applied)):
        return 0
    opener = engine.opener(item, applied, facilities.settings, engine.resolve, facilities.keep)
    removed, now = 0, datetime.now(UTC)
    with closing(opener.destination()) as destination:
        if offers(destination, Reversing):
            removed = destination.expire(now)
            # Runs remove what is over as well, and so had a pass that was killed: keys are looked for all the same.
            destroy_expired(engine, item.flow.target.integration.key, now, destination)
    recorder = facilities.recorder
    recorder.record(recorder.secret_uses(key, opener.secrets.names))
    return removed
