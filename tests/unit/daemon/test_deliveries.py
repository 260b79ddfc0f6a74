"""Tests of webhooks that start schedules: who is believed, what counts once, and when runs start for it."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import time
from email.message import Message

import pytest

from syncline import workflow
from syncline.daemon.events import Look
from syncline.daemon.http.deliveries import Deliveries
from syncline.daemon.http.listening import Asked
from syncline.daemon.http.proofs import TOLERANCE
from syncline.daemon.http.push import RATE, Webhook
from syncline.daemon.http.refusals import Refusals
from syncline.daemon.starts import Starter
from syncline.model.key import ObjectKey
from tests import repository

KEY = "a secret of the two of us"
HOOKED = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: changed, tenant: acme}
spec:
  on:
    webhook:
      secret: {secretRef: {provider: env, key: CRM_HOOK}}
      pause: PAUSEHMAC
  run: [Import/customers]MORE
"""
SCHEDULE = ObjectKey("acme", "Schedule", "changed")
IMPORT = ObjectKey("acme", "Import", "customers")
PATH = "/hook/acme/changed"
HMAC = "\n      hmac: {header: X-Hub-Signature-256, prefix: 'sha256=', id: X-GitHub-Delivery}"
BASE64 = "\n      hmac: {header: X-Shopify-Hmac-Sha256, encoding: base64}"


def now():
    return dt.datetime.now(dt.UTC)


def message(headers):
    """Headers as a server reads them."""
    made = Message()
    for name, value in headers:
        made[name] = value
    return made


def standard(body=b"{}", name="msg_1", key=KEY, when=None):
    when = int(time.time()) if when is None else when
    signed = hmac.digest(key.encode(), f"{name}.{when}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(signed).decode()}"
    return [("webhook-id", name), ("webhook-timestamp", str(when)), ("webhook-signature", signature)]


class House:
    """A repository whose import is started by a webhook, and what takes its deliveries."""

    def __init__(self, engine):
        self.engine = engine
        self.wakes = 0
        self.said: list[str] = []
        self.refusals = Refusals(lambda: engine.facilities.recorder)
        self.deliveries = Deliveries(lambda: engine, self._wake, self.refusals, self.said.append)
        self.starter = Starter(engine, now(), 1, print)

    def _wake(self):
        self.wakes += 1

    def post(self, headers, body=b"{}", path=PATH):
        reply = self.deliveries.answer(Asked("POST", path, message(headers), body))
        return reply.status

    def runs(self):
        return [run for run in self.engine.facilities.store.runs(IMPORT) if run.receipt is not None]

    def ticked(self, count, at=None):
        """Ticks until so many runs have ended, and the schedule's cursor is kept."""
        end = time.monotonic() + 60
        self.starter.tick(at or now())
        while self.starter._open or len(self.runs()) < count:
            assert time.monotonic() < end
            time.sleep(0.01)
        self.starter.tick(at or now())
        return len(self.runs())

    def denied(self):
        """The refusals that the log tells of."""
        self.refusals.tell_all()
        recorder = self.engine.facilities.recorder
        recorder._take()
        events = map(json.loads, recorder._log.read())
        return [e["unmapped"] for e in events if e["metadata"]["event_code"] == "access.deny"]


@pytest.fixture
def house(tmp_path, request):
    """Such a house."""

    def make(more="", hmac_="", pause="0s", secret=KEY):
        text = HOOKED.replace("PAUSE", pause).replace("HMAC", hmac_).replace("MORE", more)
        settings = repository.write(tmp_path, {**repository.CUSTOMERS, "schedule.yaml": text})
        settings.environ["CRM_HOOK"] = secret
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "customers.csv").write_text("id,name,email\n1,Ann,ann@example.com\n")
        workflow.apply(settings)
        context = workflow.engine(settings)
        request.addfinalizer(lambda: context.__exit__(None, None, None))
        return House(context.__enter__())

    return make


def test_a_signed_delivery_starts_the_runs_once(house):
    """It is kept before it is answered; one run starts for it, with `event` in its record, and then none any more."""
    house = house()
    house.starter.tick(now())
    assert house.post(standard()) == 202
    assert house.wakes == 1
    assert house.engine.facilities.store.deliveries().newest(SCHEDULE) is not None
    assert house.ticked(1) == 1
    assert house.ticked(1) == 1
    assert [run.trigger for run in house.runs()] == ["event"]


def test_one_that_is_sent_again_counts_once(house):
    """A replay under its id is 200 and starts nothing, also in a daemon that comes after this one."""
    house = house()
    assert house.post(standard()) == 202
    assert house.ticked(1) == 1
    assert house.post(standard()) == 200
    assert House(house.engine).post(standard()) == 200
    assert house.ticked(1) == 1
    assert house.post(standard(name="msg_2")) == 202
    assert house.ticked(2) == 2


def test_who_doesnt_know_the_secret_learns_nothing(house):
    """A wrong key, body, time or header, no proof at all, and paths of nobody or of another schedule: one answer."""
    house = house()
    body, stale = b'{"a": 1}', int(time.time()) - TOLERANCE - 5
    (name, when, signature) = standard(body)
    wrong = [
        (standard(body, key="another secret that is long"), PATH),
        (standard(b"{}"), PATH),
        (standard(body, when=stale), PATH),
        ([name, when, signature, signature], PATH),
        ([], PATH),
        (standard(body), "/hook/acme/other"),
        (standard(body), "/hook/other/changed"),
        (standard(body), "/hook/acme"),
        (standard(body), "/hook//changed"),
        (standard(body), "/hook/acme/changed/"),
    ]
    replies = [house.deliveries.answer(Asked("POST", path, message(headers), body)) for headers, path in wrong]
    assert {(r.status, str(r.document), str(r.headers)) for r in replies} == {
        (401, "{'error': 'not signed with the secret'}", "{}")
    }
    assert house.engine.facilities.store.deliveries().newest(SCHEDULE) is None
    assert house.post([name, when, signature], body) == 202


def test_the_forms_that_systems_sign_in_are_declared(house):
    """HMAC of the body with a prefix in hex, as GitHub sends it, whose id counts once; another form is refused."""
    house = house(hmac_=HMAC)
    signature = hmac.new(KEY.encode(), b"{}", hashlib.sha256).hexdigest()
    proof = ("X-Hub-Signature-256", f"sha256={signature}")
    assert house.post([proof, ("X-GitHub-Delivery", "d1")]) == 202
    assert house.post([proof, ("X-GitHub-Delivery", "d1")]) == 200
    assert house.post([proof, ("X-GitHub-Delivery", "d2")]) == 202
    for wrong in (
        signature,
        "sha256=",
        f"sha256={signature[:32]}",
        f"sha256={signature.upper()}",
        f"sha256={signature}0",
    ):
        assert house.post([("X-Hub-Signature-256", wrong)]) == 401
    assert house.post(standard()) == 401


def test_without_a_name_each_delivery_counts(house):
    """HMAC in base64, as Shopify sends it; the same body twice is two changes, as nothing tells them apart."""
    house = house(hmac_=BASE64)
    proof = base64.b64encode(hmac.digest(KEY.encode(), b"{}", "sha256")).decode()
    assert [house.post([("X-Shopify-Hmac-Sha256", proof)]) for _ in range(2)] == [202, 202]


def test_a_burst_starts_one_run_and_another_after_the_pause(house):
    """However many come, one run starts for those before it, and one for those after it once the pause is over."""
    house = house(pause="1h")
    for number in range(20):
        assert house.post(standard(name=f"a{number}")) == 202
    assert house.ticked(1) == 1
    for number in range(20):
        assert house.post(standard(name=f"b{number}")) == 202
    assert house.ticked(1) == 1
    assert house.ticked(2, now() + dt.timedelta(hours=1)) == 2


def test_none_is_lost_or_doubled_where_a_daemon_dies(house, monkeypatch):
    """Killed before its runs ended, the next daemon starts them; killed after, before the cursor moved, it doesn't."""
    house = house()
    assert house.post(standard()) == 202
    dead = Starter(house.engine, now(), 0, print)  # nobody does the work
    dead.tick(now())
    assert dead._workers.busy(IMPORT)
    assert house.ticked(1) == 1
    late = Starter(house.engine, now(), 1, print)
    monkeypatch.setattr(late, "_keep", lambda *_: None)  # it is killed before that
    assert house.post(standard(name="msg_2")) == 202
    late.tick(now())
    while len(house.runs()) < 2 or late._open:
        time.sleep(0.01)
    fresh = House(house.engine)
    assert fresh.ticked(2) == 2
    on = house.engine.applied().desired.objects[SCHEDULE].spec.on
    store = house.engine.facilities.store
    assert Look(store, SCHEDULE, on, now(), now()).after(store.cursor(SCHEDULE)).times == ()


def test_suspended_ones_pass_over_and_closed_windows_put_off(house):
    """What is delivered while it is suspended starts nothing later either; outside of its windows it waits."""
    house = house(more="\n  suspend: {reason: a freeze}")
    assert house.post(standard()) == 202
    house.starter.tick(now())
    assert json.loads(house.engine.facilities.store.cursor(SCHEDULE))["delivery"] == 1
    assert not house.starter._workers.busy(IMPORT)


def test_outside_of_its_windows_it_waits(house):
    """What is delivered then is still to be dealt with."""
    house = house(more="\n  windows: {deny: [{start: '00:00', end: '23:59'}, {start: '23:59', end: '00:00'}]}")
    assert house.post(standard()) == 202
    house.starter.tick(now())
    assert house.engine.facilities.store.cursor(SCHEDULE) is None
    assert not house.starter._workers.busy(IMPORT)


def test_what_cant_be_kept_is_to_be_sent_again(house):
    """Without a state, or with a secret that is missing or can be guessed, the answer is 503: senders try again.

    Why is told once, without the secret.
    """
    weak = house(secret="hunter2")
    assert [weak.post(standard(key="hunter2")) for _ in range(3)] == [503] * 3
    (said,) = weak.said
    assert "SYN666 the secret env:CRM_HOOK" in said
    assert "hunter2" not in said
    gone = Deliveries(lambda: None, print, weak.refusals, print)
    assert gone.answer(Asked("POST", PATH, message([]), b"")).status == 503


def test_too_many_are_put_off_by_path(house):
    """Past the rate of a path, whosever it is, the answer is 429; other paths go on."""
    house = house()
    for path in (PATH, "/hook/no/body"):
        answers = [house.post([], path=path) for _ in range(RATE[0] + 3)]
        assert answers == [401] * RATE[0] + [429] * 3
    assert house.deliveries.answer(Asked("GET", PATH, message([]), b"")).status == 405


def test_refusals_leave_evidence_at_a_bounded_rate(house):
    """The log tells of refused deliveries and of pushes: so many together, and of which schedule where there is one."""
    house = house()
    push = Webhook(list, bool, lambda: house.refusals.note("push"))
    for _ in range(5):
        house.post([])
        house.post([], path="/hook/no/body")
        push.answer(Asked("POST", "/hook", message([]), b""))
    told = house.denied()
    assert [(e.get("object"), e["details"]["webhook"], e["details"]["refused"]) for e in told] == [
        (str(SCHEDULE), "schedule", 5), (None, "unknown", 5), (None, "push", 5),
    ]  # fmt: skip
    assert house.denied() == told


def test_a_refusal_is_told_at_once_and_those_after_it_are_counted(house):
    """The first is in the log at once; a thousand more within the minute are one entry at its end."""
    house = house()
    with house.refusals.telling():
        house.refusals.note("push")
        end = time.monotonic() + 30
        while house.refusals._counts:
            assert time.monotonic() < end
            time.sleep(0.01)
        for _ in range(1_000):
            house.refusals.note("push")
        time.sleep(0.7)
        assert house.refusals._counts == {("push", None): 1_000}
    assert [e["details"]["refused"] for e in house.denied()] == [1, 1_000]
