"""The secrets that manifests refer to: which there are, whether they can be had, how they are put in place."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.executor.access.roles import Right, demand, hidden
from syncline.executor.flows.applied import read_applied
from syncline.executor.flows.instance import secret_context
from syncline.executor.services.facilities import open_facilities
from syncline.model.errors import SynclineError
from syncline.model.event import Action, EventOutcome
from syncline.model.key import ObjectKey
from syncline.model.secret import Secret
from syncline.reconciler.needs import reference, secret_refs
from syncline.secrets import window
from syncline.secrets.contract import Sessions, Until
from syncline.secrets.provider import resolve, until, writer
from syncline.state.open import open_reader

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.secrets.contract import Reference
    from syncline.settings import Settings

#: Bytes of randomness in a value that is made here.
RANDOM = 32


class Use(Struct, frozen=True):
    """A secret as a tenant ('' for what is shared) refers to it, and the objects that do."""

    reference: Reference
    tenant: str
    objects: tuple[str, ...]


class Looked(Struct, frozen=True):
    """What came of resolving a secret: nothing wrong, or why it can't be had. Never its value.

    `until`: when one ends that was made for us, had it been kept.
    """

    use: Use
    ok: bool
    code: str = ""
    message: str = ""
    help: str = ""
    until: Until | None = None


def uses(desired: Desired) -> tuple[Use, ...]:
    """Every secret that is referred to, by tenant and name."""
    found: dict[tuple[str, Reference], list[str]] = {}
    for key, manifest in desired.objects.items():
        for ref in secret_refs(manifest.spec):
            found.setdefault((key.tenant, reference(ref)), []).append(str(key))
    return tuple(
        Use(ref, tenant, tuple(dict.fromkeys(objects)))
        for (tenant, ref), objects in sorted(found.items(), key=lambda item: (item[0][0], str(item[0][1])))
    )


def seen_uses(settings: Settings, desired: Desired) -> tuple[Use, ...]:
    """Those of tenants in which who acts has a role, and of what is shared."""
    unseen = hidden(settings)
    return tuple(use for use in uses(desired) if use.tenant not in unseen)


def check_secrets(settings: Settings, desired: Desired) -> Iterator[Looked]:
    """
    Resolves every secret that who acts may see the use of, as a run would; the log tells of their use before. What was
    made for that is given back.
    """
    found = seen_uses(settings, desired)
    if found:
        with open_facilities(settings) as facilities:
            recorder = facilities.recorder
            recorder.record(
                [
                    recorder.event(Action.secret_use, key=ObjectKey.parse(name), secret=str(use.reference))
                    for use in found
                    for name in use.objects
                ]
            )
    with closing(Sessions()) as sessions:
        for use in found:
            where = secret_context(settings, use.tenant, sessions)
            try:
                resolve(use.reference, where)
                yield Looked(use, ok=True, until=until(use.reference, where))
            except SynclineError as error:
                yield Looked(use, ok=False, code=error.code, message=error.message, help=error.help)


def set_secret(settings: Settings, ref: Reference, tenant: str, value: Secret) -> None:
    """Puts a value in place, whatever was there. `Invalid` (SYN828) where the provider can't be written to."""
    _demand(settings, ref, tenant)
    with closing(Sessions()) as sessions:
        provider = writer(ref, secret_context(settings, tenant, sessions))
        with _evidence(settings, Action.secret_set, ref, tenant, "set"):
            provider.put(ref, value)


def rotate_secret(settings: Settings, ref: Reference, tenant: str, value: Secret) -> bool:
    """Puts a new value in place and keeps the former one for a window; whether there was one."""
    _demand(settings, ref, tenant)
    with closing(Sessions()) as sessions, _evidence(settings, Action.secret_rotate, ref, tenant, "replace"):
        return window.replace(ref, value, secret_context(settings, tenant, sessions))


def finish_rotation(settings: Settings, ref: Reference, tenant: str) -> bool:
    """Ends the window of a rotation; whether there was one."""
    _demand(settings, ref, tenant)
    with closing(Sessions()) as sessions, _evidence(settings, Action.secret_rotate, ref, tenant, "finish"):
        return window.finish(ref, secret_context(settings, tenant, sessions))


@contextmanager
def _evidence(settings: Settings, action: Action, ref: Reference, tenant: str, step: str) -> Iterator[None]:
    """The log tells when a change of a secret begins, and how it ended. Nothing is changed that it can't tell of."""
    with open_facilities(settings) as facilities:
        recorder = facilities.recorder

        def tell(phase: str, outcome: EventOutcome = EventOutcome.success, code: str = "") -> None:
            about = recorder.event(
                action, outcome=outcome, tenant=tenant, secret=str(ref), step=step, phase=phase, code=code
            )
            recorder.record([about])

        tell("begin")
        try:
            yield
        except SynclineError as error:
            tell("end", EventOutcome.failure, error.code)
            raise
        tell("end")


def _demand(settings: Settings, ref: Reference, tenant: str) -> None:
    """
    `Denied` (SYN865) for whoever may not care for secrets of the tenant that is named, and of those whose applied
    manifests refer to this one.
    """
    with closing(open_reader(settings.state_url)) as reader:
        owners = {use.tenant for use in uses(read_applied(reader).desired) if use.reference == ref}
    for owner in sorted({tenant, *owners}):
        demand(settings, owner, Right.unseal)


def random_secret() -> Secret:
    """A new value that can't be guessed: 64 hex digits."""
    return Secret(secrets.token_hex(RANDOM))
