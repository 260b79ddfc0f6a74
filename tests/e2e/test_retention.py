"""Rows that a flow keeps for a time are deleted when it is over, and don't come back; so are rejects and logs."""

from __future__ import annotations

import datetime as dt
import json
import signal
import sys
import time

import psycopg
import pytest
from click.testing import CliRunner

from syncline import privacy, workflow
from syncline.cli.main import cli
from syncline.daemon.expiry import SOON, Expiry
from syncline.executor.batches.guard import check_deletes
from syncline.executor.batches.rejects import unseal
from syncline.executor.progress import Silent
from syncline.executor.services.facilities import open_facilities
from syncline.model.errors import Stalled
from syncline.model.key import ObjectKey
from tests import warm
from tests.e2e import house
from tests.e2e.passes import engine_with_passes, leads

TODAY = dt.datetime.now(dt.UTC).date()
TENANT = ObjectKey("", "Tenant", "acme")


def days(count):
    return TODAY - dt.timedelta(days=count)


def data(*ages, of="c"):
    rows = "".join(f"{n},{of}{n},{of}{n}@example.com,1.00,{days(age)}\n" for n, age in enumerate(ages, 1))
    return "id,name,email,balance,born\n" + rows


def built(root, scenario, *, retention="", guards="", tenant=house.TENANT, rows=""):
    """A house that wrote its customers before anybody declared how long they are kept."""
    settings = house.build(root, scenario.texts | {"tenant.yaml": house.TENANT})
    (root / "data").mkdir()
    (root / "data" / "customers.csv").write_text(rows or data(0, 10, 40, 400))
    workflow.apply(settings)
    workflow.run(settings, scenario.key, progress=Silent())
    more = (f", retention: {retention}" if retention else "") + (f", guards: {{{guards}}}" if guards else "")
    path = root / "sync.yaml"
    path.write_text(path.read_text().replace("write: upsert}", f"write: upsert{more}}}"))
    (root / "tenant.yaml").write_text(tenant)
    workflow.apply(settings)
    return settings


def ids(root, scenario):
    return sorted(int(row[0]) for row in house.rows(root, scenario))


def events(settings):
    found = [e for e in house.audit_events(settings) if e["metadata"]["event_code"] == "retention.delete"]
    return [(e["unmapped"]["details"]["state"], e["unmapped"]["details"]["count"]) for e in found]


def test_rows_that_are_too_old_are_deleted_and_stay_away(tmp_path, scenario):
    """What is older than declared goes, what isn't stays, and a full read of the source doesn't bring it back."""
    settings = built(tmp_path, scenario, retention="{after: 30d, by: born}")
    (due,) = privacy.retain(settings, [scenario.key], doing=False)
    assert (due.state, due.count, due.there, due.by) == ("due", 2, 4, "born")
    assert ids(tmp_path, scenario) == [1, 2, 3, 4]
    (done,) = privacy.retain(settings, [scenario.key], doing=True)
    assert (done.state, done.count) == ("deleted", 2)
    assert ids(tmp_path, scenario) == [1, 2]
    assert events(settings) == [("due", 2), ("deleted", 2)]
    counts = workflow.run(settings, scenario.key, progress=Silent(), full_refresh=True).receipt.counts
    assert (counts.read, counts.written, counts.skipped) == (4, 2, 2)
    assert ids(tmp_path, scenario) == [1, 2]
    assert workflow.compare(settings, scenario.key, progress=Silent()).equal
    assert [r.count for r in privacy.retain(settings, [scenario.key], doing=True)] == [0]
    assert house.audit_ok(settings)


def test_a_guard_bounds_what_is_deleted(tmp_path):
    """More than guards.maxDeletes are left, all of them, and the log says that it was denied."""
    scenario = house.Scenario("upsert")
    settings = built(tmp_path, scenario, retention="{after: 5d, by: born}", guards="maxDeletes: 50%")
    (found,) = privacy.retain(settings, [scenario.key], doing=True)
    assert (found.state, "SYN527" in found.message, found.count) == ("refused", True, 3)
    assert ids(tmp_path, scenario) == [1, 2, 3, 4]
    assert events(settings) == [("refused", 3)]


def test_a_hold_keeps_rows_and_rejects(tmp_path):
    """Under a legal hold nothing of the flow is deleted, of its rejects neither."""
    scenario = house.Scenario("upsert")
    hold = "holds: [{flows: [Sync/*], reason: case 7, owner: legal}], retention: {rejects: 1ms, logs: 1ms}, "
    tenant = house.TENANT.replace("spec: {", f"spec: {{{hold}")
    rows = data(0, 40) + '3,x,x@example.com,"1,000",1990-01-01\n'
    settings = built(tmp_path, scenario, retention="{after: 30d, by: born}", tenant=tenant, rows=rows)
    found = privacy.retain(settings, [scenario.key, TENANT], doing=True)
    assert [(r.what, r.state, r.count) for r in found] == [
        ("rows", "held", 1),
        ("rejects", "due", 0),
        ("logs", "due", 0),
    ]
    assert found[0].message == "case 7 (legal)"
    assert ids(tmp_path, scenario) == [1, 2]
    (tmp_path / "tenant.yaml").write_text(tenant.replace(hold.partition("retention")[0], ""))
    workflow.apply(settings)
    found = privacy.retain(settings, [scenario.key, TENANT], doing=True)
    assert [(r.what, r.state, r.count) for r in found][:2] == [("rows", "deleted", 1), ("rejects", "deleted", 1)]
    (run,) = workflow.runs(settings, scenario.key, 5)
    assert list(workflow.rejects(settings, run.id)) == []
    assert run.counts.rejected == 1


def test_a_run_under_a_hold_writes_what_is_too_old(tmp_path):
    """A hold keeps rows from a run as well: one that replaces the table still writes those that are too old."""
    scenario = house.Scenario("upsert")
    hold = "holds: [{flows: [Sync/*], reason: case 7, owner: legal}], "
    tenant = house.TENANT.replace("spec: {", f"spec: {{{hold}")
    settings = built(tmp_path, scenario, retention="{after: 30d, by: born}", tenant=tenant)
    path = tmp_path / "sync.yaml"
    path.write_text(path.read_text().replace("write: upsert", "write: replace"))
    workflow.apply(settings)
    assert workflow.compare(settings, scenario.key, progress=Silent()).equal
    counts = workflow.run(settings, scenario.key, progress=Silent()).receipt.counts
    assert (counts.read, counts.written) == (4, 4)
    assert ids(tmp_path, scenario) == [1, 2, 3, 4]
    (tmp_path / "tenant.yaml").write_text(house.TENANT)
    workflow.apply(settings)
    workflow.run(settings, scenario.key, progress=Silent())
    assert ids(tmp_path, scenario) == [1, 2]


def test_the_last_word_on_a_row_counts_before_its_age(tmp_path, scenario):
    """Of two records with one key the last is judged: an older version takes the place of none, and none its place."""
    settings = built(tmp_path, scenario, retention="{after: 30d, by: born}", rows=data(0))
    rows = [(1, "new", 0), (1, "old", 40), (2, "old", 40), (2, "new", 1), (3, "new", 2)]
    text = "".join(f"{n},{name},{name}{n}@example.com,1.00,{days(age)}\n" for n, name, age in rows)
    (tmp_path / "data" / "customers.csv").write_text("id,name,email,balance,born\n" + text)
    counts = workflow.run(settings, scenario.key, progress=Silent(), full_refresh=True).receipt.counts
    assert (counts.read, counts.written, counts.skipped) == (5, 2, 3)
    assert {int(row[0]): row[1] for row in house.rows(tmp_path, scenario)} == {1: "c1", 2: "new", 3: "new"}


def test_a_table_that_another_flow_keeps_longer_is_left(tmp_path):
    """Policy denies two flows that keep one table's rows for different times; a pass refuses where they were applied."""
    scenario = house.Scenario("upsert")
    with pytest.MonkeyPatch.context() as before:
        before.setattr("syncline.policy.rules.tables._manner", lambda flow: (flow.spec.write, frozenset(), ""))
        settings = built(tmp_path, scenario, retention="{after: 30d, by: born}", tenant=house.TENANT + house.COPIES)
    (found,) = privacy.retain(settings, [scenario.key], doing=True)
    assert (found.state, found.message.partition(" ")[0]) == ("failed", "SYN853")
    assert "Sync/copies" in found.message
    assert ids(tmp_path, scenario) == [1, 2, 3, 4]
    assert {d.code for d in workflow.validate(settings).diagnostics} == {"SYN507"}
    same = house.COPIES.replace("write: upsert", "write: upsert, retention: {after: 30d, by: born}")
    (tmp_path / "tenant.yaml").write_text(house.TENANT + same)
    workflow.apply(settings)
    (found,) = privacy.retain(settings, [scenario.key], doing=True)
    assert (found.state, found.count) == ("deleted", 2)


def test_a_guard_judges_what_came_after_the_count(tmp_path, postgres_url, monkeypatch):
    """Rows that came between the count and the delete are judged too, and nothing goes where they are too many."""
    scenario = house.Scenario("upsert", postgres_url, "retention")
    settings = built(tmp_path, scenario, retention="{after: 30d, by: born}", guards="maxDeletes: 60%")
    calls = []

    def check(guards, deleted, there):
        calls.append(deleted)
        check_deletes(guards, deleted, there)
        if len(calls) == 2:  # counted in the transaction, and allowed
            with psycopg.connect(postgres_url, autocommit=True) as connection:
                more = "INSERT INTO retention.customers (id, born) SELECT n, '1990-01-01' FROM generate_series(5, 9) n"
                connection.execute(more)

    monkeypatch.setattr("syncline.executor.retention.old_rows.check_deletes", check)
    (found,) = privacy.retain(settings, [scenario.key], doing=True)
    assert (found.state, "SYN527" in found.message, calls) == ("refused", True, [2, 2, 7])
    assert ids(tmp_path, scenario) == list(range(1, 10))


def test_what_a_run_is_busy_with_is_deleted_later(tmp_path):
    """While a run is under way nothing of its flow goes, which is no failure in the log; a look needs no lease."""
    scenario = house.Scenario("upsert")
    tenant = house.TENANT.replace("spec: {", "spec: {retention: {rejects: 1ms}, ")
    rows = data(0, 40) + '3,x,x@example.com,"1,000",1990-01-01\n'
    settings = built(tmp_path, scenario, retention="{after: 30d, by: born}", tenant=tenant, rows=rows)
    (run,) = workflow.runs(settings, scenario.key, 5)
    with open_facilities(settings) as facilities, facilities.store.lease(f"run/{scenario.key}", "test"):
        (due,) = privacy.retain(settings, [scenario.key], doing=False)
        assert (due.state, due.count) == ("due", 1)
        found = privacy.retain(settings, [scenario.key, TENANT], doing=True)
        assert [(r.what, r.state, r.count) for r in found] == [("rows", "busy", 0), ("rejects", "busy", 1)]
        assert events(settings) == [("due", 1), ("deleted", 0)]
    assert len(list(workflow.rejects(settings, run.id))) == 1
    found = privacy.retain(settings, [scenario.key, TENANT], doing=True)
    assert [(r.what, r.state, r.count) for r in found] == [("rows", "deleted", 1), ("rejects", "deleted", 1)]


def test_a_daemon_tries_what_was_busy_again_soon(tmp_path):
    """A flow whose run is under way is tried again after minutes, not an hour."""
    scenario, now = house.Scenario("upsert"), [0.0]
    settings = built(tmp_path, scenario, retention="{after: 30d, by: born}")
    told: list[str] = []
    with engine_with_passes(settings) as engine:
        expiry = Expiry(engine, leads, told.append, lambda: now[0])
        with engine.facilities.store.lease(f"run/{scenario.key}", "test"):
            expiry.tick()
            expiry._pass.join(20)
        assert (told, ids(tmp_path, scenario)) == ([], [1, 2, 3, 4])
        now[0] = SOON
        expiry.tick()
        expiry._pass.join(20)
    assert ids(tmp_path, scenario) == [1, 2]


KILLED = """
import os, signal, sys
from pathlib import Path
from syncline import privacy
from syncline.connectors.sql import retention
from syncline.connectors.sql.destination import SqlDestination
from tests.e2e import house

at, place = sys.argv[2], {"before": SqlDestination, "inside": retention, "after": SqlDestination}
name = {"inside": "delete"}.get(at, "delete_aged")
real = getattr(place[at], name)

def killed(*args):
    if at != "before":
        real(*args)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(place[at], name, killed)
privacy.retain(house.settings_of(Path(sys.argv[1])), [house.FLOW], doing=True)
"""


@pytest.mark.parametrize(("at", "left"), [("before", 4), ("inside", 4), ("after", 2)])
def test_a_pass_that_was_killed_is_made_again(tmp_path, at, left):
    """Killed before, inside and after its transaction, all or none are gone, and the next pass makes up for it."""
    scenario = house.Scenario("upsert")
    settings = built(tmp_path, scenario, retention="{after: 30d, by: born}")
    child = warm.run([sys.executable, "-c", KILLED, str(tmp_path), at], check=False, timeout=120)
    assert child.returncode == -signal.SIGKILL
    assert len(ids(tmp_path, scenario)) == left
    privacy.retain(settings, [scenario.key], doing=True)
    assert ids(tmp_path, scenario) == [1, 2]
    assert events(settings)[0] == ("due", 2)
    assert house.audit_ok(settings)


def test_a_daemon_deletes_once_an_hour(tmp_path):
    """The daemon's pass deletes without being asked, and tells how many."""
    scenario = house.Scenario("upsert")
    settings = built(tmp_path, scenario, retention="{after: 30d, by: born}")
    told: list[str] = []
    with engine_with_passes(settings) as engine:
        Expiry(engine, leads, told.append).tick()
        for _ in range(200):
            if told:
                break
            time.sleep(0.05)
    assert [line.partition(" of before ")[0] for line in told] == ["acme/Sync/customers: 2 rows"]
    assert ids(tmp_path, scenario) == [1, 2]


def test_the_command_line(tmp_path):
    """Nothing goes without --yes; names narrow it; the exit code says whether something kept it from it."""
    scenario = house.Scenario("upsert")
    tenant = house.TENANT.replace("spec: {", "spec: {retention: {rejects: 90d}, ")
    settings = built(tmp_path, scenario, retention="{after: 30d, by: born}", tenant=tenant)

    def run(*args):
        return CliRunner().invoke(cli, ["--root", str(tmp_path), "privacy", "retain", *args])

    shown = run()
    assert (shown.exit_code, "Nothing was deleted" in shown.output, "is deleted" in shown.output) == (0, True, True)
    assert ids(tmp_path, scenario) == [1, 2, 3, 4]
    done = run("--yes", "-o", "json", "Sync/customers")
    assert [(r["what"], r["state"], r["count"]) for r in json.loads(done.stdout)] == [("rows", "deleted", 2)]
    assert [r["what"] for r in json.loads(run("--tenant", "acme", "-o", "json").stdout)] == ["rows", "rejects"]
    assert privacy.kept_for_a_time(settings, "other") == ()


@pytest.mark.parametrize(
    ("retention", "code"),
    [("{after: 30d, by: name}", "SYN853"), ("{after: 30d, by: burn}", "SYN853"), ("{after: soon, by: born}", "SYN205")],
)
def test_validate_knows_what_tells_the_age(tmp_path, retention, code):
    """A field that is missing, or tells no time, is an error at its line."""
    texts = house.Scenario("upsert").texts
    texts["sync.yaml"] = texts["sync.yaml"].replace("write: upsert}", f"write: upsert, retention: {retention}}}")
    found = [d.code for d in workflow.validate(house.build(tmp_path, texts)).diagnostics]
    assert found == [code]


def test_files_can_not_be_kept_for_a_time(tmp_path):
    """A destination that can't delete rows by their age is refused before anything is written."""
    texts = house.Scenario("append", "jsonl").texts
    more = "write: append, retention: {after: 30d, by: born}}"
    texts["sync.yaml"] = texts["sync.yaml"].replace("write: append}", more)
    assert [d.code for d in workflow.validate(house.build(tmp_path, texts)).diagnostics] == ["SYN853"]


def test_what_backups_have_of_expired_rejects_is_unreadable(tmp_path):
    """The keys of rejects whose time is over are destroyed with them."""
    tenant = house.TENANT.replace("spec: {", "spec: {retention: {rejects: 1ms}, ")
    rows = data(0, 40) + '3,x,x@example.com,"1,000",1990-01-01\n'
    settings = built(tmp_path, house.Scenario("upsert"), tenant=tenant, rows=rows)
    (run,) = workflow.runs(settings, house.FLOW, 5)
    with open_facilities(settings) as facilities:
        (backup,) = list(facilities.store.rejects(run.id))
        assert len(unseal(facilities.keys, house.FLOW, backup)) == 1
    privacy.retain(settings, [TENANT], doing=True)
    with open_facilities(settings) as facilities, pytest.raises(Stalled, match="destroyed"):
        unseal(facilities.keys, house.FLOW, backup)
