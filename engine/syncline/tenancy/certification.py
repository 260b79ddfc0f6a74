"""A certification run: every flow of a tenant is rehearsed against its real systems, and what came of it is signed.

Nothing is written to any destination. The log notes the certificate, or that it was refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from syncline import workflow
from syncline.audit import attestation
from syncline.evidence.attesting import attest_statement
from syncline.executor.progress import Silent
from syncline.executor.services.facilities import open_facilities
from syncline.manifests.repository import revision
from syncline.model.errors import SynclineError
from syncline.model.event import Action, EventOutcome, rfc3339
from syncline.tenancy.certificate import CERTIFIED, certificate_path, keep
from syncline.tenancy.checklist import checklist
from syncline.tenancy.tenant import Declared, declared_tenant

if TYPE_CHECKING:
    from syncline.executor.previews.rehearse import Rehearsal
    from syncline.model.key import ObjectKey
    from syncline.reconciler.doctor import Finding
    from syncline.settings import Settings


class Tried(Struct, frozen=True):
    """A flow that was rehearsed: what its run would do, or what kept it from being tried."""

    key: ObjectKey
    found: Rehearsal | None = None
    error: SynclineError | None = None

    @property
    def problem(self) -> str:
        """What keeps it from being certified; '' for nothing."""
        if self.error is not None:
            return f"{self.error.code} {self.error.told}"
        return self.found.refused if self.found is not None else ""


class Certified(Struct, frozen=True):
    """What a certification run found, and its signed statement as a Sigstore bundle."""

    tenant: str
    findings: tuple[Finding, ...]
    flows: tuple[Tried, ...]
    bundle: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether nothing is missing, and every flow could run. A tenant without flows can't be certified."""
        ready = all(finding.ok is not False for finding in self.findings)
        return ready and bool(self.flows) and not any(tried.problem for tried in self.flows)


def certify(settings: Settings, name: str, told: Callable[[Tried], None]) -> Certified:
    """Goes through the checklist, rehearses every flow, and signs what it found. `Invalid` (SYN860) for no tenant."""
    workflow.demand(settings, name, "read")
    began, validation = rfc3339(), workflow.validate(settings)
    tenant = declared_tenant(validation.desired, name)
    with open_facilities(settings) as facilities:
        if not facilities.keys.exists(name):
            facilities.keys.envelope(name)
            event = facilities.recorder.event(Action.key_create, tenant=name, purpose="data", kind="tenant", owner=name)
            facilities.recorder.record([event])
    findings = tuple(checklist(settings, validation, name))
    flows: list[Tried] = []
    for key in sorted(key for key in validation.flows if key.tenant == name):
        tried = _tried(settings, key)
        flows.append(tried)
        told(tried)
    done = Certified(name, findings, tuple(flows))
    statement = _statement(settings, tenant, done, began)
    bundle = attest_statement(
        settings,
        statement,
        Action.tenant_certify,
        name,
        EventOutcome.success if done.ok else EventOutcome.failure,
        {"manifests": tenant.digest, "flows": len(flows), "refused": sum(bool(tried.problem) for tried in flows)},
    )
    keep(certificate_path(settings, name), bundle)
    return replace(done, bundle=bundle)


def _tried(settings: Settings, key: ObjectKey) -> Tried:
    try:
        return Tried(key, workflow.rehearse(settings, key, progress=Silent()))
    except SynclineError as error:
        return Tried(key, error=error)


def _statement(settings: Settings, tenant: Declared, done: Certified, began: str) -> dict[str, Any]:
    at = revision(settings.root)
    return {
        "_type": attestation.STATEMENT,
        "subject": [{"name": str(tenant.key), "digest": {"sha256": tenant.digest}}],
        "predicateType": CERTIFIED,
        "predicate": {
            "tenant": tenant.name,
            "outcome": "certified" if done.ok else "refused",
            "environment": settings.environment,
            "commit": at.commit,
            "dirty": at.dirty,
            "actor": settings.actor,
            "startedOn": began,
            "finishedOn": rfc3339(),
            "checks": [
                {"name": finding.name, "state": {True: "done", False: "missing", None: "advice"}[finding.ok]}
                for finding in done.findings
            ],
            "flows": [_flow(tried) for tried in done.flows],
        },
    }


def _flow(tried: Tried) -> dict[str, Any]:
    """What became of a flow, in figures: a certificate may be handed on, and has no values."""
    said: dict[str, Any] = {"object": str(tried.key), "outcome": "refused" if tried.problem else "rehearsed"}
    if tried.error is not None:
        said["code"] = tried.error.code
    if tried.found is not None:
        counts = tried.found.counts
        said |= {
            "read": counts.read,
            "written": counts.written,
            "rejected": counts.rejected,
            "skipped": counts.skipped,
            "compared": tried.found.compared,
        }
        if tried.found.refused:
            said["code"] = tried.found.refused.split(" ", 1)[0]
    return said
