"""Removing what was kept to undo imports, once nobody may undo them any more."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syncline.executor.image_keys import ALL, FEW, NEWEST, destroy_expired, has_keys
from syncline.kinds.import_ import ImportSpec
from syncline.model.errors import SynclineError, Waiting
from syncline.sdk.offers import offers
from syncline.sdk.reversal import Reversing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from syncline.executor.engine import Engine
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import CompiledFlow


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
    applied = engine.applied()
    item = applied.flow(key)
    if not all(result.allowed for result in engine.decide(item, applied)):
        return 0
    integration = item.flow.target.integration.key
    flows = [other for other, found in applied.flows.items() if found.flow.target.integration.key == integration]
    return _expire(engine, item, flows)


def expire_after(engine: Engine, key: ObjectKey) -> int:
    """
    The same when a run has ended, since there may be no daemon that does it: of an import that keeps something, or did,
    and of its newest runs, so that it takes no time that anybody notices. Not where policy denies the import.
    """
    applied = engine.applied()
    item = applied.flow(key)
    spec = item.flow.spec
    if not isinstance(spec, ImportSpec) or (spec.rollback is None and not has_keys(engine, key, FEW)):
        return 0
    if not all(result.allowed for result in engine.decide(item, applied)):
        return 0
    return _expire(engine, item, (key,), NEWEST)


@contextmanager
def expiring(engine: Engine, key: ObjectKey, tell: Callable[[str], None]) -> Iterator[None]:
    """
    Does that when the run in the block has ended, well or not. It is no part of it: what goes wrong is told, unless the
    run has failed by the same. Not where another run of the import is under way, which does it.
    """
    try:
        yield
    except Waiting:
        raise
    except SynclineError as error:
        _expire_telling(engine, key, tell, error.code)
        raise
    _expire_telling(engine, key, tell)


def _expire_telling(engine: Engine, key: ObjectKey, tell: Callable[[str], None], known: str = "") -> None:
    try:
        if removed := expire_after(engine, key):
            tell(removed_of(key, removed))
    except SynclineError as error:
        if error.code != known:
            tell(f"{key}: {error.code} {error.told}")


def removed_of(key: ObjectKey, runs: int) -> str:
    """Says that so many runs of an import can't be undone any more.

    >>> removed_of("acme/Import/customers", 1)
    'acme/Import/customers: the window of 1 run is over, and what was kept to undo them is removed'
    """
    many = "1 run" if runs == 1 else f"{runs:,} runs"
    return f"{key}: the window of {many} is over, and what was kept to undo them is removed"


def _expire(engine: Engine, item: CompiledFlow, flows: Iterable[ObjectKey], newest: int = ALL) -> int:
    facilities, key = engine.facilities, item.flow.key
    opener = engine.opener(item, engine.applied(), facilities.settings, engine.resolve, facilities.keep)
    removed, now = 0, datetime.now(UTC)
    with closing(opener.destination()) as destination:
        if offers(destination, Reversing):
            try:
                removed = destination.expire(now)
            finally:
                # Runs remove what is over as well, and so had a pass that was killed: keys are looked for all the same.
                destroy_expired(engine, flows, now, destination, newest)
    recorder = facilities.recorder
    recorder.record(recorder.secret_uses(key, opener.secrets.names))
    return removed
