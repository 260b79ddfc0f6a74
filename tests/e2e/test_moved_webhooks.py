"""Webhooks of an integration whose URL is changed in place: registered where it leads now, deleted where it did before."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from syncline import drift, workflow
from syncline.cli.main import main
from syncline.executor.services.facilities import open_facilities
from syncline.model.condition import ConditionType, Truth
from syncline.reconciler.keys import destroy_key
from tests.e2e.house import audit_events
from tests.e2e.leaving import commit
from tests.e2e.test_remote_webhooks import CANARY, FORGE, PUSH, URL, applied, findings, found, host
from tests.e2e.test_tenant_offboarding_webhooks import PUSH_STEP, declared, gone, leaves, steps
from tests.hook_server import TOKEN, forge, manifests
from tests.look import Look
from tests.repository import write

__all__ = ["host"]

THEIRS = {"events": ["push"], "active": True, "config": {"url": "https://ci.example/"}}
LEFT = "webhook 1 is still registered at 127.0.0.1, where the integration no longer leads"


@pytest.fixture
def new():
    """The system that the integration leads to afterwards; somebody else has a webhook there, under the same id."""
    with forge() as found:
        found.add(THEIRS)
        yield found


@pytest.fixture
def settings(host, tmp_path):
    """A webhook is registered at the first system."""
    settings = applied(tmp_path, manifests(host, PUSH))
    assert not found(settings, heal=True).unknown
    return settings


def moved(settings, host, webhooks=PUSH):
    """The integration leads to another system from now on."""
    write(settings.root, manifests(host, webhooks))
    workflow.apply(settings, allow_deletes=True)
    return settings


def condition(settings):
    status = Look(settings.state_url).statuses([FORGE])[FORGE].condition(ConditionType.drifted)
    assert status is not None
    return status


def unplaced(settings):
    """The state is as it was before it said where webhooks are registered."""
    with open_facilities(settings) as facilities:
        kept = json.loads(facilities.store.cursor(FORGE) or "")
        del kept["systems"], kept["webhooks"]["push"]["at"]
        facilities.store.put_cursor(FORGE, json.dumps(kept))


def test_it_is_registered_at_the_new_system_and_deleted_at_the_old_one(host, new, settings):
    """What has its id at the new system is another's, and neither changed nor deleted, also when ours goes again."""
    moved(settings, new)
    assert findings(settings)[:2] == [
        ("intent", "webhook push", "it isn't registered yet"),
        ("intent", "webhook push", LEFT),
    ]
    assert new.changes() == []

    assert [finding.cause for finding in found(settings, heal=True).findings] == ["noise"]
    assert not host.hooks
    assert (new.hooks[1]["config"]["url"], new.hooks[2]["config"]["url"]) == ("https://ci.example/", URL)

    moved(settings, new, "{}")
    found(settings, heal=True)
    assert list(new.hooks) == [1]


def test_without_webhooks_the_old_ones_go_all_the_same(host, new, settings):
    """Where none is declared any more when the URL is changed, those at the old system are deleted there only."""
    moved(settings, new, "{}")
    found(settings, heal=True)

    assert not host.hooks
    assert (list(new.hooks), new.changes()) == ([1], [])


def test_another_connector_that_registers_none_leaves_none_behind(host, new, settings):
    """Where the integration leads to a system of another kind, what is at the old one is deleted there all the same."""
    texts = manifests(new, "{}")
    other = texts["connector.yaml"].partition("  webhooks:")[0].replace("name: forge", "name: other")
    texts["other.yaml"] = other
    texts["forge.yaml"] = texts["forge.yaml"].replace("connector: forge@^1", "connector: other@^1")
    write(settings.root, texts)
    workflow.apply(settings, allow_deletes=True)
    assert FORGE in drift.drifting(settings)

    assert not found(settings, heal=True).findings
    assert (host.hooks, new.changes()) == ({}, [])
    assert FORGE not in drift.drifting(settings)


def test_what_cant_be_deleted_is_told_until_somebody_says_so(host, new, settings, monkeypatch, capsys):
    """The condition names system, id and way out at each look; --give-up forgets it, and the log has that."""
    host.forbids = "DELETE"
    moved(settings, new)
    for _ in range(2):
        causes = {finding.cause: finding.message for finding in found(settings, heal=True).findings}
        assert sorted(causes) == ["contract", "noise"]
        assert causes["contract"].startswith(LEFT)
    status = condition(settings)
    assert (status.status, LEFT in status.message) == (Truth.true, True)
    assert "delete it there, then: syncline drift acme/Integration/forge --heal --give-up" in status.message
    assert sorted(new.hooks) == [1, 2]

    for name, value in {"FORGE_TOKEN": TOKEN, "HOOK_SECRET": CANARY}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(settings.root)
    assert main(["drift", "--give-up"]) == 2
    assert main(["drift", "acme/Integration/forge", "--heal", "--give-up"]) == 0
    assert LEFT not in capsys.readouterr().out
    assert condition(settings).status is Truth.false
    last = [e for e in audit_events(settings) if e["metadata"]["event_code"] == "webhook.delete"][-1]
    assert last["unmapped"]["details"]["given_up"] is True
    assert last["unmapped"]["details"]["id"] == "1"


def test_new_credentials_are_not_sent_to_the_old_system(host, new, settings):
    """Where the secret was replaced as well, it may be the new system's: the old one isn't asked, and that is told."""
    asked = len(host.asked)
    new.token = "of-the-new-one"
    moved(settings, new)
    settings = replace(settings, environ={**settings.environ, "FORGE_TOKEN": new.token})
    told = found(settings, heal=True).findings[0]

    assert "SYN726 the credentials that 127.0.0.1 was reached with were replaced" in told.message
    assert (len(host.asked), list(host.hooks)) == (asked, [1])
    assert sorted(new.hooks) == [1, 2]


def test_a_change_that_is_taken_back_changes_nothing(host, new, settings):
    """It is known at the old system again, also where it had been registered at the new one meanwhile."""
    host.forbids = "DELETE"
    moved(settings, new)
    found(settings, heal=True)
    host.forbids = ""
    before = len(host.changes())
    moved(settings, host)

    assert not found(settings, heal=True).findings
    assert len(host.changes()) == before
    assert (list(host.hooks), list(new.hooks)) == ([1], [1])


def test_what_somebody_changed_at_the_old_system_is_left_alone(host, new, settings):
    """One with our id that is sent elsewhere may be another's: it stays, and is told."""
    host.change(1, {"config": {"url": "https://elsewhere.example/x"}})
    moved(settings, new)

    assert "SYN726 somebody changed where it is sent" in found(settings, heal=True).findings[0].message
    assert list(host.hooks) == [1]


def test_a_state_that_does_not_say_where_learns_it(host, new, settings):
    """What was registered before systems were kept is known by its id and URL, and its system kept from then on."""
    unplaced(settings)
    assert not found(settings, heal=True).findings
    moved(settings, new)
    found(settings, heal=True)

    assert not host.hooks
    assert sorted(new.hooks) == [1, 2]


def test_of_a_state_that_does_not_say_where_nothing_foreign_is_deleted(new, settings):
    """Where the URL was changed before, what has the id at the new system isn't known to be ours: it is told and stays."""
    unplaced(settings)
    moved(settings, new, "{}")

    assert "webhook 1 there may be it, and isn't known to be" in found(settings, heal=True).findings[0].message
    assert list(new.hooks) == [1]


def test_another_key_of_the_tenant_makes_no_other_system(host, settings):
    """Where a webhook is isn't told by a digest that needs the tenant's key: with another key it is where it was."""
    assert destroy_key(settings, "acme")
    one = found(settings, heal=True)

    assert (one.unknown, one.findings, list(host.hooks)) == ("", (), [1])
    assert [line.split()[0] for line in host.changes()] == ["POST", "PATCH"]


def test_a_tenant_that_leaves_has_it_deleted_where_it_was_registered(host, new, tmp_path):
    """Also where nothing was looked at between the change and the end."""
    settings = declared(tmp_path / "repo", host)
    (settings.root / "forge.yaml").write_text(manifests(new, PUSH)["forge.yaml"])
    commit(settings.root, "Elsewhere")
    workflow.apply(settings)
    gone(settings, "tenant", "auth", "forge")
    done, _ = leaves(settings)

    assert steps(done) == {PUSH_STEP: ("done", 1)}
    assert not host.hooks
    assert (list(new.hooks), new.changes()) == ([1], [])
