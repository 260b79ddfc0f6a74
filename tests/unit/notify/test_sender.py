"""Sending what is in the outbox: in order, one subscription beside another, again after failures, and no more than bearable."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from syncline import workflow
from syncline.executor.flows.instance import resolver
from syncline.model.key import ObjectKey
from syncline.model.notice import NOTICES, Phase
from syncline.model.outbox import Message
from syncline.notify import sender as senders
from syncline.notify.events import time_of
from syncline.notify.sender import Sender
from tests import repository
from tests.api_server import Asked, Reply, api_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from syncline.executor.engine import Engine

TENANTS = ("acme", "other")
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def hook(name: str, url: str, tenant: str = "acme") -> str:
    return f"""\
apiVersion: syncline/v1
kind: Subscription
metadata: {{name: {name}, tenant: {tenant}}}
spec: {{on: [incident], do: {{webhook: {{url: "{url}/{tenant}/{name}", secret: {{secretRef: {{provider: env, key: HOOK_SECRET}}}}}}}}}}
"""


class Post:
    """A receiver, and a state with subscriptions that send to it. `hold` and `status` are by path."""

    engine: Engine
    sender: Sender

    def __init__(self) -> None:
        self.came: list[tuple[str, str]] = []  # path, id of the message
        self.status: dict[str, int] = {}
        self.hold: dict[str, threading.Event] = {}
        self.told: list[str] = []
        self.now = time.time()

    def answer(self, asked: Asked) -> Reply:
        self.came.append((asked.path, asked.headers["webhook-id"]))
        if asked.path in self.hold:
            self.hold[asked.path].wait(20)
        return Reply({}, self.status.get(asked.path, 200))

    def put(self, name: str, *ids: str, tenant: str = "acme", created: float | None = None) -> None:
        at = time_of(created if created is not None else self.now)
        key = ObjectKey(tenant, "Subscription", name)
        some = [Message(one, key, Phase.open, NOTICES["incident"], at, at, thread=one) for one in ids]
        self.engine.facilities.store.outbox().advance(key, "{}", some)

    def message(self, name: str) -> Any:
        return next(m for m in self.engine.facilities.store.messages(limit=1000) if m.id == name)

    def round(self) -> None:
        """Sends what is due now, and waits for what becomes of it."""
        self.sender.tick()
        end = time.monotonic() + 20
        while self.sender._busy:
            assert time.monotonic() < end, (self.came, self.told)
            time.sleep(0.01)

    def until(self, there: Callable[[], bool], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not there():
            assert time.monotonic() < end, (self.came, self.told)
            self.sender.tick()
            time.sleep(0.01)


@contextmanager
def post_office(root, *names: str) -> Iterator[Post]:
    post = Post()
    with api_server(post.answer) as server:
        tenants = "---\n".join(
            f"apiVersion: syncline/v1\nkind: Tenant\nmetadata: {{name: {t}}}\nspec: {{egress: {{private: [127.0.0.1]}}}}\n"
            for t in TENANTS
        )
        hooks = "---\n".join(hook(name, server.url, tenant) for name in names for tenant in TENANTS)
        settings = repository.write(root, {**repository.CUSTOMERS, "tenant.yaml": tenants, "hooks.yaml": hooks})
        workflow.apply(settings)
        with workflow.engine(replace(settings, environ={**settings.environ, "HOOK_SECRET": KEY})) as engine:
            post.engine = engine
            post.sender = Sender(engine, engine.facilities.store, post.told.append, lambda: post.now)
            try:
                yield post
            finally:
                for event in post.hold.values():
                    event.set()
                post.sender.close()


@pytest.fixture
def post(tmp_path):
    with post_office(tmp_path, *(f"s{n}" for n in range(6))) as made:
        yield made


def test_messages_of_a_subscription_arrive_in_order(post):
    """One after another, each once; another subscription's go beside them."""
    post.put("s0", *(f"a{n}" for n in range(5)))
    post.put("s1", "b0")
    post.until(lambda: len(post.came) == 6)
    assert [name for path, name in post.came if path == "/acme/s0"] == [f"a{n}" for n in range(5)]
    assert post.message("b0").state == "Sent"


def test_a_receiver_that_hangs_delays_its_own_tenant_at_most(post):
    """Receivers of one tenant that never answer take three places, and the other tenant's messages go on."""
    for n in range(6):
        post.hold[f"/acme/s{n}"] = threading.Event()
        post.put(f"s{n}", f"a{n}")
    post.until(lambda: len(post.came) == 3)
    for n in range(6):
        post.put(f"s{n}", f"o{n}", tenant="other")
    post.until(lambda: all(post.message(f"o{n}").state == "Sent" for n in range(6)))
    assert sum(path.startswith("/acme/") for path, _ in post.came) == 3


def test_what_fails_waits_longer_each_time_and_keeps_what_comes_after_it(post):
    """A failed message is due again later, and later still; the one after it waits for it; both arrive in the end."""
    post.status["/acme/s0"] = 503
    post.put("s0", "a0", "a1")
    waits = []
    for attempt in range(1, 7):
        post.round()
        assert post.message("a0").attempts == attempt
        waits.append(dt.datetime.fromisoformat(post.message("a0").due).timestamp() - post.now)
        post.now += 1000.0
    assert max(waits) <= 4.0 * 2**5
    assert {name for _, name in post.came} == {"a0"}
    post.status.clear()
    post.until(lambda: post.message("a1").state == "Sent")
    assert [name for _, name in post.came[-2:]] == ["a0", "a1"]
    assert len([line for line in post.told if "couldn't be sent" in line]) == 1


def test_a_message_is_given_up_after_three_days_or_when_it_is_refused_for_good(post):
    """What can't be sent for three days is failed, and so is at once what the receiver says is gone; the next one goes."""
    post.status = {"/acme/s0": 500, "/acme/s1": 410}
    post.put("s0", "old", created=post.now - 3 * 86_400 - 10)
    post.put("s1", "gone", "next")
    post.until(lambda: post.message("old").state == "Failed" and post.message("next").state == "Failed")
    assert [post.message(name).error_code for name in ("old", "gone")] == ["SYN734", "SYN733"]
    assert any("it isn't sent again" in line for line in post.told)


def test_an_attempt_that_nobody_heard_of_again_is_repeated_under_its_id(post):
    """A message whose attempt was cut off comes again once its claim has run out, with the same id."""
    post.put("s0", "a0")
    post.engine.facilities.store.outbox().claim("a0", time_of(post.now + senders.CLAIMED))
    post.sender.tick()
    time.sleep(0.2)
    assert post.came == []
    post.now += senders.CLAIMED + 1
    post.until(lambda: post.message("a0").state == "Sent")
    assert post.came == [("/acme/s0", "a0")]
    assert post.message("a0").attempts == 2


def test_a_missing_key_is_told_and_nothing_is_sent(post):
    """Where the key can't be had the subscription isn't ready, and the message waits for it."""
    facilities = post.engine.facilities
    post.engine.resolve = resolver(replace(facilities.settings, environ={}))
    post.put("s0", "a0")
    key = ObjectKey("acme", "Subscription", "s0")
    post.until(lambda: facilities.store.statuses([key])[key].failing)
    assert post.came == []
    assert facilities.store.statuses([key])[key].conditions[0].reason == "DeliveryFailed"
    assert json.dumps(post.told).count("SYN801") == 1


def test_a_message_that_a_defect_keeps_from_being_sent_is_given_up_like_others(post):
    """A defect is kept with the message as SYN999, told by the condition, tried again later and later, and not for ever."""
    store, key = post.engine.facilities.store, ObjectKey("acme", "Subscription", "s0")
    at = time_of(post.now)
    broken = Message("bad", key, Phase.event, {"type": "run.finish", "severity": "info"}, at, at)  # without its fields
    store.outbox().advance(key, "{}", [broken])
    post.put("s0", "next")
    post.round()
    found = post.message("bad")
    assert (found.attempts, found.error_code, found.error) == (
        1, "SYN999", "KeyError: a defect in Syncline, please report it",
    )  # fmt: skip
    assert dt.datetime.fromisoformat(found.due).timestamp() - post.now <= 4.0
    ready = store.statuses([key])[key].conditions[0]
    assert ready.reason == "DeliveryFailed"
    assert "[SYN999]" in ready.message

    post.now += senders.GIVEN_UP + 1
    post.until(lambda: post.message("next").state == "Sent")
    assert post.message("bad").state == "Failed"
    assert [name for _, name in post.came] == ["next"]
