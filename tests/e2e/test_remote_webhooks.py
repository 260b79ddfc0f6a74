"""Webhooks at a system: registered as they are declared, looked at, and brought back where somebody changed them there."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from syncline import drift, workflow
from syncline.model.condition import ConditionType, Truth
from syncline.model.key import ObjectKey
from tests.e2e.daemon import Remote, serving, until
from tests.e2e.house import audit_events, audit_ok, build, settings_of
from tests.hook_server import TOKEN, forge, manifests
from tests.look import Look
from tests.repository import write

FORGE = ObjectKey("acme", "Integration", "forge")
URL = "https://syncline.example.com/hook"
SECRET = "{secretRef: {provider: env, key: HOOK_SECRET}}"
PUSH = f"{{push: {{url: '{URL}', events: [push], secret: {SECRET}}}}}"
CANARY = "canary-0f2b7c-of-the-hook"


@pytest.fixture
def host(monkeypatch):
    monkeypatch.setenv("FORGE_TOKEN", TOKEN)
    monkeypatch.setenv("HOOK_SECRET", CANARY)
    with forge() as found:
        yield found


def applied(root, texts):
    settings = with_secret(build(root, texts), CANARY)
    workflow.apply(settings)
    return settings


def with_secret(settings, secret):
    return replace(settings, environ={**settings.environ, "FORGE_TOKEN": TOKEN, "HOOK_SECRET": secret})


def found(settings, *, heal=False):
    (one,) = drift.look(settings, [FORGE], heal=heal)
    return one


def findings(settings):
    one = found(settings)
    assert not one.unknown
    return [(finding.cause, finding.place, finding.message) for finding in one.findings]


def test_what_is_declared_is_registered_and_kept(host, tmp_path):
    """A look alone changes nothing; healing registers, and then nothing differs. The system gets the secret, once."""
    settings = applied(tmp_path, manifests(host, PUSH))
    assert findings(settings) == [("intent", "webhook push", "it isn't registered yet")]
    assert not host.changes()

    assert not found(settings, heal=True).findings
    assert host.changes() == ["POST /api/v1/repos/acme/flows/hooks"]
    assert (host.hooks[1]["config"]["url"], host.hooks[1]["events"], host.secrets[1]) == (URL, ["push"], CANARY)
    assert not found(settings, heal=True).findings
    assert len(host.changes()) == 1
    assert audit_ok(settings)
    assert [e["metadata"]["event_code"] for e in audit_events(settings)].count("webhook.register") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"active": False}, "it is disabled"),
        ({"events": ["push", "issues"]}, "it is sent issues, push instead of push"),
        (
            {"config": {"url": "https://elsewhere.example/x?token=abc"}},
            "it is sent to another URL, at elsewhere.example",
        ),
    ],
)
def test_what_somebody_changed_there(host, tmp_path, change, message):
    """Disabled, of other events, sent elsewhere: an actor's doing, told without what may be secret, and undone."""
    settings = applied(tmp_path, manifests(host, PUSH))
    found(settings, heal=True)
    host.change(1, change)

    assert findings(settings) == [("actor", "webhook push", message)]
    status = Look(settings.state_url).statuses([FORGE])[FORGE].condition(ConditionType.drifted)
    assert status is not None
    assert (status.status, status.message) == (Truth.true, f"webhook push: {message}")
    assert not found(settings, heal=True).findings
    assert (host.hooks[1]["active"], host.hooks[1]["events"], host.hooks[1]["config"]["url"]) == (True, ["push"], URL)
    status = Look(settings.state_url).statuses([FORGE])[FORGE].condition(ConditionType.drifted)
    assert status is not None
    assert status.status is Truth.false


def test_what_somebody_deleted_there_comes_back(host, tmp_path):
    """A webhook that is gone is registered again, also where others' fill several pages; theirs are left alone."""
    settings = applied(tmp_path, manifests(host, PUSH))
    for number in range(3):
        host.add({"events": ["push"], "active": True, "config": {"url": f"https://ci.example/{number}"}})
    found(settings, heal=True)
    del host.hooks[4]

    assert findings(settings)[0] == ("actor", "webhook push", "it was deleted")
    assert [f.cause for f in found(settings, heal=True).findings] == ["noise"] * 3
    assert sorted(host.hooks) == [1, 2, 3, 5]


def test_a_lost_answer_registers_nothing_twice(host, tmp_path):
    """Where the answer to a registration is lost, the next look takes over the webhook that is new there."""
    settings = applied(tmp_path, manifests(host, PUSH))
    host.dies_after = "POST"
    assert "SYN" in found(settings, heal=True).unknown
    host.dies_after = ""

    assert findings(settings) == [("intent", "webhook push", "it is there, and isn't taken over yet")]
    assert not found(settings, heal=True).findings
    assert list(host.hooks) == [1]


def test_a_lost_request_is_sent_again(host, tmp_path):
    """Where a registration was asked for and nothing is there since, it is asked for again."""
    settings = applied(tmp_path, manifests(host, PUSH))
    host.dies_after = "POST"
    found(settings, heal=True)
    host.dies_after = ""
    host.hooks.clear()
    assert not found(settings, heal=True).findings
    assert len(host.hooks) == 1


def test_a_system_may_write_the_url_otherwise(host, tmp_path):
    """It is the one that is new since it was asked for: registered once, and what somebody changes later is told."""
    settings = applied(tmp_path, manifests(host, PUSH))
    inner = host.change

    def change(number, document):
        config = document.get("config") or {}
        inner(number, document | {"config": config | {"url": config["url"] + "/"}} if "url" in config else document)

    host.change = change
    for _ in range(3):
        one = found(settings, heal=True)
        assert (one.unknown, one.findings) == ("", ())
    assert host.changes() == ["POST /api/v1/repos/acme/flows/hooks"]
    inner(1, {"config": {"url": "https://elsewhere.example/"}})
    assert findings(settings)[0][2] == "it is sent to another URL, at elsewhere.example"


def test_what_is_not_in_the_list_is_asked_for_once(host, tmp_path):
    """A system that registers a webhook and doesn't list it gets no other at each look; a person is told the way out."""
    settings = applied(tmp_path, manifests(host, PUSH))
    host.hooks = Unlisted(host.hooks)
    assert found(settings, heal=True).unknown.startswith("SYN792 ")
    for _ in range(2):
        (finding,) = found(settings, heal=True).findings
        assert finding.message.startswith("it was registered, and isn't found in the list")
    assert len(host.changes()) == 1
    assert list(host.hooks) == [1]


class Unlisted(dict):
    """Webhooks that a system has, and doesn't list."""

    def values(self):
        return []


def test_what_somebody_else_registered_is_left_alone(host, tmp_path):
    """Another's webhook with the same URL is told, not taken over, and stays when ours goes."""
    theirs = host.add({"events": ["push"], "active": True, "config": {"url": "https://syncline.example.com/hook"}})
    settings = applied(tmp_path, manifests(host, PUSH))
    one = found(settings, heal=True)
    assert one.findings[0].message == "webhook 1, of somebody else, has its URL: delete it there, or use another"
    assert not host.changes()
    write(settings.root, manifests(host, "{}"))
    workflow.apply(settings, allow_deletes=True)
    found(settings, heal=True)
    assert list(host.hooks) == [theirs]


def test_a_replaced_secret_is_sent_anew(host, tmp_path):
    """The system shows no secrets; that the declared one is another than was registered is known all the same."""
    settings = applied(tmp_path, manifests(host, PUSH))
    found(settings, heal=True)
    settings = with_secret(settings, "another-" + CANARY)

    assert findings(settings) == [("intent", "webhook push", "its secret was replaced since it was registered")]
    assert not found(settings, heal=True).findings
    assert host.secrets == {1: "another-" + CANARY}


def test_what_is_not_declared_any_more_is_deleted(host, tmp_path):
    """One that is left out of the integration is deleted there, even where it was the last; one gone already is none."""
    two = PUSH.replace("{push:", "{other: {url: 'https://syncline.example.com/other', events: [issues]}, push:")
    settings = applied(tmp_path, manifests(host, two))
    found(settings, heal=True)
    assert len(host.hooks) == 2

    settings = applied(tmp_path, manifests(host, PUSH))
    assert findings(settings) == [("intent", "webhook other", "it isn't declared any more")]
    assert not found(settings, heal=True).findings
    assert [hook["config"]["url"] for hook in host.hooks.values()] == [URL]

    settings = applied(tmp_path, manifests(host, "{}"))
    assert FORGE in drift.drifting(settings)
    host.hooks.clear()
    assert not found(settings, heal=True).findings
    assert FORGE not in drift.drifting(settings)


def test_a_refusal_says_why_and_shows_no_secret(host, tmp_path):
    """What the system answers is told, but for the secret, even where it repeats it; the state doesn't hold it either."""
    settings = applied(tmp_path, manifests(host, PUSH))
    host.refuses = "that secret is too short"
    one = found(settings, heal=True)

    assert one.unknown.startswith("SYN791 ")
    assert "that secret is too short: ***" in one.unknown
    assert "too short" not in one.told  # by a daemon, whose log has no words from outside
    assert one.told.endswith(": …")
    host.refuses = ""
    found(settings, heal=True)
    kept = Look(settings.state_url).cursor(FORGE)
    assert kept is not None
    assert json.loads(kept)["webhooks"]["push"]["id"] == "1"
    assert CANARY not in kept + json.dumps(audit_events(settings))


@pytest.mark.parametrize("secret", ['zq"canary-tail', "zqé\\canary-tail", "zq /canary-tail&x"])
@pytest.mark.parametrize("escape", [str, json.dumps, quote, lambda text: json.dumps(text, ensure_ascii=False)])
def test_a_refusal_shows_no_escaped_secret(host, tmp_path, secret, escape):
    """An answer that repeats the secret as JSON or a URL writes it tells it to nobody."""
    settings = with_secret(build(tmp_path, manifests(host, PUSH)), secret)
    workflow.apply(settings)
    host.refuses, host.says = "no", escape
    said = found(settings, heal=True).unknown
    assert said.startswith("SYN791 ")
    assert "***" in said
    assert "canary-tail" not in said


def test_a_plan_says_what_is_sent_where(host, tmp_path):
    """A plan names the host that webhooks are registered at, and those they go to, for what is new or sent elsewhere."""

    def effects(webhooks):
        made = workflow.plan(build(tmp_path, manifests(host, webhooks)))
        return [effect.message for change in made.changes for effect in change.effects]

    sent = "is sent push by the system of Integration/forge: webhook push"
    assert effects(PUSH) == [
        "127.0.0.1 is newly contacted, by Integration/forge: to register webhooks",
        f"syncline.example.com {sent}",
    ]
    applied(tmp_path, manifests(host, PUSH))
    assert effects(PUSH.replace("syncline.example.com", "elsewhere.example.com")) == [f"elsewhere.example.com {sent}"]
    assert effects(PUSH.replace("secret:", "drift: heal, secret:")) == []


def test_a_connector_that_registers_none(host, tmp_path):
    """An integration that declares webhooks its connector can't register is refused when it is validated."""
    texts = manifests(host, PUSH)
    texts["forge.yaml"] = texts["forge.yaml"].replace("forge@^1", "other@^1")
    texts["other.yaml"] = texts["connector.yaml"].partition("  webhooks:")[0].replace("name: forge", "name: other")
    found = workflow.validate(build(tmp_path, texts))
    assert [d.code for d in found.diagnostics] == ["SYN790"]

    texts = manifests(host, PUSH)
    texts["connector.yaml"] = texts["connector.yaml"].replace("stream: hooks", "stream: hoks")
    (problem,) = workflow.validate(build(tmp_path, texts)).diagnostics
    assert (problem.code, problem.suggestion) == ("SYN790", "hooks")


@pytest.mark.slow
def test_with_a_daemon(host, tmp_path):
    """A commit that declares a webhook registers it at once; what is deleted there comes back once that is declared."""
    remote, root = Remote(tmp_path), tmp_path / "home"
    root.mkdir()
    first = remote.push(manifests(host, PUSH, tenant="{every: 1s}"))
    with serving(root, remote) as daemon:
        daemon.says(f"{first[:12]} is applied")
        state = settings_of(root).state_url

        def is_drifted() -> bool | None:
            known = Look(state).statuses([FORGE]).get(FORGE)
            condition = known.condition(ConditionType.drifted) if known else None
            return None if condition is None else condition.status is Truth.true

        # Before it asks for one, the daemon keeps that it does: only after a look it surely knows the one that is there.
        until(lambda: len(host.hooks) == 1 and is_drifted() is False, lambda: "\n".join(daemon.said))
        host.hooks.clear()
        until(is_drifted, lambda: "\n".join(daemon.said))
        assert not host.hooks
        second = remote.push(manifests(host, PUSH, tenant="{every: 1s, webhooks: heal}"))
        daemon.says(f"{second[:12]} is applied")
        until(lambda: len(host.hooks) == 1 and not is_drifted(), lambda: "\n".join(daemon.said))
    told = [event.reason for event in Look(state).events(FORGE) if event.reason in {"Drifted", "DriftGone"}]
    assert sorted(told) == ["DriftGone", "Drifted"]
