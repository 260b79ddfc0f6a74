"""Messages through HTTP APIs, in the shapes that Slack and PagerDuty document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from syncline.connectors.rest.notifier import RestNotifier
from syncline.model.errors import Again, Invalid, Stalled
from syncline.model.notice import NOTICES, Phase
from syncline.model.secret import Secret
from syncline.sdk.notice import Notice
from syncline.sdk.source import Credentials
from tests.rest_streams import FakeClock, FunctionTransport, answer
from tests.unit.catalog.test_vendors import instance

INCIDENT = {**NOTICES["incident"], "severity": "error"}
OPEN = Notice("5e0c", Phase.open, "acme/Integration/crm fails", "Since 02:15.", INCIDENT, channel="#ops", thread="t1")
TOKEN, KEY = Secret("xoxb-secret"), Secret("R0UT1NGKEY")


def notifier_of(vendor: str, credentials: Credentials, *answers: Any) -> tuple[RestNotifier, FunctionTransport]:
    replies = iter(answers)
    transport = FunctionTransport(lambda _: next(replies))
    made = replace(instance(vendor), credentials=credentials)
    return RestNotifier(made, transport=transport, clock=FakeClock()), transport


def slack(*answers: Any) -> tuple[RestNotifier, FunctionTransport]:
    return notifier_of("slack", Credentials("bearer", secrets={"token": TOKEN}), *answers)


def pagerduty(*answers: Any) -> tuple[RestNotifier, FunctionTransport]:
    settings = {"in": "body", "name": "routing_key"}
    return notifier_of("pagerduty-events", Credentials("api_key", settings, {"value": KEY}), *answers)


def test_slack_is_asked_as_it_documents():
    """The first message gives the thread's `ts`; further ones are replies, and the last is seen in the channel too."""
    posted = {"ok": True, "channel": "C0123", "ts": "1503435956.000247", "message": {"text": "…"}}
    notifier, transport = slack(*[answer(posted)] * 3)
    ref = notifier.send(OPEN)
    assert ref == "1503435956.000247"
    notifier.send(replace(OPEN, id="5e0d", phase=Phase.update, ref=ref))
    notifier.send(replace(OPEN, id="5e0e", phase=Phase.resolve, ref=ref))

    assert [(r.method, r.url) for r in transport.sent] == [("POST", "https://slack.com/api/chat.postMessage")] * 3
    assert all(r.headers["Authorization"] == "Bearer xoxb-secret" for r in transport.sent)
    first, update, last = (json.loads(r.body) for r in transport.sent)
    assert first == {"channel": "#ops", "text": f":red_circle: *{OPEN.title}*\nSince 02:15.", "unfurl_links": False}
    assert (update["thread_ts"], update["reply_broadcast"]) == ("1503435956.000247", False)
    assert (last["thread_ts"], last["reply_broadcast"]) == ("1503435956.000247", True)
    assert last["text"].startswith(":white_check_mark: ")
    assert notifier.escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (answer({"ok": False, "error": "ratelimited"}, status=429, **{"retry-after": "30"}), Again, "SYN404"),
        (answer({"ok": False, "error": "internal_error"}), Again, "SYN403"),
        (answer({}, status=503), Again, "SYN403"),
        (answer({"ok": False, "error": "invalid_auth"}), Stalled, "SYN401"),
        (answer({"ok": False, "error": "channel_not_found"}), Stalled, "SYN738"),
        (answer({"ok": False, "error": "msg_too_long"}), Stalled, "SYN738"),
    ],
    ids=["limited", "internal", "status", "token", "channel", "message"],
)
def test_what_slack_answers(reply, error, code):
    """`ok: false` under status 200 is no success; an attempt is one request, and the token isn't shown."""
    notifier, transport = slack(reply)
    with pytest.raises(error) as raised:
        notifier.send(OPEN)
    assert raised.value.code == code
    assert len(transport.sent) == 1
    assert "xoxb" not in raised.value.message


def test_pagerduty_is_asked_as_it_documents():
    """A trigger with the thread as dedup_key, the same for what follows, and a resolve; the key is in the body."""
    accepted = {"status": "success", "message": "Event processed", "dedup_key": "t1"}
    notifier, transport = pagerduty(*[answer(accepted, status=202)] * 4)
    assert notifier.send(OPEN) == "t1"
    notifier.send(replace(OPEN, phase=Phase.reminder, ref="t1"))
    notifier.send(replace(OPEN, phase=Phase.resolve, ref="t1"))
    alone = {"type": "digest", "severity": "info", "time": "2026-11-26T02:15:00Z", "tenant": "", "count": 2}
    notifier.send(Notice("d1", Phase.digest, "2 events", "…", alone))

    assert {(r.method, r.url) for r in transport.sent} == {("POST", "https://events.pagerduty.com/v2/enqueue")}
    first, again, last, digest = (json.loads(r.body) for r in transport.sent)
    assert first == {
        "routing_key": "R0UT1NGKEY",
        "event_action": "trigger",
        "dedup_key": "t1",
        "client": "Syncline",
        "payload": {
            "summary": OPEN.title,
            "source": "acme/Integration/crm",
            "severity": "error",
            "timestamp": INCIDENT["time"],
            "component": "Integration",
            "group": "acme",
            "class": "CheckFailed",
            "custom_details": {"text": "Since 02:15."},
        },
    }
    assert again == first
    assert last == {"routing_key": "R0UT1NGKEY", "event_action": "resolve", "dedup_key": "t1"}
    assert (digest["dedup_key"], digest["payload"]["source"], digest["payload"]["class"]) == (
        "d1",
        "syncline",
        "digest",
    )


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (
            answer({"status": "invalid event", "message": "Event object is invalid", "errors": []}, status=400),
            Stalled,
            "SYN738",
        ),
        (answer({}, status=429), Again, "SYN404"),
        (answer({}, status=500), Again, "SYN403"),
    ],
    ids=["invalid", "limited", "status"],
)
def test_what_pagerduty_answers(reply, error, code):
    """400 is for a person, 429 and 5xx for later; the routing key isn't shown."""
    notifier, _ = pagerduty(reply)
    with pytest.raises(error) as raised:
        notifier.send(OPEN)
    assert raised.value.code == code
    assert "R0UT1NGKEY" not in raised.value.message


def test_a_long_text_is_cut():
    """No more than the connector declares is sent."""
    notifier, transport = slack(answer({"ok": True, "ts": "1"}))
    notifier.send(replace(OPEN, text="x" * 10_000))
    text = json.loads(transport.sent[0].body)["text"]
    assert len(text) < 4_200
    assert text.endswith("x…")


def test_an_api_that_declares_no_messages_carries_none():
    """A connector without `notify` says so."""
    with pytest.raises(Invalid) as raised:
        RestNotifier(instance("twilio"), transport=FunctionTransport(lambda _: answer({})), clock=FakeClock())
    assert raised.value.code == "SYN731"
