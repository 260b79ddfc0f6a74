"""When credentials are to be replaced: by age or date, told once, and forgotten when another value is seen."""

from __future__ import annotations

import datetime as dt
from contextlib import closing

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.kinds.auth import Rotation
from syncline.model.condition import ConditionType, Truth
from syncline.model.errors import Stalled
from syncline.model.key import ObjectKey
from syncline.reconciler import status
from syncline.reconciler.rotation import reminder
from syncline.settings import read_settings
from syncline.state.open import open_store
from syncline.state.store import SeenCredential
from tests import repository
from tests.api_server import api_server, pages
from tests.e2e.api import helpdesk

NOW = dt.datetime(2026, 11, 26, 8, tzinfo=dt.UTC)
AUTH = ObjectKey("acme", "AuthConfig", "helpdesk")
SYNC = ObjectKey("acme", "Sync", "tickets")
CANARY = "token-canary-4711"


def days(count):
    return (NOW - dt.timedelta(days=count)).isoformat()


@pytest.mark.parametrize(
    ("since", "seen", "expected"),
    [
        (None, None, None),
        (None, SeenCredential("a", days(10)), "NotDue"),
        (None, SeenCredential("a", days(77)), "DueSoon"),
        (None, SeenCredential("a", days(90)), "Overdue"),
        (dt.date(2026, 6, 1), None, "Overdue"),
        (dt.date(2026, 6, 1), SeenCredential("a", days(1)), "Overdue"),
        (dt.date(2026, 6, 1), SeenCredential("b", days(1), replaced=True), "NotDue"),
        (dt.date(2026, 11, 25), SeenCredential("b", days(200), replaced=True), "NotDue"),
        (dt.date(2027, 1, 1), None, "NotDue"),
    ],
)
def test_the_age_of_a_credential(since, seen, expected):
    """It counts from when the value was first seen, or from the date that is declared until a replacement is seen."""
    found = reminder(Rotation.model_construct(every="90d", warn="14d", since=since, expires=None), seen, NOW)
    assert (found.reason if found else None) == expected


@pytest.mark.parametrize(
    ("expires", "every", "seen", "expected"),
    [
        (dt.date(2027, 3, 1), None, None, "NotDue"),
        (dt.date(2026, 12, 1), None, None, "DueSoon"),
        (dt.date(2026, 11, 26), None, None, "Overdue"),
        (dt.date(2026, 12, 1), None, SeenCredential("b", days(1), replaced=True), "DueSoon"),
        (dt.date(2027, 3, 1), "90d", SeenCredential("a", days(80)), "DueSoon"),
        (dt.date(2026, 12, 1), "90d", SeenCredential("a", days(1)), "DueSoon"),
    ],
)
def test_the_end_of_a_credential(expires, every, seen, expected):
    """A day on which it ends counts by itself, and beside an age whichever comes first."""
    found = reminder(Rotation.model_construct(every=every, expires=expires, warn="14d", since=None), seen, NOW)
    assert found.reason == expected


def test_validate_warns_of_a_credential_that_ends(tmp_path):
    """Without any state, by the manifest alone; a plan says it once."""
    soon = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=3)
    auth = f"{{type: bearer, rotation: {{expires: {soon}}}, token: {{secretRef: {{provider: env, key: TOKEN}}}}}}"
    repository.write(tmp_path, helpdesk("http://127.0.0.1:1", auth=auth))
    settings = read_settings(tmp_path, {"TOKEN": CANARY})

    found = [d for d in workflow.validate(settings).diagnostics if d.code == "SYN274"]

    assert [(d.severity, f"it ends on {soon}" in d.message) for d in found] == [("warning", True)]
    assert sum(d.code == "SYN274" for d in workflow.plan(settings).findings) == 1


def test_it_is_looked_at_again_before_anything_changes():
    """The next look is a day ahead, or when the reminder begins or the time is over, whichever comes first."""
    rotation = Rotation.model_construct(every="90d", warn="14d", since=None, expires=None)
    for age, expected in ((10, 24.0), (75.5, 12.0), (80, 24.0), (89.75, 6.0), (200, 24.0)):
        found = reminder(rotation, SeenCredential("a", days(age)), NOW)
        assert (found.next_look(NOW) - NOW).total_seconds() / 3600 == expected


@pytest.fixture
def house(tmp_path):
    """A house whose token is to be replaced every ninety days; how to give it another token, and another age."""
    secret = "{secretRef: {provider: env, key: TOKEN}}"
    with api_server(pages([{"id": 1, "title": "A", "hours": 1}], 3, "cursor")) as api:
        auth = f"{{type: bearer, rotation: {{every: 90d, warn: 14d}}, token: {secret}}}"
        repository.write(tmp_path, helpdesk(api.url, auth=auth))

        def settings(token=CANARY):
            return read_settings(tmp_path, {"TOKEN": token, "SYNCLINE_ACTOR": "tests"})

        workflow.apply(settings())
        yield settings


def run(settings):
    with workflow.engine(settings) as engine:
        engine.run(Work(SYNC), Silent())


def age(settings, count):
    """Has the credential be seen so many days ago."""
    with closing(open_store(settings.state_url)) as store:
        known = store.credentials()[AUTH]
        since = (dt.datetime.now(dt.UTC) - dt.timedelta(days=count)).isoformat()
        store.see_credential(AUTH, "another", since)
        store.see_credential(AUTH, known.digest, since)


def condition(settings):
    found = workflow.statuses(settings)[AUTH].condition(ConditionType.rotation_due)
    return found.status, found.reason


def told(settings):
    with closing(open_store(settings.state_url)) as store:
        return [event.reason for event in store.events(AUTH) if "otat" in event.reason]


def test_runs_tell_of_a_credential_that_is_to_be_replaced(house):
    """A run notes the value by its digest, says once that it has grown old, and that it was replaced."""
    settings = house()
    assert condition(settings) == (Truth.unknown, "AgeUnknown")
    run(settings)
    assert condition(settings) == (Truth.false, "NotDue")
    for count, expected in ((80, "DueSoon"), (81, "DueSoon"), (95, "Overdue")):
        age(settings, count)
        run(settings)
        assert condition(settings) == (Truth.true, expected)
    assert not workflow.statuses(settings)[AUTH].failing
    assert told(settings) == ["RotationDueSoon", "RotationOverdue"]
    assert [d.code for d in workflow.plan(settings).findings] == ["SYN274"]
    (looked,) = [f for f in workflow.doctor(settings) if f.name == "credential helpdesk"]
    assert looked.ok is None
    assert "to be replaced by" in looked.message

    run(house("another-canary"))
    assert condition(settings) == (Truth.false, "NotDue")
    assert told(settings) == ["RotationDueSoon", "RotationOverdue", "Rotated"]
    assert workflow.plan(settings).findings == ()
    files = [path.read_bytes() for path in settings.root.rglob("*") if path.is_file()]
    assert not any(CANARY.encode() in data for data in files)


def test_a_daemon_looks_at_credentials(house):
    """A look notes what a credential is now, by an entry of the audit log, and is due again within a day."""
    from syncline.daemon.attempts import Attempts
    from tests.e2e.house import audit_events

    settings = house()
    with workflow.engine(settings) as engine:
        store = engine.facilities.store
        assert AUTH in store.due("9999")
        attempts = Attempts(engine, store, print, lambda _: False)
        attempts._attempt(AUTH)
        attempts.close()
        assert condition(settings) == (Truth.false, "NotDue")
        soon = dt.datetime.fromisoformat(store.statuses()[AUTH].retry) - dt.datetime.now(dt.UTC)
        assert dt.timedelta(hours=23) < soon <= dt.timedelta(days=1)
        status.after_run(store, engine.applied(), _failed(engine), Stalled("no", code="SYN401"))
        assert AUTH in store.due(dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z"))
    uses = [e for e in audit_events(settings) if "env:TOKEN" in str(e)]
    assert len(uses) == 1


def _failed(engine):
    from syncline.model.run import RunState
    from syncline.state.store import RunRecord

    return RunRecord("20261125T181500-abc123", SYNC, RunState.failed, "manual", "r", "p", "2026-11-25T18:15:00Z")


def test_the_digest_is_keyed(house):
    """The same value has another digest for another key: nobody without it can guess what the state holds."""
    from syncline.secrets.keys.ring import KeyRing

    settings = house()
    run(settings)
    with closing(open_store(settings.state_url)) as store:
        first = store.credentials()[AUTH].digest
    keys = KeyRing.open(settings.keys)
    keys.destroy("acme")
    run(settings)
    with closing(open_store(settings.state_url)) as store:
        assert store.credentials()[AUTH].digest != first


def test_a_credential_goes_with_its_declaration(house):
    """What was seen of a credential is forgotten when its AuthConfig is retired."""
    settings = house()
    run(settings)
    for name in ("auth.yaml", "sync.yaml"):
        (settings.root / name).unlink()
    workflow.apply(settings, allow_deletes=True)
    with closing(open_store(settings.state_url)) as store:
        assert store.credentials() == {}
