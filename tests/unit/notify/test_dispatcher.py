"""From events and conditions in the state to messages in the outbox."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from syncline import workflow
from syncline.model.condition import Condition, ConditionType, Mood, Occurrence, Status, Truth
from syncline.model.key import ObjectKey
from syncline.model.run import Counts, RunState
from syncline.notify.dispatcher import Dispatcher
from syncline.state.open import open_store
from syncline.state.store import RunRecord
from tests import repository

IMPORT = ObjectKey("acme", "Import", "customers")
CRM = ObjectKey("acme", "Integration", "crm")
HOOK = 'webhook: {url: "https://hooks.example.com/ops", secret: {secretRef: {provider: env, key: K}}}'


def subscription(on: str, more: str = "", name: str = "ops", tenant: str = "acme") -> str:
    of = f", tenant: {tenant}" if tenant else ""
    return f"""\
apiVersion: syncline/v1
kind: Subscription
metadata: {{name: {name}{of}}}
spec:
  on: [{on}]
  {more}
  do: {{{HOOK}}}
"""


class House:
    """A state with something applied, a dispatcher on it, and a clock."""

    def __init__(self, root, *subscriptions: str) -> None:
        self.settings = repository.write(root, {**repository.CUSTOMERS, "ops.yaml": "---\n".join(subscriptions)})
        workflow.apply(self.settings)
        self.store = open_store(self.settings.state_url)
        self.now = time.time()
        self.restarted()

    def restarted(self) -> None:
        from syncline.executor.flows.applied import read_applied

        self.dispatcher = Dispatcher(self.store, lambda: read_applied(self.store))

    def passes(self, seconds: float = 0.0, every: float = 10.0) -> list:
        """Looks, for a while; the messages that are new."""
        before = len(self.store.messages(limit=10_000))
        self.dispatcher.tick(self.now)
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + every)
            self.dispatcher.tick(self.now)
        return list(self.store.messages(limit=10_000))[before:]

    def ran(self, number: int, state: RunState = RunState.succeeded, key: ObjectKey = IMPORT, code: str = "") -> None:
        """A run that ended."""
        run = RunRecord(f"run-{number:06}", key, RunState.running, "schedule", "r1", "p1", "2026-11-26T01:00:00Z")
        self.store.put_run(run)
        from msgspec.structs import replace

        self.store.put_run(replace(run, state=state, counts=Counts(3, 3), error="secret value", error_code=code))

    def stands(self, key: ObjectKey, truth: Truth, reason: str = "CheckFailed", message: str = "") -> None:
        ready = Condition(ConditionType.ready, truth, reason, message, "r1", "2026-11-26T01:00:00.000000Z")
        told = Occurrence(key, Mood.warning if truth is Truth.false else Mood.normal, reason, message, "r1")
        self.store.change_statuses([key], lambda _: ([Status(key, (ready,))], [told]))


@pytest.fixture
def house(tmp_path):
    """Makes a house with subscriptions."""
    made = []

    def make(*subscriptions: str) -> House:
        made.append(House(tmp_path, *subscriptions))
        return made[-1]

    yield make
    for one in made:
        with closing(one.store):
            pass


def test_ends_of_runs_are_told_with_what_is_known_of_them(house):
    """A run's end is one message with its counts and code, and never the text of its error."""
    here = house(subscription("run.finish", "filter: event.outcome == 'failure'"))
    assert here.passes() == []
    here.ran(1)
    here.ran(2, RunState.failed, code="SYN401")
    (message,) = here.passes(60)
    assert message.event["object"] == "acme/Import/customers"
    assert (message.event["outcome"], message.event["code"], message.event["read"]) == ("failure", "SYN401", 3)
    assert "secret value" not in str(message)


def test_nothing_is_told_twice_after_a_restart(house):
    """A dispatcher that begins anew goes on where the one before it was."""
    here = house(subscription("run.finish"))
    here.passes()
    here.ran(1)
    assert len(here.passes(30)) == 1
    here.restarted()
    here.ran(2)
    assert [m.event["run"] for m in here.passes(30)] == ["run-000002"]


def test_what_happened_while_nobody_looked_is_told(house):
    """Events between the apply of a subscription and the first look at it, and while no daemon works, aren't lost."""
    here = house(subscription("run.finish"))
    here.ran(1)
    assert len(here.passes()) == 1
    for n in range(2, 12):
        here.ran(n)
    here.restarted()
    assert [m.event["run"] for m in here.passes()] == [f"run-{n:06}" for n in range(2, 12)]


def test_a_flood_is_one_digest(house):
    """Of what is beyond the limit, one message tells, with how much it was; there are never more than the limit."""
    here = house(subscription("run.finish", "limit: 5/h"))
    here.passes()
    for n in range(100):
        here.ran(n)
    messages = here.passes(3000)
    assert [str(m.phase) for m in messages] == ["event"] * 4 + ["digest"]
    assert messages[-1].event["count"] == 96
    assert len(messages[-1].event["lines"]) == 20
    for n in range(100, 150):
        here.ran(n)
    assert here.passes(500) == []
    (digest,) = here.passes(3600)
    assert digest.event["count"] == 50


def test_a_tenant_is_told_of_its_own_only(house):
    """Another tenant's subscription sees no run, step or incident of this one; one without a tenant sees all."""
    other = "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: other}\nspec: {}\n"
    all_types = "incident, run.start, run.finish, apply.step"
    here = house(
        other, subscription(all_types, "wait: 10s", "nosy", "other"), subscription(all_types, "wait: 10s", "all", "")
    )
    here.passes(30)
    here.ran(1)
    here.stands(CRM, Truth.false)
    found = here.passes(60)
    told = {(m.key.name, m.event["type"]) for m in found}
    assert told == {("all", "run.start"), ("all", "run.finish"), ("all", "incident")}


def test_a_shared_cause_is_told_to_the_tenant_that_waits_for_it(house):
    """Of a shared object a tenant is told that it is the cause, where something of its own waits for it."""
    here = house(subscription("incident", "wait: 10s"))
    shared = ObjectKey("", "Integration", "lake")
    here.stands(shared, Truth.false)
    assert here.passes(60) == []


def test_the_kind_severity_and_filter_choose(house):
    """Patterns of objects, the least severity and the condition all have to be met."""
    here = house(
        subscription("incident", "wait: 10s\n  objects: [Sync/*]", "syncs"),
        subscription("incident", "wait: 10s\n  objects: [Integration/c*]", "crm"),
        subscription("incident", "wait: 10s\n  filter: event.code == 'SYN402'", "code"),
    )
    here.stands(CRM, Truth.false, message="[SYN401] a secret text")
    found = here.passes(60)
    assert [m.key.name for m in found] == ["crm"]
    assert "a secret text" not in str(found)


def test_a_subscription_is_not_told_of_itself(house):
    """That a channel doesn't work is told by other subscriptions only."""
    here = house(subscription("incident", "wait: 10s", "a"), subscription("incident", "wait: 10s", "b"))
    here.stands(ObjectKey("acme", "Subscription", "a"), Truth.false, "DeliveryFailed")
    assert [(m.key.name, m.event["object"]) for m in here.passes(300)] == [("b", "acme/Subscription/a")]


def test_a_suspended_subscription_is_quiet_and_its_past_stays_untold(house):
    """While it is suspended nothing is put; events of that time aren't made up for."""
    here = house(subscription("run.finish, incident", "wait: 10s\n  suspend: {reason: holidays}"))
    here.ran(1)
    here.stands(CRM, Truth.false)
    assert here.passes(60) == []


def test_a_retired_subscription_is_forgotten(house, tmp_path):
    """Its position goes, and what of it was pending is dropped."""
    here = house(subscription("run.finish"))
    here.ran(1)
    here.passes()
    repository.write(tmp_path, {"ops.yaml": "# nothing\n"})
    workflow.apply(here.settings, allow_deletes=True)
    here.passes()
    assert here.store.outbox().positions() == ()
    assert [str(m.state) for m in here.store.messages()] == ["Dropped"]


def test_commits_are_told_to_everybody(house):
    """apply.finish has the revision and nothing of other tenants."""
    here = house(subscription("apply.finish"))
    here.stands(ObjectKey("", "Source", "main"), Truth.true, "Applied")
    (message,) = here.passes()
    assert dict(message.event) == {
        "type": "apply.finish", "severity": "info", "time": message.event["time"], "tenant": "acme", "source": "main",
        "revision": "r1",
    }  # fmt: skip


def source(name: str, tenant: str) -> str:
    head = f"apiVersion: syncline/v1\nkind: Source\nmetadata: {{name: {name}}}\n"
    return f"{head}spec: {{url: /srv/{name}.git, declares: {{tenants: [{tenant}]}}}}\n"


def test_commits_of_a_source_are_told_to_the_tenants_that_it_declares_for(house):
    """A tenant hears of the first repository and of sources that may declare its objects, by name; whoever has none, of all."""
    other = "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: other}\nspec: {}\n"
    here = house(
        other,
        source("ours", "acme"),
        source("theirs", "other"),
        subscription("apply.finish"),
        subscription("apply.finish", name="all", tenant=""),
    )
    here.passes()
    for name in ("main", "ours", "theirs", "gone"):
        here.stands(ObjectKey("", "Source", name), Truth.true, "Applied")
    told = [(m.key.name, m.event["source"]) for m in here.passes(60)]
    assert [source for name, source in told if name == "ops"] == ["main", "ours"]
    assert [source for name, source in told if name == "all"] == ["main", "ours", "theirs", "gone"]
