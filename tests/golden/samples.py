"""Values that the views are shown with: one of everything that a person may meet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from msgspec import structs

from syncline.audit.checkpoint import Checkpoint
from syncline.audit.verify import Finding, Verification
from syncline.executor.previews.quality import Quality
from syncline.executor.previews.rehearse import Rehearsal
from syncline.executor.previews.repeats import Repeat
from syncline.executor.previews.report import summarise
from syncline.executor.undo import UndoPlan
from syncline.model.change import Action, Change, Effect, EffectKind, FieldChange
from syncline.model.diagnostic import Diagnostic, Place, Related, Severity
from syncline.model.forecast import Forecast, Reason
from syncline.model.key import ObjectKey
from syncline.model.latency import Latency, Quantiles
from syncline.model.plan import Basis, Plan, PolicyResult
from syncline.model.requests import Requests
from syncline.model.run import Counts, FileCounts, Receipt, Reject, RunState
from syncline.model.run import Reason as Wrong
from syncline.model.step import DeleteObject, MoveObject, PutObject, ResetCursor
from syncline.sdk.reversal import Kept, Undone
from syncline.state.store import RunRecord

SYNC = """\
apiVersion: syncline/v1
kind: Sync
metadata: {name: tickets, tenant: acme}
spec:
  frm: helpdesk/tickets
  mapping: ticket-to-task
  to: warehouse/tasks
"""

MISSPELT = Diagnostic(
    code="SYN201",
    message="unknown field 'frm'",
    place=Place("syncs/tickets.yaml", 5, 3, 5, 6),
    expected="from, mapping, to, read, write or key",
    suggestion="from",
    subject="acme/Sync/tickets",
    excerpt="  frm: helpdesk/tickets",
)
TWICE = Diagnostic(
    code="SYN220",
    message="acme/Sync/tickets is declared twice",
    place=Place("syncs/tickets.yaml", 3, 18, 3, 25),
    help="Rename or remove one of them.",
    related=(Related(Place("syncs/tickets.yaml", 7, 7, 7, 22), "declared here before"),),
)
LEAK = Diagnostic(
    code="SYN501",
    message="crm.email → newsletter.mail carries pii.email to us-east; tenant acme keeps it in eu-*",
    place=Place("mappings/newsletter.yaml", 112, 5, 112, 45),
    expected="a region matching eu-*",
    help="Protect the field (protect: {hash: tenant}),\nor write it to an integration in an allowed region.",
    subject="acme/Sync/newsletter",
    excerpt="  - {to: mail, from: email, class: pii.email}",
    related=(Related(Place("tenants.yaml", 9, 5), "the tenant's residency rule"),),
)
WARNING = Diagnostic(
    code="SYN510",
    severity=Severity.warning,
    message="the sync has no owner",
    place=Place("syncs/tickets.yaml", 2, 1, 2, 11),
)
NOWHERE = Diagnostic(
    code="SYN620", message="the plan deletes 9 of 12 applied objects", help="Look at the folder.\nThen again."
)
HOSTILE = Diagnostic(
    code="SYN204",
    message="'\x1b[2J\u202egnp.exe' is not a region\r\nerror[SYN000]: forged",
    place=Place("a\nb.yaml", 1, 10, 1, 16),
    excerpt="region:\t日本\x1b[31m: x",
    suggestion="eu\u2066",
)
ALL = (MISSPELT, TWICE, WARNING, LEAK, NOWHERE, HOSTILE)
FILES = ("mappings/newsletter.yaml", "syncs/tickets.yaml", "tenants.yaml")


def key(text: str) -> ObjectKey:
    """An object's key."""
    return ObjectKey.parse(text)


BASIS = Basis("3f2a9c1d04e7b8aa0d1c2b3a4f5e6d7c8b9a0f1e", False, "9d8c2a6e", 12, "ab" * 32)
CREATED = Change(
    Action.create,
    key("acme/Sync/tickets"),
    "declared and not applied yet",
    Place("syncs/tickets.yaml", 1, 1),
    effects=(
        Effect(EffectKind.table_created, "warehouse/tasks", "warehouse/tasks is created if it isn't there, 6 columns"),
        Effect(
            EffectKind.class_flow,
            "warehouse/tasks",
            "pii.email newly flows to warehouse in the clear: reporter",
            reversible=False,
        ),
    ),
)
REPLACED = Change(
    Action.replace,
    key("acme/Sync/orders"),
    "the declaration changed",
    Place("syncs/orders.yaml", 14, 1),
    fields=(
        FieldChange("spec.fields[title].from", '"subject"', "\"join(' ', [code, subject])\""),
        FieldChange("spec.guards.maxRejects", "", '"1%"'),
        FieldChange("spec.key[1]", '"line"', ""),
    ),
    effects=(
        Effect(
            EffectKind.cursor_reset,
            "s",
            "its saved position no longer applies (key changed)",
            "state",
            reversible=False,
        ),
        Effect(
            EffectKind.rows_reread, "s", "the next run reads from the start (its last run read 1,200 records)", "state"
        ),
        Effect(
            EffectKind.rows_counted,
            "s",
            "warehouse/orders had 1,180 rows of this flow when its last run ended at 2026-11-25T18:15:00Z; they stay, and are "
            "written again where their records come again",
            "state",
        ),
    ),
)
PLAN = Plan(
    BASIS,
    changes=(
        CREATED,
        Change(Action.update, key("Policy/house-rules"), "the declaration changed", Place("policies/house.yaml", 1, 1)),
        REPLACED,
        Change(
            Action.move,
            key("acme/Sync/contacts"),
            "was acme/Sync/people",
            Place("syncs/contacts.yaml", 1, 1),
            effects=(Effect(EffectKind.history_moved, "c", "cursors and history of acme/Sync/people follow"),),
            previous=key("acme/Sync/people"),
        ),
        Change(Action.delete, key("acme/Import/legacy"), "no longer declared"),
    ),
    steps=(
        MoveObject(key("acme/Sync/contacts"), key("acme/Sync/people")),
        PutObject(key("acme/Sync/tickets"), "ab" * 32, "{}", "syncs/tickets.yaml:1:1"),
        ResetCursor(key("acme/Sync/orders"), "key changed"),
        DeleteObject(key("acme/Import/legacy")),
    ),
    policy=(
        PolicyResult("flows", "acme/Sync/tickets", True, "6 field flows, of class pii.email"),
        PolicyResult(
            "baseline/owned", "acme/Sync/orders", True, "no owner — allowed until 2026-12-31 by ops: migration"
        ),
    ),
)
FORECAST = structs.replace(
    PLAN,
    data=(
        Forecast(
            key("acme/Sync/tickets"),
            counts=Counts(read=1000, written=982, rejected=18, inserted=812, updated=120, unchanged=50),
            compared=True,
            total=12_000,
            requests=10,
            requests_needed=120,
            seconds_needed=60.0,
            limit="100/min",
            reasons=(
                Reason("tickets#12", "due", "type", "due is not a date written as iso8601"),
                Reason("tickets#40", "", "parse", "it can't be read as declared"),
            ),
        ),
        Forecast(
            key("acme/Sync/orders"),
            exact=True,
            resumed=True,
            counts=Counts(read=1, written=1),
            note="which rows are there is known only by writing",
            total=1,
        ),
        Forecast(key("acme/Sync/contacts"), problem="SYN450 no file matches 'contacts*.csv'"),
    ),
)
DENIED = Plan(
    Basis("", True, "", 0, ""),
    changes=(CREATED,),
    steps=(PutObject(key("acme/Sync/tickets"), "ab" * 32, "{}", ""),),
    policy=(
        PolicyResult("residency", "acme/Sync/newsletter", False, LEAK.message, LEAK),
        PolicyResult("flows", "acme/Sync/tickets", True, "6 field flows"),
    ),
    findings=(NOWHERE,),
)
EMPTY = Plan(BASIS, (), ())

RECEIPT = Receipt(
    run="01K8Z5T7Q2",
    object="acme/Import/customers",
    state=RunState.partial,
    counts=Counts(read=100_000, written=98_900, rejected=1_088, skipped=12, inserted=98_000, updated=900),
    cursor_before=None,
    cursor_after={"file": "customers.csv", "line": 100_001},
    read_digest="3fa2c1d04e7b" + "0" * 52,
    written_digest="99aa88bb77cc" + "0" * 52,
    started="2026-11-25T10:00:00Z",
    finished="2026-11-25T10:00:12Z",
    seconds=12.4,
    revision="3f2a9c1d04e7b8aa0d1c2b3a4f5e6d7c8b9a0f1e",
    plan="77" * 32,
    batches=7,
    resumed=1,
    source="legacy-crm/customers",
    destination="warehouse/customers",
    notes=("the source has a column that nothing reads: fax",),
    files={"customers.csv": "5b" * 32, "customers-old.csv": "7c" * 32},
    file_counts={
        "customers-old.csv": FileCounts(40_000, 0, 12, 2_048_000),
        "customers.csv": FileCounts(60_000, 1_088, 0, 4_096_000),
        "customers-s3.csv": FileCounts(size=31),
    },
    rows=1_203_456,
    latency=Latency(
        batches=5,
        whole=Quantiles(1.82, 2.4, 2.41),
        read=Quantiles(0.06, 0.09, 0.09),
        map=Quantiles(0.41, 0.62, 0.63),
        write=Quantiles(1.1, 1.5, 1.52),
    ),
    requests=(
        Requests("api.example.com", 2_000, 3, 12, 86_400_000, 4, 1, Quantiles(0.002, 0.0091, 0.21)),
        Requests("eu.files.example", 1, 0, 0, 70, 0, 0, Quantiles(0.31, 0.31, 0.31)),
    ),
)
CLEAN = Receipt(
    run="01K8Z5T7Q3",
    object="acme/Sync/tickets",
    state=RunState.succeeded,
    counts=Counts(),
    cursor_before="2026-11-25T10:00:00Z",
    cursor_after="2026-11-25T10:00:00Z",
    read_digest="0" * 64,
    written_digest="0" * 64,
    started="2026-11-25T10:00:00Z",
    finished="2026-11-25T10:00:00Z",
    seconds=0.034,
    revision="",
    plan="",
    batches=0,
)
REJECTS = (
    Reject(
        "customers.csv:17",
        "email",
        "format",
        "ada(at)example.com",
        "'ada(at)example.com' is not an e-mail address",
        "{}",
        (Wrong("zip", "pattern", "AB 12", "zip doesn't match"),),
    ),
    Reject("customers.csv:90", "since", "type", "31.02.2024", "'31.02.2024' is not a date", "{}"),
    Reject("customers.csv:91", "", "parse", "", "the line has 5 columns instead of 6", "x,\x1b[2J"),
)
RULES = {"email: format": 912, "since: type": 90, "id: required": 60, "a: max": 20, "b: min": 5, "c: enum": 1}

RUNS = (
    RunRecord(
        id=RECEIPT.run,
        key=key(RECEIPT.object),
        state=RunState.partial,
        trigger="manual",
        revision=RECEIPT.revision,
        plan=RECEIPT.plan,
        started=RECEIPT.started,
        finished=RECEIPT.finished,
        counts=RECEIPT.counts,
        receipt=RECEIPT.to_json(),
    ),
    RunRecord(
        id="01K8Z5T7Q9",
        key=key("acme/Sync/tickets"),
        state=RunState.interrupted,
        trigger="retry",
        revision="",
        plan="",
        started="2026-11-25T11:00:00Z",
        counts=Counts(read=20, written=20),
        error="helpdesk can't be reached: connection refused",
        error_code="SYN700",
        parent=RECEIPT.run,
    ),
)

UNDO = UndoPlan(
    RUNS[0],
    RECEIPT.destination,
    Kept("customers", 98_000, 900, datetime(2026, 12, 2, 10, 0, 12, tzinfo=UTC), 12),
    Undone(deleted=97_990, restored=897, touched=12, gone=1),
)
UNDO_STOPPED = structs.replace(UNDO, record=RUNS[1], found=Undone(deleted=20))
UNDONE = structs.replace(
    RECEIPT,
    run="01K8Z5T7QA",
    state=RunState.succeeded,
    counts=Counts(read=98_900, written=98_887, skipped=13, updated=897, deleted=97_990),
    cursor_after=None,
    read_digest="0" * 64,
    written_digest="0" * 64,
    batches=0,
    resumed=0,
    files={},
    file_counts={},
    rows=None,
    latency=None,
    requests=(),
    notes=(
        f"what run {RECEIPT.run} wrote was taken back",
        "left as they are, since they were written to later: 12 rows",
        "no longer there as they were left: 1 row",
    ),
)

GOOD_LOG = Verification(Checkpoint("syncline/9d8c2a6e", 1_234, bytes(range(32))))
BAD_LOG = Verification(
    Checkpoint("syncline/9d8c2a6e", 1_234, bytes(range(32))),
    (Finding("tile/entries/000", "entry 7 is not what was signed, nor 2 more after it", 7),),
)
KEY = "syncline/9d8c2a6e+1a2b3c4d+AfYM"
EVENTS = (
    (
        0,
        {
            "time_dt": "2026-11-25T10:00:00.000000Z",
            "actor": {"user": {"name": "ada"}},
            "metadata": {"event_code": "plan"},
            "status_code": "success",
            "unmapped": {"details": {"plan": "77" * 32, "serial": 12, "dirty": False}},
        },
    ),
    (
        1_041,
        {
            "time_dt": "2026-11-25T10:00:12.000000Z",
            "actor": {"user": {"name": "ada\x1b[2J"}},
            "metadata": {"event_code": "run.finish", "tenant_uid": "acme"},
            "status_code": "denied",
            "unmapped": {"object": "acme/Sync/tickets", "details": {"rules": ["residency", "owned"], "read": 20}},
        },
    ),
)
REHEARSED = Rehearsal(
    key("acme/Import/people"),
    counts=Counts(read=1200, written=1197, rejected=3, inserted=700, updated=97, unchanged=400),
    seen=1200,
    duplicates=4,
    compared=True,
    note="",
    rejects=summarise(REJECTS),
    quality=(
        Quality("email", 0.98, 0.995, 0.9, 0.97, "aaa@aaa.aa"),
        Quality("born", 1.0, 1.0, newest="2026-03-01"),
        Quality("<nobody>", None, None),
    ),
    refused="SYN701 3 of 1,200 records are rejected, more than maxRejects 0.1% allows",
    resumed=True,
    again=(Repeat("people-1.csv:17", "id=7"), Repeat("people-2.csv:3", "")),
    there=(Repeat("people-1.csv:2", "id=1"),),
)
SAMPLED = replace(
    REHEARSED, seen=120_000, compared=False, note="which rows are there is known only by writing", refused=""
)
