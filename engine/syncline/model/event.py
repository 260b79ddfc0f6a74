"""The vocabulary of audit events, and their form in the Open Cybersecurity Schema Framework (OCSF 1.8).

Values only; `audit/log.py` keeps them. An event says who did what to which object and how it ended. It never holds
personal data, record contents or secrets: `details` are names, counts and digests (see `digest`).
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from msgspec import Struct

Detail: TypeAlias = str | int | float | bool | Sequence[str] | None
"""A value of `details`: a scalar, or a list of strings."""

OCSF_VERSION: Final = "1.8.0"
MAX_DETAIL: Final = 2_000
"""Longest string in `details`, in characters: room for a digest, a name or a reason, not for a record."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
_DETAIL_NAME = re.compile(r"[a-z][A-Za-z0-9_.]{0,63}")
_MAX_INT: Final = 2**53 - 1  # what JSON can carry exactly everywhere (RFC 8785)


class Action(StrEnum):
    """Everything that leaves evidence. The set is closed; `_OCSF` says what each is in OCSF."""

    validate = "validate"
    plan = "plan"
    policy_decision = "policy.decision"
    apply_step = "apply.step"
    apply_finish = "apply.finish"
    run_start = "run.start"
    run_commit = "run.commit"
    run_finish = "run.finish"
    run_reject = "run.reject"
    reject_read = "reject.read"
    run_preview = "run.preview"
    run_attest = "run.attest"
    connector_check = "connector.check"
    connector_read = "connector.read"
    drift_observe = "drift.observe"
    drift_heal = "drift.heal"
    drift_adopt = "drift.adopt"
    webhook_register = "webhook.register"
    webhook_delete = "webhook.delete"
    auth_login = "auth.login"
    auth_logout = "auth.logout"
    secret_use = "secret.use"  # noqa: S105 - the name of an action
    secret_set = "secret.set"  # noqa: S105
    secret_rotate = "secret.rotate"  # noqa: S105
    key_create = "key.create"
    key_rotate = "key.rotate"
    key_destroy = "key.destroy"
    audit_export = "audit.export"
    audit_resume = "audit.resume"
    snapshot_export = "snapshot.export"
    notification_send = "notification.send"
    approval_sign = "approval.sign"
    approval_use = "approval.use"
    approval_override = "approval.override"
    privacy_export = "privacy.export"
    privacy_erase = "privacy.erase"
    privacy_acknowledge = "privacy.acknowledge"
    privacy_suppress = "privacy.suppress"
    privacy_lift = "privacy.lift"
    retention_delete = "retention.delete"
    value_reveal = "value.reveal"
    access_deny = "access.deny"
    tenant_certify = "tenant.certify"
    tenant_export = "tenant.export"
    tenant_delete = "tenant.delete"


class EventOutcome(StrEnum):
    """How the action ended."""

    success = "success"
    failure = "failure"
    denied = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    `time` is RFC 3339 in UTC (`…Z`; see `rfc3339`); `actor` names a person, a service or a schedule by its account
    name; `object` is an object reference (`tenant/Kind/name`). `details` maps names to scalars or lists of strings.
    Raises ValueError or TypeError for anything else, so that what reaches the log can always be canonicalised.
    """

    time: str
    actor: str
    action: Action
    outcome: EventOutcome = EventOutcome.success
    tenant: str | None = None
    object: str | None = None
    details: Mapping[str, Detail] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not _TIME.fullmatch(self.time):
            raise ValueError(f"{self.time!r} is not a time in RFC 3339 and UTC")
        datetime.fromisoformat(self.time)
        if not self.actor:
            raise ValueError("an event needs an actor")
        if type(self.action) is not Action:
            object.__setattr__(self, "action", Action(self.action))
        if type(self.outcome) is not EventOutcome:
            object.__setattr__(self, "outcome", EventOutcome(self.outcome))
        object.__setattr__(self, "details", MappingProxyType({k: _detail(k, v) for k, v in self.details.items()}))


def rfc3339(moment: datetime | None = None) -> str:
    """A moment (now by default; it must know its zone) as RFC 3339 in UTC with microseconds."""
    moment = moment or datetime.now(UTC)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be evidence")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def digest(data: bytes | str) -> str:
    """`sha256:…` of data that must not itself be in an event. For personal data hash its ciphertext, not its text."""
    return "sha256:" + hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


# --- OCSF ------------------------------------------------------------------------------------------------------------


class _Class(Struct, frozen=True):
    """The OCSF class of an action and its activity in that class."""

    uid: int
    name: str
    activity: int
    activity_name: str


_CATEGORY: Final = (6, "Application Activity")
_LIFECYCLE: Final = (6002, "Application Lifecycle")
_API: Final = (6003, "API Activity")
_DATASTORE: Final = (6005, "Datastore Activity")

_OCSF: Final[Mapping[Action, _Class]] = {
    Action.validate: _Class(*_API, 2, "Read"),
    Action.plan: _Class(*_API, 2, "Read"),
    Action.policy_decision: _Class(*_API, 99, "Decide"),
    Action.apply_step: _Class(*_API, 3, "Update"),
    Action.apply_finish: _Class(*_API, 3, "Update"),
    Action.run_start: _Class(*_LIFECYCLE, 3, "Start"),
    Action.run_commit: _Class(*_DATASTORE, 5, "Write"),
    Action.run_finish: _Class(*_LIFECYCLE, 4, "Stop"),
    Action.run_reject: _Class(*_API, 99, "Reject"),
    Action.reject_read: _Class(*_API, 2, "Read"),
    Action.run_preview: _Class(*_API, 2, "Read"),
    Action.run_attest: _Class(*_API, 99, "Attest"),
    Action.connector_check: _Class(*_API, 2, "Read"),
    Action.connector_read: _Class(*_API, 2, "Read"),
    Action.drift_observe: _Class(*_API, 2, "Read"),
    Action.drift_heal: _Class(*_API, 3, "Update"),
    Action.drift_adopt: _Class(*_API, 1, "Create"),
    Action.webhook_register: _Class(*_API, 3, "Update"),
    Action.webhook_delete: _Class(*_API, 4, "Delete"),
    Action.auth_login: _Class(*_API, 3, "Update"),
    Action.auth_logout: _Class(*_API, 4, "Delete"),
    Action.secret_use: _Class(*_API, 2, "Read"),
    Action.secret_set: _Class(*_API, 3, "Update"),
    Action.secret_rotate: _Class(*_API, 3, "Update"),
    Action.key_create: _Class(*_API, 1, "Create"),
    Action.key_rotate: _Class(*_API, 3, "Update"),
    Action.key_destroy: _Class(*_API, 4, "Delete"),
    Action.audit_export: _Class(*_API, 2, "Read"),
    Action.audit_resume: _Class(*_API, 99, "Resume"),
    Action.snapshot_export: _Class(*_API, 2, "Read"),
    Action.notification_send: _Class(*_API, 1, "Create"),
    Action.approval_sign: _Class(*_API, 99, "Approve"),
    Action.approval_use: _Class(*_API, 99, "Decide"),
    Action.approval_override: _Class(*_API, 99, "Override"),
    Action.privacy_export: _Class(*_API, 2, "Read"),
    Action.privacy_erase: _Class(*_API, 4, "Delete"),
    Action.privacy_acknowledge: _Class(*_API, 99, "Acknowledge"),
    Action.privacy_suppress: _Class(*_API, 99, "Suppress"),
    Action.privacy_lift: _Class(*_API, 99, "Lift"),
    Action.retention_delete: _Class(*_API, 4, "Delete"),
    Action.value_reveal: _Class(*_API, 2, "Read"),
    Action.access_deny: _Class(*_API, 99, "Refuse"),
    Action.tenant_certify: _Class(*_API, 99, "Certify"),
    Action.tenant_export: _Class(*_API, 2, "Read"),
    Action.tenant_delete: _Class(*_API, 4, "Delete"),
}

# Outcome to (severity_id, severity, status_id, status).
_STATUS: Final = {
    EventOutcome.success: (1, "Informational", 1, "Success"),
    EventOutcome.failure: (3, "Medium", 2, "Failure"),
    EventOutcome.denied: (2, "Low", 2, "Failure"),
}


def to_ocsf(event: Event) -> dict[str, Any]:
    """The event as an OCSF event of the class that fits its action; `from_ocsf` reads it back."""
    kind = _OCSF[event.action]
    severity_id, severity, status_id, status = _STATUS[event.outcome]
    subject = event.object or event.tenant or "syncline"
    metadata: dict[str, Any] = {
        "version": OCSF_VERSION,
        "product": {"name": "Syncline", "vendor_name": "Syncline"},
        "event_code": event.action.value,
        "profiles": ["datetime", "host"],
    }
    if event.tenant is not None:
        metadata["tenant_uid"] = event.tenant
    unmapped: dict[str, Any] = {
        "details": {name: list(v) if isinstance(v, tuple) else v for name, v in event.details.items()}
    }
    if event.object is not None:
        unmapped["object"] = event.object
    moment = datetime.fromisoformat(event.time)
    result: dict[str, Any] = {
        "activity_id": kind.activity,
        "activity_name": kind.activity_name,
        "actor": {"user": {"name": event.actor}, "app_name": "syncline"},
        "category_name": _CATEGORY[1],
        "category_uid": _CATEGORY[0],
        "class_name": kind.name,
        "class_uid": kind.uid,
        "message": f"{event.action.value} of {subject}: {event.outcome.value}",
        "metadata": metadata,
        "severity": severity,
        "severity_id": severity_id,
        "status": status,
        "status_code": event.outcome.value,
        "status_id": status_id,
        "time": round(moment.timestamp() * 1_000),
        "time_dt": event.time,
        "type_name": f"{kind.name}: {kind.activity_name}",
        "type_uid": kind.uid * 100 + kind.activity,
        "unmapped": unmapped,
    }
    match kind.uid:
        case 6002:
            result["app"] = {"name": subject}
        case 6005:
            result["src_endpoint"] = {"svc_name": "syncline"}
            result["table"] = {"name": subject}
        case _:
            result["api"] = {"operation": event.action.value, "service": {"name": "syncline"}}
            result["src_endpoint"] = {"svc_name": "syncline"}
            result["resources"] = [{"name": subject}]
    return result


def from_ocsf(value: Mapping[str, Any]) -> Event:
    """The event that `to_ocsf` made this from; KeyError, TypeError or ValueError for another's."""
    metadata, unmapped = value["metadata"], value["unmapped"]
    return Event(
        time=value["time_dt"],
        actor=value["actor"]["user"]["name"],
        action=Action(metadata["event_code"]),
        outcome=EventOutcome(value["status_code"]),
        tenant=metadata.get("tenant_uid"),
        object=unmapped.get("object"),
        details=unmapped["details"],
    )


def _detail(name: str, value: object) -> Detail:
    if not _DETAIL_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name for a detail of an event")
    match value:
        case None | bool():
            return value
        case int() if abs(value) <= _MAX_INT:
            return value
        case float() if math.isfinite(value):
            return value
        case str() if len(value) <= MAX_DETAIL:
            return str(value)
        case list() | tuple() if all(isinstance(item, str) and len(item) <= MAX_DETAIL for item in value):
            return tuple(str(item) for item in value)
    # The value is not shown: it may be what must not be in the log.
    raise TypeError(f"detail {name!r} of an event must be a scalar or a list of strings, and short")
