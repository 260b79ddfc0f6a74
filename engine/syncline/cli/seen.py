"""What commands show of manifests and plans to who acts: tenants that they have no role in aren't there."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.model.errors import Again, Stalled, SynclineError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from syncline.cli.app import App
    from syncline.executor.access.seen import Unseen
    from syncline.manifests.desired import Desired
    from syncline.manifests.load import LoadResult
    from syncline.model.diagnostic import Diagnostic
    from syncline.model.key import ObjectKey
    from syncline.model.plan import Plan
    from syncline.settings import Settings


def declared(settings: Settings) -> tuple[LoadResult, Unseen]:
    """What is declared and seen, with findings about that, and what isn't."""
    from syncline.executor.access.seen import unseen_of
    from syncline.manifests import overlay

    loaded = overlay.declared(settings.root, settings.environment)
    unseen = unseen_of(settings, loaded.manifests)
    if not unseen:
        return loaded, unseen
    manifests = tuple(manifest for manifest in loaded.manifests if unseen.sees(manifest.key))
    return replace(loaded, manifests=manifests, diagnostics=unseen.findings(loaded.diagnostics)), unseen


def declared_keys(settings: Settings) -> tuple[ObjectKey, ...]:
    """Names of what is declared and seen."""
    return tuple(manifest.key for manifest in declared(settings)[0].manifests)


def keys_of(settings: Settings, desired: Desired) -> tuple[ObjectKey, ...]:
    """Names of objects that are seen, of those that a validation read."""
    from syncline.executor.access.seen import unseen_of

    unseen = unseen_of(settings, desired.objects.values())
    return tuple(key for key in desired.objects if unseen.sees(key))


def findings(settings: Settings, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Findings about what is seen; none where that can't be found out."""
    known = tuple(found)
    if not known:
        return ()
    from syncline.executor.access.seen import unseen_of
    from syncline.manifests import overlay

    with suppress(SynclineError):
        try:
            return _unseen(settings).findings(known)
        except (Again, Stalled):  # the state can't be asked
            manifests = overlay.declared(settings.root, settings.environment).manifests
            return unseen_of(settings, manifests).findings(known)
    return ()


def plan(app: App, settings: Settings, made: Plan) -> tuple[Plan, Unseen]:
    """A plan as it is seen, and what isn't. That is said, also where it stands against the plan."""
    unseen = _unseen(settings)
    shown = unseen.plan(made)
    if unseen:
        from syncline.cli.output.plan_text import verdict
        from syncline.executor.access.seen import KEPT_BACK

        against = " Something of them stands against this plan." if verdict(made) and not verdict(shown) else ""
        app.note(f"{KEPT_BACK} A plan is applied whole, with what is theirs.{against}")
    return shown, unseen


def _unseen(settings: Settings) -> Unseen:
    """What who acts doesn't see of what is applied and declared."""
    from syncline.executor.access.roles import hidden
    from syncline.executor.access.seen import Unseen, without
    from syncline.manifests import overlay

    tenants = hidden(settings)
    if not tenants:  # nothing has to be read for it
        return Unseen()
    return without(tenants, settings, overlay.declared(settings.root, settings.environment).manifests)
