"""Looking at what is declared, before it is applied: does a system answer, what do its records look like.

    manifests → policy → secrets → the system → evidence

The same providers, connectors and policy as a run has; what policy denies there is denied here. Every secret that is
used is evidence before it is used, and so is who reads records, and whether in the clear.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from syncline.manifests.flow import side_of
from syncline.model.diagnostic import Diagnostic, Severity
from syncline.model.errors import Denied, Invalid, SynclineError
from syncline.model.event import Action, EventOutcome

if TYPE_CHECKING:
    from syncline.executor.previews.inspect import Inspector, Records
    from syncline.kinds.record import RecordSchema
    from syncline.kinds.subscription import Notify
    from syncline.manifests.compare import Difference
    from syncline.manifests.flow import Side
    from syncline.manifests.infer import Seen
    from syncline.model.event import Detail
    from syncline.model.key import ObjectKey
    from syncline.sdk.reached import Reached
    from syncline.settings import Settings
    from syncline.workflow import Validation


class Checked(Struct, frozen=True):
    """A system that answered; `account` is the AuthConfig that it was asked with, and its type ('' for none)."""

    side: Side
    reached: Reached
    account: str = ""


class Sampled(Struct, frozen=True):
    """Records of a stream, classified values masked unless `shown`; `classes` by the path of their field."""

    records: Records
    classes: dict[str, str]
    shown: bool = False


class Discovered(Struct, frozen=True):
    """A stream's live records against its declaration. `error` says why it couldn't be read, with everything empty."""

    stream: str
    key: tuple[str, ...]
    declared: RecordSchema | None
    seen: Seen | None = None
    differences: tuple[Difference, ...] = ()
    additions: dict[str, Any] | None = None
    error: SynclineError | None = None
    notes: tuple[str, ...] = ()


def check(settings: Settings, validation: Validation, key: ObjectKey) -> Checked:
    """Whether a declared integration answers, by one request or connection. Raises what a run would."""
    with looking(settings, validation, key, Action.connector_check, {}) as inspector:
        return Checked(inspector.side, inspector.check(), _account(inspector.side))


def sample(
    settings: Settings, validation: Validation, key: ObjectKey, stream: str, limit: int, *, shown: bool
) -> Sampled:
    """The first records of a stream. `shown`: classified values in the clear, which the audit log tells first."""
    from syncline.executor.previews.classified import classes_of, masked

    details: dict[str, Detail] = {"stream": stream, "limit": limit, "clear": shown}
    with looking(settings, validation, key, Action.connector_read, details, always=shown) as inspector:
        records = inspector.read(stream, limit)
        side = side_of(validation.desired, inspector.side.integration, stream)
        schema = side.schema if side is not None else None
        classes = classes_of(schema, validation.flows, key, stream, records.rows)
        if not shown:
            rows = tuple(masked(row, tuple(classes)) for row in records.rows)
            hidden = tuple(replace(bad, raw="") for bad in records.malformed) if classes else records.malformed
            records = replace(records, rows=rows, malformed=hidden)
        return Sampled(records, classes, shown)


def discover(
    settings: Settings, validation: Validation, key: ObjectKey, streams: Sequence[str], limit: int
) -> tuple[Discovered, ...]:
    """What the records of streams (all of them, if none is named) look like, against what is declared of them."""
    details: dict[str, Detail] = {"stream": list(streams)[:20] or "all", "limit": limit, "clear": False}
    with looking(settings, validation, key, Action.connector_read, details) as inspector:
        names = tuple(streams) or inspector.side.streams
        if not names:
            raise Invalid(
                f"{key.name} declares no stream to read",
                code="SYN224",
                help="Declare one with its path and where its records are; its schema may be left out.",
            )
        found = tuple(_discovered(inspector, validation, name, limit) for name in names)
        failed = [item for item in found if item.error is not None]
        if len(failed) == len(found) and failed[0].error is not None:
            raise failed[0].error
        return found


def _around(side: Side | None) -> frozenset[str]:
    """Names of what records are read for, such as their parents: no fields of their own, which a schema declares."""
    from syncline.kinds.connector import ConnectorSpec
    from syncline.kinds.rest_stream import RestStream, scope_fields

    if (
        side is None
        or not isinstance(side.declaration, RestStream)
        or not isinstance(side.connector.spec, ConnectorSpec)
    ):
        return frozenset()
    return frozenset(
        field.name for field in scope_fields(side.connector.spec.streams, side.declaration, (side.stream,))
    )


def _discovered(inspector: Inspector, validation: Validation, stream: str, limit: int) -> Discovered:
    from syncline.manifests.compare import additions, compare
    from syncline.manifests.infer import infer

    side = side_of(validation.desired, inspector.side.integration, stream)
    declaration = side.declaration if side is not None else None
    declared = declaration.record_schema if declaration is not None else None
    key = declaration.key if declaration is not None else ()
    try:
        records = inspector.read(stream, limit, whole=True)
    except SynclineError as error:
        return Discovered(stream, key, declared, error=error)
    around = _around(side)
    seen = infer([{name: value for name, value in row.items() if name not in around} for row in records.rows])
    return Discovered(
        stream,
        key,
        declared,
        seen,
        compare(declared, seen, texts=records.texts),
        additions(declared, seen, key),
        notes=records.notes,
    )


def try_subscription(settings: Settings, validation: Validation, key: ObjectKey) -> str:
    """
    Sends a test message the way that a declared subscription does, once; where it went, for people.

    Raises what a message would be kept back by. The audit log tells of the secrets before, and of the message after.
    """
    from syncline import workflow
    from syncline.executor.flows.instance import resolver
    from syncline.kinds.subscription import SubscriptionSpec
    from syncline.model.event import rfc3339
    from syncline.model.notice import Phase
    from syncline.model.outbox import Message
    from syncline.notify.channels import notice_of, open_channel

    workflow.demand(settings, key.tenant, "run")
    spec = validation.desired.objects[key].spec
    assert isinstance(spec, SubscriptionSpec)
    if spec.do.notify is not None:
        integration = validation.desired.find(key.tenant, "Integration", spec.do.notify.integration)
        if integration is not None:
            _refuse(validation, _side(validation, integration.key))
    wrong = [d for d in validation.diagnostics if d.severity is Severity.error and d.subject == str(key)]
    if wrong:
        denied = all(_is_policy(d) for d in wrong)
        raise (Denied if denied else Invalid)(f"{key} is not valid", code=wrong[0].code, diagnostics=wrong)
    channel = open_channel(key, spec, validation.desired, settings, resolver(settings), None)
    _record(settings, key, [(Action.secret_use, EventOutcome.success, {"secret": name}) for name in channel.secrets])
    now = rfc3339()
    event = {"type": "test", "severity": "info", "time": now, "tenant": key.tenant}
    message = Message(str(uuid4()), key, Phase.test, event, now, now)
    outcome, code = EventOutcome.failure, "SYN999"
    try:
        with closing(channel.notifier) as notifier:
            notifier.send(notice_of(message, spec, "", notifier.escape))
        outcome, code = EventOutcome.success, ""
    except SynclineError as error:
        code = error.code
        raise
    finally:
        details: dict[str, Detail] = {"message": message.id, "thread": "", "phase": "test", "code": code}
        _record(settings, key, [(Action.notification_send, outcome, details)])
    return spec.do.webhook.url if spec.do.webhook else " ".join(_way(spec.do.notify))


def _way(notify: Notify | None) -> Iterator[str]:
    if notify is not None:
        yield notify.integration
        if notify.channel:
            yield notify.channel


# --- shared ----------------------------------------------------------------------------------------------------------


@contextmanager
def looking(
    settings: Settings,
    validation: Validation,
    key: ObjectKey,
    action: Action,
    details: dict[str, Detail],
    *,
    always: bool = False,
) -> Iterator[Inspector]:
    """An inspector of an integration that policy lets be used; evidence of its secrets before, of the use after.

    Where there is no audit log yet, it is made for secrets and for data in the clear, and for nothing less.
    """
    from syncline import workflow
    from syncline.executor.flows.instance import resolver
    from syncline.executor.previews.inspect import Inspector

    workflow.demand(settings, key.tenant, "read" if action is Action.connector_read else "run")
    side = _side(validation, key)
    _refuse(validation, side)
    inspector = Inspector(side, validation.desired, settings, resolver(settings))
    try:
        inspector.open()
    finally:
        secrets = inspector.secrets.names
        _record(settings, key, [(Action.secret_use, EventOutcome.success, {"secret": name}) for name in secrets])
    if always:
        _record(settings, key, [(action, EventOutcome.success, {**details, "started": True})])
    outcome, code = EventOutcome.failure, "SYN999"
    try:
        yield inspector
        outcome, code = EventOutcome.success, ""
    except SynclineError as error:
        outcome, code = EventOutcome.denied if isinstance(error, Denied) else EventOutcome.failure, error.code
        raise
    finally:
        if secrets or always or settings.audit.is_dir():
            _record(settings, key, [(action, outcome, {**details, "code": code})])


def _record(
    settings: Settings, key: ObjectKey, events: Sequence[tuple[Action, EventOutcome, dict[str, Detail]]]
) -> None:
    if not events:
        return
    from syncline.executor.services.facilities import open_facilities

    with open_facilities(settings) as facilities:
        recorder = facilities.recorder
        recorder.record(
            [
                recorder.event(action, outcome=outcome, key=key, tenant=key.tenant, **details)
                for action, outcome, details in events
            ]
        )


def _side(validation: Validation, key: ObjectKey) -> Side:
    manifest = validation.desired.objects[key]
    side = side_of(validation.desired, manifest, "")
    if side is None:
        raise Invalid(
            f"the connector of {key} isn't there, or isn't valid",
            code="SYN221",
            diagnostics=[d for d in validation.diagnostics if d.severity is Severity.error],
        )
    return side


def _refuse(validation: Validation, side: Side) -> None:
    """`Invalid` or `Denied` for errors about the integration and what it uses; others don't keep it from being used."""
    from syncline.policy.check import Verdicts, diagnostics

    parts = [m for m in (side.integration, side.connector, side.auth) if m is not None]
    subjects = {str(key) for m in parts for key in (m.key, m.key.unversioned)}
    errors = [d for d in validation.diagnostics if d.severity is Severity.error]
    wrong = [d for d in errors if d.subject in subjects and not _is_policy(d)]
    if wrong:
        raise Invalid(f"{side.integration.key} is not valid", diagnostics=wrong)
    denied = tuple(r for r in Verdicts(validation.policy).of_side(side, side.integration.key.tenant) if not r.allowed)
    if denied:
        raise Denied(
            f"policy denies the use of {side.integration.key}",
            diagnostics=diagnostics(denied),
            help="Correct what the findings name, or have an exception declared.",
        )


def _is_policy(found: Diagnostic) -> bool:
    return found.code.startswith("SYN5")


def _account(side: Side) -> str:
    """The AuthConfig and its type, for people: `AuthConfig/token (bearer)`."""
    if side.auth is None:
        return ""
    kind = side.auth.source.get("spec", {}).get("type", "")
    return f"{side.auth.key} ({kind})"
