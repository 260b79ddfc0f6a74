"""The proof that a tenant was deleted: a signed statement of what was taken away, what was looked at, what stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from syncline.audit import attestation
from syncline.evidence.attesting import attest_statement
from syncline.executor.services.facilities import open_facilities
from syncline.model.event import Action, EventOutcome, rfc3339
from syncline.model.key import ObjectKey
from syncline.tenancy.certificate import DELETED, certificate_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.model.offboarding import Offboarding
    from syncline.settings import Settings

#: What stays on purpose: none of it has values of records.
_REMAINS: Final = (
    "the audit log, which has names, counts and digests, and no values",
    "the journal of this deletion",
    "the history of the repository",
    "what the tenant's sources, and destinations with deletion: retain, hold",
)


#: Where it was looked when the statement was made. What else went is told by the steps, each when it was taken.
_LOOKED: Final = (
    "rows of the state",
    "the key folder: the tenant's data key, and keys that it wraps",
    "the tenant's certificate",
)


def prove(settings: Settings, done: Offboarding, held: Mapping[str, str]) -> bytes:
    """
    Looks once more for what is left, and signs what was found; a Sigstore bundle with the proof that the log notes it.

    The outcome is `deleted` only where nothing was held, nothing given up, and nothing found.
    """
    with open_facilities(settings) as facilities:
        left = facilities.store.tenants().counts(done.tenant)
        keys = facilities.keys.remains(done.tenant)
        certificate = certificate_path(settings, done.tenant).exists()
    given_up = any(step.state == "left" for step in done.steps)
    outcome = "held" if held else "incomplete" if given_up or left or keys or certificate else "deleted"
    statement = {
        "_type": attestation.STATEMENT,
        "subject": [{"name": str(ObjectKey.of_tenant(done.tenant)), "digest": {"sha256": done.archive}}],
        "predicateType": DELETED,
        "predicate": {
            "tenant": done.tenant,
            "request": done.id,
            "outcome": outcome,
            "revision": done.revision,
            "actor": settings.actor,
            "begunOn": done.begun,
            "provedOn": rfc3339(),
            "archive": {"sha256": done.archive},
            "steps": done.to_json()["steps"],
            "held": dict(sorted(held.items())),
            "found": {"rows": left, "key": bool(keys)},
            "looked": list(_LOOKED),
            "remains": list(_REMAINS),
        },
    }
    result = EventOutcome.success if outcome == "deleted" else EventOutcome.denied
    details: dict[str, Any] = {"request": done.id, "what": "proof", "state": outcome, "archive": done.archive}
    return attest_statement(settings, statement, Action.tenant_delete, done.tenant, result, details)
