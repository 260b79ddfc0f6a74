"""Subscriptions, with a daemon at work: one message for one cause, its recovery in the same thread, and none lost or made up."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from syncline.model.condition import ConditionType
from syncline.model.key import ObjectKey
from syncline.model.secret import Secret
from syncline.sdk.standard_webhooks import signed
from syncline.state.open import open_reader
from tests.api_server import Asked, Reply, api_server
from tests.e2e.daemon import home, serving, until
from tests.e2e.house import Scenario, audit_ok, settings_of
from tests.look import Look
from tests.mail_server import mail_server
from tests.peers.pki import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#: Credentials that aren't there, a database that nobody listens at, and many flows into it.
LAKE = """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: lake, tenant: acme}
spec: {type: basic, username: lake, password: {secretRef: {provider: file, key: lake.password}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: lake, tenant: acme}
spec:
  connector: postgresql@^1
  auth: lake
  config: {url: "postgresql://127.0.0.1:1/lake", schema: public}
"""
FLOW = """\
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: lake-NUMBER, tenant: acme}
spec: {from: crm/customers, mapping: customer, to: lake/customers-NUMBER, read: full, write: upsert}
"""


def subscription(url: str, on: str = "incident", more: str = "", name: str = "ops", tenant: str = "acme") -> str:
    of = f", tenant: {tenant}" if tenant else ""
    return f"""\
apiVersion: syncline/v1
kind: Subscription
metadata: {{name: {name}{of}}}
spec:
  on: [{on}]
  wait: 1s
  {more}
  do: {{webhook: {{url: "{url}/hook", secret: {{secretRef: {{provider: env, key: HOOK_SECRET}}}}}}}}
"""


class Receiver:
    """An endpoint that checks signatures, answers as it is told and keeps what came."""

    def __init__(self) -> None:
        self.status = 200
        self.came: list[tuple[str, dict[str, Any]]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.url = ""

    def answer(self, asked: Asked) -> Reply:
        headers = asked.headers
        known = signed(headers["webhook-id"], int(headers["webhook-timestamp"]), asked.body, [Secret(KEY)])
        if headers["webhook-signature"] != known["webhook-signature"]:
            return Reply({"error": "not genuine"}, 401)
        self.came.append((headers["webhook-id"], json.loads(asked.body)))
        self.hold.wait(60)
        return Reply({}, self.status)

    def types(self, of: str = "") -> list[str]:
        """What came, by type, of an object where one is given."""
        return [m["type"] for _, m in self.came if not of or m["data"].get("object") == of]


@pytest.fixture
def receiver(monkeypatch) -> Iterator[Receiver]:
    monkeypatch.setenv("HOOK_SECRET", KEY)
    made = Receiver()
    with api_server(made.answer) as server:
        made.url = server.url
        yield made
        made.hold.set()


@pytest.fixture
def root(tmp_path) -> Path:
    """The daemon's own folder, with the data that its flows read."""
    return home(tmp_path, 20)


def messages(root: Path) -> list[Any]:
    return list(Look(settings_of(root).state_url).messages(limit=1000))


@pytest.mark.slow
def test_one_cause_is_told_once_and_its_recovery_in_the_same_thread(root, remote, receiver):
    """Fifty flows that wait for credentials are one message, about these; when they come, the same thread says so."""
    texts = {
        **Scenario("upsert").texts,
        "lake.yaml": LAKE + "".join(FLOW.replace("NUMBER", str(n)) for n in range(50)),
        "ops.yaml": subscription(receiver.url),
        "other.yaml": "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: other}\nspec: {egress: {private: [127.0.0.1]}}\n"
        "---\n" + subscription(receiver.url, "incident, run.finish, apply.step", name="nosy", tenant="other"),
    }
    commit = remote.push(texts)
    with serving(root, remote) as daemon:
        daemon.says(f"{commit[:12]} is applied")
        until(lambda: receiver.came, lambda: "\n".join(daemon.said))
        (root / "lake.password").touch(mode=0o600)
        (root / "lake.password").write_text("secret")
        until(lambda: len(receiver.types("acme/AuthConfig/lake")) == 2, lambda: str(receiver.came))
        until(lambda: "acme/Integration/lake" in str(receiver.came), lambda: str(receiver.came))

    of_acme = [m for _, m in receiver.came if m["data"]["tenant"] == "acme"]
    opened, resolved = (m for m in of_acme if m["data"]["object"] == "acme/AuthConfig/lake")
    assert (opened["type"], resolved["type"]) == ("incident.open", "incident.resolve")
    assert opened["data"]["count"] == 51
    assert (opened["data"]["reason"], opened["data"]["code"]) == ("SecretMissing", "SYN801")
    assert opened["data"]["id"] == resolved["data"]["id"]
    assert "syncline explain acme/AuthConfig/lake" in opened["data"]["text"]
    assert "acme/Sync/lake-1" not in {m["data"]["object"] for m in of_acme}
    # Another tenant's subscription was told of its own steps only, and nothing of what the files hold left the house.
    assert {m["data"].get("object") for _, m in receiver.came if m["data"]["tenant"] == "other"} <= {
        "other/Subscription/nosy"
    }
    assert "lake.password" not in str(receiver.came)
    assert audit_ok(settings_of(root))


@pytest.mark.slow
def test_a_kill_between_sending_and_noting_it_repeats_the_message_under_its_id(root, remote, receiver):
    """A daemon that dies while a receiver has its message sends that one again, under the same id, and no other."""
    texts = {**Scenario("upsert").texts, "ops.yaml": subscription(receiver.url, "apply.finish")}
    remote.push(texts)
    receiver.hold.clear()
    with serving(root, remote) as daemon:
        until(lambda: receiver.came, lambda: "\n".join(daemon.said))
        # While the receiver holds the message, the daemon goes on: it neither waits nor fails.
        another = remote.push({**texts, "one.yaml": texts["mapping.yaml"].replace("{name: customer,", "{name: one,")})
        daemon.says(f"{another[:12]} is applied")
        daemon.process.kill()
        daemon.process.wait()
    receiver.hold.set()
    before, *_ = messages(root)
    assert (before.state, before.attempts) == ("Pending", 1)
    with serving(root, remote) as daemon:
        until(lambda: len(receiver.came) > 1, lambda: "\n".join(daemon.said))
        until(lambda: [m.state for m in messages(root)] == ["Sent", "Sent"], lambda: str(messages(root)))
        second = remote.push({**texts, "more.yaml": texts["mapping.yaml"].replace("{name: customer,", "{name: more,")})
        until(lambda: len(receiver.came) > 3, lambda: "\n".join(daemon.said))

    first, again, *others = receiver.came
    assert first == again
    assert [m["data"]["revision"] for _, m in others] == [another, second]
    assert len({name for name, _ in receiver.came}) == len(messages(root)) == 3


@pytest.mark.slow
def test_another_daemon_goes_on_with_what_one_had_begun(root, remote, receiver):
    """A daemon that stands by takes over within a second or two, sends what was on its way, and nothing twice besides."""
    remote.push({**Scenario("upsert").texts, "ops.yaml": subscription(receiver.url, "apply.finish")})
    receiver.hold.clear()
    with serving(root, remote) as first:
        first.says("is applied")
        with serving(root, remote) as second:
            second.says("this daemon stands by")
            until(lambda: receiver.came, lambda: "\n".join(first.said))
            first.process.kill()
            first.process.wait()
            receiver.hold.set()
            second.says("this daemon works from now on")
            until(lambda: [m.state for m in messages(root)] == ["Sent"], lambda: str(messages(root)))
    assert len({name for name, _ in receiver.came}) == 1
    assert len(receiver.came) == 2


@pytest.mark.slow
def test_a_receiver_that_hangs_keeps_no_daemon_from_ending(root, remote, receiver):
    """SIGTERM ends the daemon within five seconds, whatever a receiver does; the message is sent by the next one."""
    remote.push({**Scenario("upsert").texts, "ops.yaml": subscription(receiver.url, "apply.finish")})
    receiver.hold.clear()
    with serving(root, remote) as daemon:
        until(lambda: receiver.came, lambda: "\n".join(daemon.said))
        began = time.monotonic()
        daemon.process.terminate()
        assert daemon.process.wait(20) == 0
        assert time.monotonic() - began < 5
    receiver.hold.set()
    with serving(root, remote) as daemon:
        until(lambda: [m.state for m in messages(root)] == ["Sent"], lambda: str(messages(root)))


@pytest.mark.slow
def test_what_cannot_be_sent_waits_and_shows_and_tells_nobody_of_itself(root, remote, receiver):
    """A receiver that fails makes the subscription not ready; its messages wait, and arrive once it works, in order."""
    receiver.status = 500
    texts = {**Scenario("upsert").texts, "ops.yaml": subscription(receiver.url, "incident, apply.finish")}
    commit = remote.push(texts)
    key = ObjectKey("acme", "Subscription", "ops")
    url = settings_of(root).state_url
    with serving(root, remote) as daemon:
        daemon.says(f"{commit[:12]} is applied")
        daemon.says("acme/Subscription/ops: a message couldn't be sent: SYN734 the receiver answers 500")
        until(
            lambda: (s := Look(url).statuses([key]).get(key)) is not None and s.failing, lambda: "\n".join(daemon.said)
        )
        receiver.status = 200
        until(lambda: [m.state for m in messages(root)] == ["Sent"], lambda: str(messages(root)))
        until(lambda: not Look(url).statuses([key])[key].failing)

    assert set(receiver.types()) == {"apply.finish"}
    assert len({name for name, _ in receiver.came}) == 1
    reasons = [event.reason for event in Look(url).events(key)]
    assert reasons == ["Applied", "DeliveryFailed", "Ready"]


CHANNELS = """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: slack, tenant: acme}
spec: {type: bearer, token: {secretRef: {provider: env, key: SLACK_TOKEN}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: slack, tenant: acme}
spec: {connector: slack@^1, auth: slack, endpoints: [{region: eu, url: "URL/api"}]}
---
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: pagerduty, tenant: acme}
spec: {type: api_key, value: {secretRef: {provider: env, key: PAGERDUTY_KEY}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: pagerduty, tenant: acme}
spec: {connector: pagerduty-events@^1, auth: pagerduty, endpoints: [{region: eu, url: URL}]}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: mail, tenant: acme}
spec: {connector: smtp@^1, config: {host: localhost, port: PORT, from: alerts@example.com}, tls: {ca: CA}}
---
apiVersion: syncline/v1
kind: Subscription
metadata: {name: slack, tenant: acme}
spec:
  on: [incident]
  wait: 1s
  do: {notify: {integration: slack, channel: "#ops", title: "{{ event.object }} ({{ event.count }})"}}
---
apiVersion: syncline/v1
kind: Subscription
metadata: {name: pagerduty, tenant: acme}
spec: {on: [incident], severity: error, wait: 1s, do: {notify: {integration: pagerduty}}}
---
apiVersion: syncline/v1
kind: Subscription
metadata: {name: mail, tenant: acme}
spec: {on: [incident], wait: 1s, do: {notify: {integration: mail, channel: ops@example.com}}}
"""


class Vendors:
    """Slack's and PagerDuty's endpoints: what came to each."""

    def __init__(self) -> None:
        self.slack: list[dict[str, Any]] = []
        self.pagerduty: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        body = json.loads(asked.body or b"{}")
        if asked.path == "/api/auth.test" and asked.headers.get("authorization") == "Bearer xoxb-1":
            return Reply({"ok": True, "user": "syncline"})
        if asked.path == "/v2/enqueue" and body.get("routing_key") == "R0UT1NGKEY":
            self.pagerduty.append(body)
            return Reply({"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}, 202)
        if asked.path == "/api/chat.postMessage" and asked.headers.get("authorization") == "Bearer xoxb-1":
            self.slack.append(body)
            return Reply({"ok": True, "ts": f"1764.{len(self.slack)}"})
        return Reply({"ok": False, "error": "invalid_auth"}, 401)


@pytest.mark.slow
def test_slack_pagerduty_and_mail_get_one_thread_each(root, remote, monkeypatch):
    """An incident opens and ends in one thread of each system, with the secrets in the audit log by name only."""
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-1")
    monkeypatch.setenv("PAGERDUTY_KEY", "R0UT1NGKEY")
    vendors, authority = Vendors(), Authority(root / "pki")
    with api_server(vendors.answer) as api, mail_server(authority.issue("localhost")) as mails:
        channels = CHANNELS.replace("URL", api.url).replace("PORT", str(mails.port)).replace("CA}", "pki/ca.crt}")
        texts = {**Scenario("upsert").texts, "lake.yaml": LAKE, "channels.yaml": channels}
        remote.push(texts)
        with serving(root, remote) as daemon:
            until(lambda: vendors.slack and vendors.pagerduty and mails.mails, lambda: "\n".join(daemon.said))
            remote.push({name: text for name, text in texts.items() if name != "lake.yaml"})
            until(
                lambda: min(len(vendors.slack), len(vendors.pagerduty), len(mails.mails)) > 1,
                lambda: "\n".join(daemon.said),
            )
            until(lambda: {str(m.state) for m in messages(root)} == {"Sent"}, lambda: str(messages(root)))

    opened, ended = vendors.slack
    assert (opened["channel"], opened["text"].splitlines()[0]) == ("#ops", ":red_circle: *acme/AuthConfig/lake (1)*")
    assert ended["thread_ts"] == "1764.1"
    assert [e["event_action"] for e in vendors.pagerduty] == ["trigger", "resolve"]
    assert len({e["dedup_key"] for e in vendors.pagerduty}) == 1
    first, last = mails.mails
    assert (last["In-Reply-To"], last["Subject"]) == (first["Message-ID"], f"Re: {first['Subject']}")
    settings = settings_of(root)
    assert audit_ok(settings)
    log = "".join(path.read_text(errors="replace") for path in settings.audit.rglob("*") if path.is_file())
    assert "env:SLACK_TOKEN" in log
    assert "xoxb-1" not in log
    assert "R0UT1NGKEY" not in log


def mail_to(port: int, channel: str = "ops@example.com") -> str:
    """A mail server without TLS, and a subscription that sends through it."""
    return f"""\
apiVersion: syncline/v1
kind: Integration
metadata: {{name: mail, tenant: acme}}
spec: {{connector: smtp@^1, config: {{host: localhost, port: {port}, from: alerts@example.com, tls: none}}}}
---
apiVersion: syncline/v1
kind: Subscription
metadata: {{name: mail, tenant: acme}}
spec: {{on: [incident], wait: 1s, do: {{notify: {{integration: mail, channel: "{channel}"}}}}}}
"""


@pytest.mark.slow
def test_mail_that_one_address_refused_keeps_its_thread(root, remote):
    """Where the first mail of an incident came to one of two, its recovery comes to that one as a reply."""
    with mail_server() as mails:
        mails.refused = {"gone@example.com": "550 no such user"}
        told = mail_to(mails.port, "gone@example.com, ops@example.com")
        texts = {**Scenario("upsert").texts, "lake.yaml": LAKE, "channels.yaml": told}
        remote.push(texts)
        with serving(root, remote) as daemon:
            until(lambda: mails.mails, lambda: "\n".join(daemon.said))
            remote.push({name: text for name, text in texts.items() if name != "lake.yaml"})
            until(lambda: len(mails.mails) > 1, lambda: "\n".join(daemon.said))

    first, last = mails.mails
    assert (last["In-Reply-To"], last["Subject"]) == (first["Message-ID"], f"Re: {first['Subject']}")


def ready(root, name: str) -> str:
    """Whether an integration is ready, and why it is or isn't."""
    with closing(open_reader(settings_of(root).state_url)) as reader:
        status = reader.statuses().get(ObjectKey("acme", "Integration", name))
    condition = status and status.condition(ConditionType.ready)
    return f"{condition.status}: {condition.message}" if condition else ""


@pytest.mark.slow
def test_an_integration_that_only_tells_is_looked_at_too(root, remote):
    """A mail server that doesn't answer is known before the first incident, though no flow uses it."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    remote.push({**Scenario("upsert").texts, "mail.yaml": mail_to(port)})
    with serving(root, remote) as daemon:
        until(lambda: ready(root, "mail").startswith("False"), lambda: f"{ready(root, 'mail')} {daemon.said}")


API = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: api}
spec:
  version: 1.0.0
  config: {properties: {url: {format: uri}}, required: [url]}
  http: {url: "{{ config.url }}", retry: {attempts: 1}}
  check: {get: /me}
  streams:
    people:
      get: /people
      records: data
      key: [id]
      schema: {properties: {id: {type: integer}, name: {type: string}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: api, tenant: acme}
spec: {connector: api@^1, config: {url: "URL"}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: person, tenant: acme}
spec: {key: [id], fields: [{to: id, from: id, type: integer, required: true}, {to: name, from: name}]}
---
apiVersion: syncline/v1
kind: Schedule
metadata: {name: often, tenant: acme}
spec: {every: 3s, run: [RUNS]}
"""
PEOPLE = """\
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: people-NUMBER, tenant: acme}
spec: {from: api/people, mapping: person, to: warehouse/people_NUMBER, read: full, write: upsert}
"""


@pytest.mark.slow
@pytest.mark.parametrize(("refused", "reason"), [(("/people", "/me"), "CheckFailed"), (("/people",), "FlowsFail")])
def test_runs_that_fail_of_one_cause_are_one_message(root, remote, receiver, refused, reason):
    """Scheduled flows whose API refuses them are told once, as that integration: whether or not its check fails too."""
    state = {"refused": refused}

    def api(asked: Asked) -> Reply:
        bad = asked.path in state["refused"]
        return Reply({"error": "words of the API"}, 401) if bad else Reply({"data": [{"id": 1, "name": "Ada"}]})

    with api_server(api) as server:
        runs = ", ".join(f"Sync/people-{n}" for n in range(8))
        texts = {
            **Scenario("upsert").texts,
            "api.yaml": API.replace("URL", server.url).replace("RUNS", runs)
            + "".join(PEOPLE.replace("NUMBER", str(n)) for n in range(8)),
            "ops.yaml": subscription(receiver.url).replace("wait: 1s", "wait: 6s"),
        }
        remote.push(texts)
        with serving(root, remote) as daemon:
            until(lambda: receiver.came, lambda: "\n".join(daemon.said))
            state["refused"] = ()
            until(lambda: len(receiver.came) > 1, lambda: "\n".join(daemon.said))

    opened, ended = (message for _, message in receiver.came)
    about = opened["data"]
    assert (about["object"], about["reason"], about["code"]) == ("acme/Integration/api", reason, "SYN401")
    assert 4 <= about["count"] <= 8
    assert (ended["type"], ended["data"]["id"], ended["data"]["cause"]) == ("incident.resolve", about["id"], "")
    assert "words of the API" not in str(receiver.came)
