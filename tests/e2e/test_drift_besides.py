"""Drift of what is no flow: positions of schedules, versions of credentials, and keys that wrap tenants' data keys."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from msgspec import structs

from syncline import drift, workflow
from syncline.daemon.starts import Starter
from syncline.executor.progress import Silent
from syncline.model.key import ObjectKey
from syncline.reconciler.keys import rotate_keys
from syncline.secrets.keys import ring_file
from tests.e2e.daemon import until
from tests.e2e.house import FLOW, TENANT, Scenario, audit_events, build, customers, settings_of
from tests.look import Look

SCHEDULE = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: hourly, tenant: acme}
spec: {every: 1h, run: [Sync/customers]}
"""
HOURLY = ObjectKey("acme", "Schedule", "hourly")
ACME = ObjectKey("", "Tenant", "acme")
CREDENTIAL = ObjectKey("acme", "AuthConfig", "warehouse")
NOW = dt.datetime(2026, 11, 26, 12, 30, tzinfo=dt.UTC)


def found(settings, key, *, heal=False):
    (one,) = drift.look(settings, [key], heal=heal)
    return one


def said(settings, key):
    return [(finding.cause, finding.place, finding.lost) for finding in found(settings, key).findings]


@pytest.fixture
def scheduled(tmp_path):
    """A house with a schedule every hour."""
    settings = build(tmp_path, {**Scenario("upsert").texts, "schedule.yaml": SCHEDULE})
    customers(tmp_path, 5)
    workflow.apply(settings)
    return settings


def put(settings, position):
    with workflow.engine(settings) as engine:
        engine.facilities.store.put_cursor(HOURLY, position)


@pytest.mark.parametrize("position", ["2126-01-01T00:00:00+00:00", "yesterday", "2026-11-26T12:00:00"])
def test_a_position_that_starts_nothing(scheduled, position):
    """One that is ahead of the clock, or that nobody can read, is told of; healed, the schedule goes on from now."""
    assert not said(scheduled, HOURLY)
    put(scheduled, position)
    assert said(scheduled, HOURLY) == [("actor", "position", True)]
    assert Look(scheduled.state_url).cursor(HOURLY) == position

    before = dt.datetime.now(dt.UTC)
    assert not found(scheduled, HOURLY, heal=True).findings
    kept = Look(scheduled.state_url).cursor(HOURLY)
    assert kept is not None
    assert before <= dt.datetime.fromisoformat(kept) <= dt.datetime.now(dt.UTC)
    assert [e["metadata"]["event_code"] for e in audit_events(scheduled)].count("drift.heal") == 1


@pytest.mark.parametrize("position", ["2126-01-01T00:00:00+00:00", "yesterday"])
def test_a_daemon_goes_on_once_a_position_is_healed(scheduled, position):
    """A position that was changed starts nothing and ends nobody; once it is healed, the next start is on time, once."""
    put(scheduled, position)
    with workflow.engine(scheduled) as engine:
        starter = Starter(engine, NOW, 2, lambda _: None)
        for minutes in (0, 60, 120):
            starter.tick(NOW + dt.timedelta(minutes=minutes))
        assert not engine.facilities.store.runs(FLOW)

        engine.facilities.store.put_cursor(HOURLY, (NOW + dt.timedelta(minutes=120)).isoformat())
        for minutes in (125, 150, 155):
            starter.tick(NOW + dt.timedelta(minutes=minutes))
        until(lambda: engine.facilities.store.runs(FLOW))  # what waits for its turn isn't begun any more by `drain`
        assert starter.drain(30)
        assert len(engine.facilities.store.runs(FLOW)) == 1
        starter.close()


def test_a_key_rotation_that_was_not_finished(scheduled):
    """A data key under a former key is intent that waits; under one that is not in the ring, somebody lost a key."""
    with workflow.engine(scheduled) as engine:
        engine.facilities.keys.seal("acme", b"x", "a")
    assert not said(scheduled, ACME)
    entries = ring_file.read(scheduled.keys)
    newer = structs.replace(entries[0], id="f" * 16)
    ring_file.write(scheduled.keys, (*entries, newer))
    assert said(scheduled, ACME) == [("intent", "data key", False)]

    ring_file.write(scheduled.keys, (newer,))
    assert said(scheduled, ACME) == [("actor", "data key", False)]

    ring_file.write(scheduled.keys, entries)
    rotate_keys(scheduled, "file")
    assert not said(scheduled, ACME)


def test_a_credential_that_was_replaced(tmp_path, postgres_url):
    """A credential that is another than the last run used is noise: the next run takes it. One that is gone isn't."""
    scenario = Scenario("upsert", postgres_url, schema="drift_of_credentials")
    texts = scenario.texts
    texts["warehouse.yaml"] = texts["warehouse.yaml"].replace(
        "key: WAREHOUSE_PASSWORD}}}", "key: WAREHOUSE_PASSWORD}}, rotation: {every: 90d}}"
    )
    texts["tenant.yaml"] = TENANT
    settings = build(tmp_path, texts)
    customers(tmp_path, 5)
    workflow.apply(settings)
    assert found(settings, CREDENTIAL).unknown == "no run has used it yet"

    workflow.run(settings, FLOW, progress=Silent())
    assert not said(settings, CREDENTIAL)
    other = replace(settings, environ={**settings.environ, "WAREHOUSE_PASSWORD": "another"})
    assert said(other, CREDENTIAL) == [("noise", "secret", False)]
    without = {name: value for name, value in settings.environ.items() if name != "WAREHOUSE_PASSWORD"}
    assert said(replace(settings, environ=without), CREDENTIAL) == [("actor", "secret", False)]
    assert not said(settings_of(tmp_path), CREDENTIAL)
