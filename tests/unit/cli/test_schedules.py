"""Tests of `syncline schedules`: what it shows of declared and of applied schedules."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from syncline import workflow
from syncline.cli.output.paint import Paint
from syncline.cli.output.schedules import Shown, render_schedules
from syncline.kinds.schedule import ScheduleSpec
from syncline.manifests.timetable import next_starts
from tests import repository

FLOW = "Import/customers"
NIGHTLY = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: nightly, tenant: acme}
spec: {cron: "30 2 * * *", timeZone: Europe/Berlin, run: [Sync/tickets]}
"""


def shown(name, **fields):
    spec = ScheduleSpec.model_validate({"run": ("Sync/tickets",), **fields})
    now = dt.datetime(2026, 3, 28, 0, 0, tzinfo=dt.UTC)
    return Shown(name, spec, next_starts(name, spec, now, 2), now), now


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"cron": "30 2 * * *", "timeZone": "Europe/Berlin"},
            (
                "s  30 2 * * * in Europe/Berlin\n  starts Sync/tickets\n"
                "  Sat 2026-03-28 02:30:00 CET  in 1 h 30 min\n  Sun 2026-03-29 03:00:00 CEST  in 25 h 0 min\n"
            ),
        ),
        (
            {"on": {"event": "run.finish", "filter": "event.state == 'failed'"}},
            "s  on run.finish where event.state == 'failed'\n  starts Sync/tickets\n",
        ),
        (
            {"on": {"webhook": {"secret": {"secretRef": {"provider": "env", "key": "CRM_HOOK"}}}}},
            "acme/Schedule/s  on webhooks at /hook/acme/s\n  starts Sync/tickets\n",
        ),
        (
            {"every": "1h", "suspend": {"reason": "the warehouse moves"}},
            "s  every 1h\n  starts Sync/tickets\n  suspended: the warehouse moves\n",
        ),
        (
            {"every": "1h", "suspend": {"reason": "the warehouse moves", "until": "2026-03-20"}},
            (
                "s  every 1h\n  starts Sync/tickets\n  Sat 2026-03-28 01:00:00 UTC  in 1 h 0 min\n"
                "  Sat 2026-03-28 02:00:00 UTC  in 2 h 0 min\n"
            ),
        ),
        (
            {"cron": "0 12 * * *", "windows": {"deny": ({"start": "11:00", "end": "13:00"},)}},
            "s  0 12 * * * in UTC\n  starts Sync/tickets\n  it never starts: no start lies within its windows\n",
        ),
    ],
    ids=["over a change of the clocks", "by an event", "by a webhook", "suspended", "was suspended", "never"],
)
def test_what_a_person_sees(fields, expected):
    """A schedule shows its rule, what it starts, its next starts in its own zone, or why there are none."""
    schedule, now = shown(expected.split()[0], **fields)

    assert render_schedules([schedule], now, Paint()) == expected


def test_declared_and_applied(tmp_path, shell):
    """`--declared` shows schedules of the working tree; without it, nothing that isn't applied is shown."""
    (tmp_path / "nightly.yaml").write_text(NIGHTLY, encoding="utf-8")
    declared = shell("--root", str(tmp_path), "schedules", "nightly", "--declared", "--next", "5", "-o", "json")
    applied = shell("--root", str(tmp_path), "schedules")
    missing = shell("--root", str(tmp_path), "schedules", "nightlu", "--declared")

    (found,) = json.loads(declared.out)
    assert (found["schedule"], found["run"], len(found["next"])) == ("acme/Schedule/nightly", ["Sync/tickets"], 5)
    assert all(entry["starts"].endswith("Z") for entry in found["next"])
    assert "No schedule is applied" in applied.out
    assert (missing.code, "did you mean" in missing.err) == (1, True)


def test_explain_shows_no_start_that_will_not_be(tmp_path, shell):
    """Of a flow whose tenant is suspended `explain` says that its schedule is, and why, instead of a time."""
    settings = repository.write(
        tmp_path, {**repository.CUSTOMERS, "nightly.yaml": NIGHTLY.replace("Sync/tickets", FLOW)}
    )
    tenant = next(path for path in tmp_path.rglob("*.yaml") if "kind: Tenant" in path.read_text())
    tenant.write_text(tenant.read_text().replace("spec:\n", "spec:\n  suspend: {reason: unpaid}\n", 1))
    workflow.apply(settings)

    said = shell("--root", str(tmp_path), "explain", f"acme/{FLOW}").out
    assert "next start  acme/Schedule/nightly: suspended: unpaid\n" in said
