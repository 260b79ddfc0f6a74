"""What a tenant may have: runs at the same time, rows in a day, and nothing while it is suspended."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from syncline import workflow
from syncline.daemon.scheduled import schedules
from syncline.executor.flows.opening import Opener
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.model.errors import Again, Stalled, Waiting
from syncline.model.key import ObjectKey
from tests.api_server import api_server, pages
from tests.e2e import house
from tests.e2e.api import CONNECTOR, helpdesk
from tests.look import Look

SCENARIO = house.Scenario("upsert")
MORE = """\
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: others, tenant: acme}
spec: {from: crm/customers, mapping: customer, to: warehouse/others, read: full, write: upsert}
"""

#: Tickets of an API, in three pages.
PAGES = 3
TICKETS = pages([{"id": n, "title": "x", "hours": 1} for n in range(2 * PAGES)], 2, "cursor")


def desks(root, url, quota):
    """A house of two tenants under a quota: acme with two help desks, an integration each, and globex with one."""
    texts = {"connector.yaml": CONNECTOR}
    for tenant, name in (("acme", "north"), ("acme", "south"), ("globex", "east")):
        texts[f"{tenant}.yaml"] = house.TENANT.replace("spec: {", f"spec: {{quotas: {{requests: {quota}}}, ").replace(
            "acme", tenant
        )
        own = helpdesk(f"{url}/{name}")
        sync = (
            own["sync.yaml"].replace("helpdesk, tenant", f"{name}, tenant").replace("from: helpdesk", f"from: {name}")
        )
        for kind in ("ticket", "tickets"):
            sync = sync.replace(f"name: {kind}, tenant", f"name: {name}-{kind}, tenant")
        sync = sync.replace("mapping: ticket,", f"mapping: {name}-ticket,").replace("warehouse/", f"{name}-lake/")
        lake = own["warehouse.yaml"].replace("name: warehouse", f"name: {name}-lake").replace("warehouse", name)
        texts[f"{name}.yaml"] = f"{sync}---\n{lake}".replace("acme", tenant)
    settings = house.build(root, texts)
    workflow.apply(settings)
    return settings


def lived_in(root, tenant, rows=30):
    """A house of two syncs over a few customers, with what is said of the tenant."""
    texts = SCENARIO.texts
    texts["tenant.yaml"] = house.TENANT.replace("spec: {", f"spec: {{{tenant}, ")
    texts["sync.yaml"] += MORE
    settings = house.build(root, texts)
    house.customers(root, rows)
    workflow.apply(settings)
    return settings


def run(settings, key=house.FLOW):
    return workflow.run(settings, key, progress=Silent())


def test_so_many_runs_at_the_same_time(tmp_path):
    """With every turn taken a run waits, by name of the quota; a turn that is given back is another's."""
    settings = lived_in(tmp_path, "quotas: {concurrentRuns: 2}")
    store = Look(settings.state_url)
    with workflow.engine(settings) as engine, ExitStack() as stack:
        held = engine.facilities.store
        stack.enter_context(held.lease("turn/acme/0", "another"))
        run(settings)
        with held.lease("turn/acme/1", "another"), pytest.raises(Waiting, match="2 runs under way") as raised:
            run(settings)
        assert raised.value.code == "SYN846"
        run(settings)
    assert len(store.runs(house.FLOW)) == 2


def test_turns_are_given_back_by_who_dies(tmp_path):
    """Runs of several threads each get their turn in the end, one at a time."""
    settings = lived_in(tmp_path, "quotas: {concurrentRuns: 1}")
    done, keys = [], [o.key for o in workflow.objects(settings) if o.key.kind == "Sync"]

    def insist(key):
        while True:
            try:
                done.append(run(settings, key).record.state)
                return
            except Waiting:
                threading.Event().wait(0.05)

    threads = [threading.Thread(target=insist, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 2


def test_so_many_rows_in_a_day(tmp_path):
    """A run that goes past the quota with its last commit ends; the next one of that day doesn't begin to read."""
    settings = lived_in(tmp_path, "quotas: {rowsPerDay: 30}", rows=40)
    written = run(settings).record.counts.written
    assert written > 30
    with pytest.raises(Again, match="30 rows of today") as raised:
        run(settings)
    assert raised.value.code == "SYN847"
    assert 0 < (raised.value.after or 0) <= 86_400
    assert Look(settings.state_url).rows_since("acme", "2026-01-01T00:00:00Z") == written
    assert Look(settings.state_url).rows_since("other", "2026-01-01T00:00:00Z") == 0
    (tmp_path / "tenant.yaml").write_text(house.TENANT)
    workflow.apply(settings)
    assert run(settings).record.counts.read == 42


def test_a_long_run_goes_on_the_day_after(tmp_path):
    """A run of many commits is stopped soon after the quota, and goes on from its last commit when there is room."""
    settings = lived_in(tmp_path, "quotas: {rowsPerDay: 8}", rows=60)

    def some(item, applied, settings, resolve, keep):
        return Opener(item, applied, settings, resolve, keep, batch_bytes=300)

    def attempt():
        with workflow.engine(settings) as engine:
            return replace(engine, opener=some).run(Work(house.FLOW), Silent())

    with pytest.raises(Again, match="8 rows of today"):
        attempt()
    (stopped,) = Look(settings.state_url).runs(house.FLOW)
    assert (str(stopped.state), 8 < stopped.counts.written < 40) == ("Interrupted", True)
    with pytest.raises(Again, match="8 rows of today"):
        attempt()
    (again,) = Look(settings.state_url).runs(house.FLOW)
    assert (again.counts.read, again.counts.written) == (stopped.counts.read, stopped.counts.written)
    assert Look(settings.state_url).rows_since("acme", "2026-01-01T00:00:00Z") == stopped.counts.written
    (tmp_path / "tenant.yaml").write_text(house.TENANT)
    workflow.apply(settings)
    done = attempt()
    assert done.record.id == stopped.id
    assert Look(settings.state_url).rows_since("acme", "2026-01-01T00:00:00Z") == done.record.counts.written
    assert len({row[0] for row in house.rows(tmp_path, SCENARIO) or ()}) == done.record.counts.written


def test_a_tenant_that_is_suspended(tmp_path):
    """None of its flows runs, with the tenant's reason; after the last day they run again."""
    settings = lived_in(tmp_path, "suspend: {reason: unpaid, until: 2999-01-01}")
    with pytest.raises(Stalled, match="tenant acme is suspended: unpaid"):
        run(settings)
    (tmp_path / "tenant.yaml").write_text(
        house.TENANT.replace("spec: {", "spec: {suspend: {reason: unpaid, until: 2020-01-01}, ")
    )
    workflow.apply(settings)
    assert run(settings).receipt is not None


def test_schedules_are_suspended_with_their_tenant(tmp_path):
    """A daemon starts nothing of a suspended tenant, and another tenant's schedules stay as they are declared."""
    settings = lived_in(tmp_path, "suspend: {reason: unpaid}")
    (tmp_path / "schedules.yaml").write_text(
        "".join(
            f"apiVersion: syncline/v1\nkind: Schedule\nmetadata: {{name: hourly, tenant: {tenant}}}\n"
            f"spec: {{every: 1h, run: [{flow}]}}\n---\n"
            for tenant, flow in (("acme", "Sync/customers"), ("other", "Sync/customers"))
        ).rstrip("-\n")
        + "\n"
    )
    (tmp_path / "other.yaml").write_text(
        house.TENANT.replace("name: acme", "name: other")
        + "---\n"
        + "---\n".join(
            SCENARIO.texts[name].replace("acme", "other").replace("warehouse.db", "other.db")
            for name in ("source.yaml", "mapping.yaml", "warehouse.yaml", "sync.yaml")
        ).replace("root: data", "root: others")
    )
    (tmp_path / "others").mkdir()
    workflow.apply(settings)
    with workflow.engine(settings) as engine:
        found = {key.tenant: spec.suspend for key, spec in schedules(engine.applied().desired)}
    assert found["acme"] is not None
    assert found["acme"].reason == "unpaid"
    assert found["other"] is None


def test_so_many_requests_of_all_integrations_together(tmp_path):
    """Runs against two APIs share their tenant's requests of an hour; who comes when they are used up asks for nothing,
    and another tenant's run, under a quota of as many, goes through.
    """
    with api_server(TICKETS) as api:
        settings = desks(tmp_path, api.url, f"{2 * PAGES - 1}/h")
        with workflow.engine(settings) as engine:

            def ticket_run(tenant, name):
                return engine.run(Work(ObjectKey(tenant, "Sync", f"{name}-tickets")), Silent()).record.counts.read

            assert ticket_run("acme", "north") == 2 * PAGES
            with pytest.raises(Again, match="rate limit") as raised:
                ticket_run("acme", "south")
            assert ticket_run("globex", "east") == 2 * PAGES
        asked = [one.path.split("/")[1] for one in api.asked]
    assert raised.value.code == "SYN404"
    assert 0 < (raised.value.after or 0) <= 3600
    assert asked == ["north"] * PAGES + ["south"] * (PAGES - 1) + ["east"] * PAGES


def test_requests_of_a_second_are_waited_for(tmp_path):
    """Two runs at the same time send no more together than one might: the n-th request comes when its second has."""
    came = []

    def handler(asked):
        came.append(time.monotonic())
        return TICKETS(asked)

    with api_server(handler) as api:
        settings = desks(tmp_path, api.url, "2/s")
        with workflow.engine(settings) as engine:
            began = time.monotonic()
            keys = [ObjectKey("acme", "Sync", f"{name}-tickets") for name in ("north", "south")]
            threads = [threading.Thread(target=engine.run, args=(Work(key), Silent())) for key in keys]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
    assert len(came) == 2 * PAGES
    assert [n for n, moment in enumerate(sorted(came)) if moment - began < n // 2 - 0.01] == []
