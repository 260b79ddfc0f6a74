"""How objects stand in the views of statuses: one of everything that a person may meet."""

from __future__ import annotations

import datetime as dt

from msgspec.structs import replace

from syncline.cli.output.schedules import Shown
from syncline.kinds.schedule import ScheduleSpec
from syncline.manifests.desired import Desired
from syncline.manifests.timetable import next_starts
from syncline.model.condition import Condition, ConditionType, Mood, Occurrence, Status, Truth
from syncline.model.key import ObjectKey
from syncline.reconciler.explain import Explained, chain
from syncline.state.store import AppliedObject
from tests.golden import samples

NOW = dt.datetime(2026, 11, 26, 8, tzinfo=dt.UTC)
COMMIT = "85cf81f00c21a7"


def _status(name: str, reason: str, message: str = "", since: str = "07:30:00", **others: str) -> Status:
    """A status by its object's name; other conditions by their names, each with its message."""
    truth = Truth.false if others.pop("fails", "") else Truth.true
    found = [Condition(ConditionType.ready, truth, reason, message, COMMIT, f"2026-11-26T{since}Z")]
    for kind, said in others.items():
        found.append(Condition(ConditionType(kind), Truth.true, "Declared", said, COMMIT, f"2026-11-26T{since}Z"))
    return Status(ObjectKey.parse(name), tuple(found), 1)


SOURCE = _status("Source/main", "Applied", since="06:00:00")
SECRET = replace(
    _status(
        "acme/AuthConfig/warehouse", "SecretMissing",
        "[SYN801] secret env:WAREHOUSE_PASSWORD: no such variable", fails="1", Stalled="",
    ),
    attempts=5, retry="2026-11-26T08:00:42Z",
)  # fmt: skip
LAKE = _status(
    "acme/Integration/warehouse", "DependencyNotReady", "waits for acme/AuthConfig/warehouse", fails="1", Reconciling=""
)
TICKETS = _status(
    "acme/Sync/tickets", "DependencyNotReady", "waits for acme/Integration/warehouse", fails="1", Reconciling=""
)
STATUSES = (
    SECRET,
    LAKE,
    TICKETS,
    _status("acme/Sync/users", "RunSucceeded", since="07:59:30"),
    _status("acme/Sync/old", "Applied", Suspended="moving house until 2026-12-01"),
    _status("acme/Schedule/nightly", "Applied", message="\x1b[31m"),
)
EVENTS = (
    Occurrence(
        TICKETS.key, Mood.normal, "Applied", "recorded at 3122ecca342b", COMMIT, "", 1, "2026-11-26T06:00:00.123Z"
    ),
    Occurrence(
        TICKETS.key, Mood.normal, "RunStarted", "schedule run r-1", COMMIT, "r-1", 2, "2026-11-26T07:00:00.000Z"
    ),
    Occurrence(
        SECRET.key, Mood.warning, "SecretMissing", "no such\nvariable", COMMIT, "", 3, "2026-11-26T07:30:00.000Z"
    ),
)
SPEC = ScheduleSpec.model_validate({"cron": "30 2 * * *", "timeZone": "Europe/Berlin", "run": ("Sync/tickets",)})
STARTS = [Shown("acme/Schedule/nightly", SPEC, next_starts("acme/Schedule/nightly", SPEC, NOW, 1), NOW)]
NEEDS = {TICKETS.key: (LAKE.key,), LAKE.key: (SECRET.key,)}
EXPLAINED = Explained(
    TICKETS,
    AppliedObject(TICKETS.key, "d", "{}", "syncs/tickets.yaml:2:1", COMMIT, "p", 1, "2026-11-26T06:00:00Z"),
    tuple(chain({s.key: s for s in STATUSES}, NEEDS, TICKETS.key)),
    (SOURCE,),
    samples.RUNS[1],
    EVENTS[:2],
    Desired({}),
)
HELD = Explained(
    replace(TICKETS, key=ObjectKey("acme", "Sync", "new")), None,
    tuple(chain({TICKETS.key: TICKETS}, {}, TICKETS.key)), (), None, (), Desired({}),
)  # fmt: skip
