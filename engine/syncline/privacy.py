"""A person's data: what there is of it, erasing it, and the certificate that it was done.

    mappings' subjects → destinations and rejects → request → certificate → evidence

Nothing is declared here and nothing that is declared changes: whose requests these are is no business of Git, which
forgets nothing.
"""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from syncline import workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from syncline.executor.privacy.erasure import Held
    from syncline.executor.retention.old_rows import Retained
    from syncline.model.erasure import Erasure, ErasurePlace
    from syncline.model.key import ObjectKey
    from syncline.model.subject import Subject
    from syncline.model.suppression import Suppression
    from syncline.settings import Settings

#: Runs that are looked through for those of a tenant.
_RUNS: Final = 1_000_000


def export(settings: Settings, tenant: str, subject: Subject) -> tuple[Held, ...]:
    """Everything that a tenant's flows hold of a person, by flow; `Invalid` (SYN842) where none tells persons."""
    workflow.demand(settings, tenant, "unseal")
    from syncline.executor.privacy.erasure import export as exported

    _something(settings, tenant, subject)
    with workflow.engine(settings) as engine:
        return exported(engine, tenant, subject)


def expect(settings: Settings, tenant: str, subject: Subject) -> Erasure:
    """What erasing a person would find; nothing is changed."""
    workflow.demand(settings, tenant, "unseal")
    from syncline.executor.privacy.erasure import expect as expected

    _something(settings, tenant, subject)
    with workflow.engine(settings) as engine:
        return expected(engine, tenant, subject, _today())


def erase(settings: Settings, tenant: str, subject: Subject, told: Callable[[ErasurePlace], None]) -> Erasure:
    """Erases a person, or goes on with it; what kept places from it is told in the result."""
    workflow.demand(settings, tenant, "unseal")
    from syncline.executor.privacy.erasure import erase as erased

    with workflow.engine(settings) as engine:
        return erased(engine, tenant, subject, _today(), told)


def listed(settings: Settings, tenant: str, limit: int) -> tuple[Erasure, ...]:
    """Requests of a tenant (all, for an empty name), newest first."""
    from syncline.executor.access.roles import hidden
    from syncline.state.open import is_made, open_store

    unseen = hidden(settings)
    if not is_made(settings.state_url):
        return ()
    with closing(open_store(settings.state_url)) as store:
        found = store.erasures().listed(tenant, limit)
    return tuple(request for request in found if request.tenant not in unseen)


def find(settings: Settings, request: str) -> Erasure:
    """A request by its id; `Invalid` (SYN844) where there is none."""
    from syncline.executor.privacy.erasure import lookup as found
    from syncline.state.open import is_made, open_store

    if not is_made(settings.state_url):
        return found(None, request)
    with closing(open_store(settings.state_url)) as store:
        known = found(store, request)
    workflow.demand(settings, known.tenant, "unseal")
    return known


def acknowledge(settings: Settings, request: str, key: ObjectKey, by: str, message: str) -> Erasure:
    """Notes that somebody did by hand what a request left open at a flow's destination."""
    from syncline.executor.privacy.erasure import acknowledge as acknowledged
    from syncline.executor.services.facilities import open_facilities

    find(settings, request)
    with open_facilities(settings) as facilities:
        return acknowledged(facilities, request, key, by, message)


def suppressions(settings: Settings, tenant: str, limit: int) -> tuple[Suppression, ...]:
    """Who isn't to come back to a tenant (all, for an empty name), newest first; those that were lifted as well."""
    from syncline.executor.access.roles import hidden
    from syncline.state.open import is_made, open_store

    unseen = hidden(settings)
    if not is_made(settings.state_url):
        return ()
    with closing(open_store(settings.state_url)) as store:
        found = store.suppressions().listed(tenant, limit)
    return tuple(one for one in found if one.tenant not in unseen)


def lift(settings: Settings, request: str, by: str, reason: str) -> Suppression:
    """Lets who was erased by a request come back; `Invalid` (SYN850) where nobody is suppressed by it."""
    from syncline.executor.privacy.suppress import lift as lifted
    from syncline.executor.services.facilities import open_facilities

    find(settings, request)
    with open_facilities(settings) as facilities:
        return lifted(facilities, request, by, reason)


def retain(settings: Settings, keys: Sequence[ObjectKey], *, doing: bool) -> tuple[Retained, ...]:
    """What is too old of flows and tenants: what a pass would delete, or, `doing` it, what became of it."""
    from syncline.executor.retention.old_rows import expected
    from syncline.executor.retention.old_rows import retain as retained

    for tenant in sorted({key.owner for key in keys}):
        workflow.demand(settings, tenant, "unseal" if doing else "see")
    if not keys:
        return ()
    now = dt.datetime.now(dt.UTC)
    with workflow.engine(settings) as engine:
        return tuple(found for key in keys for found in (retained if doing else expected)(engine, key, now))


def kept_for_a_time(settings: Settings, tenant: str) -> tuple[ObjectKey, ...]:
    """Flows and tenants that declare a retention, of a tenant or (for an empty name) of all that are seen."""
    from syncline.executor.access.roles import hidden
    from syncline.executor.flows.applied import read_applied
    from syncline.executor.retention.old_rows import retaining
    from syncline.state.open import open_reader

    unseen = hidden(settings)
    with closing(open_reader(settings.state_url)) as reader:
        found = retaining(read_applied(reader), tenant)
    return tuple(key for key in found if key.owner not in unseen)


def certificate(settings: Settings, request: str) -> bytes:
    """The signed certificate of a request as it stands now."""
    from syncline.executor.privacy.erasure import certificate as certified
    from syncline.executor.privacy.erasure import find as found
    from syncline.executor.services.facilities import open_facilities

    find(settings, request)
    with open_facilities(settings) as facilities:
        return certified(facilities, found(facilities, request))


def certificate_key(settings: Settings) -> str:
    """The public key of this state's certificates, as C2SP signed-note writes verifier keys."""
    from syncline.executor.privacy.erasure import PURPOSE
    from syncline.executor.services.facilities import open_facilities, signer_for

    with open_facilities(settings) as facilities:
        return str(signer_for(facilities, PURPOSE).verifier)


def verify(data: bytes, key: str) -> dict[str, Any]:
    """What a certificate says; `Invalid` (SYN845) where the key didn't sign it. Needs no state."""
    from syncline.executor.privacy.erasure import read_certificate

    return read_certificate(data, key)


def _something(settings: Settings, tenant: str, subject: Subject) -> None:
    """
    `Invalid` (SYN842) where no applied flow of a tenant tells such persons, and none of it has run that may have told
    them once: then nothing is made to look for one.
    """
    from syncline.executor.flows.applied import read_applied
    from syncline.executor.privacy.subjects import nobody_told, places_of
    from syncline.state.open import open_reader

    with closing(open_reader(settings.state_url)) as reader:
        applied = read_applied(reader)
        told = places_of(applied, tenant, subject.kind)
        if not told and all(run.key.tenant != tenant for run in reader.runs(None, _RUNS)):
            raise nobody_told(applied, tenant, subject.kind)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
