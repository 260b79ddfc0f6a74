"""`now` in requests that belong to no read: when the request is made, the same in all of its attempts."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

from syncline.connectors.rest.check import check
from syncline.connectors.rest.notifier import RestNotifier
from syncline.connectors.rest.subjects import RestSubjects
from syncline.connectors.rest.webhooks import RestWebhooks
from syncline.model.notice import NOTICES, Phase
from syncline.sdk import times
from syncline.sdk.clock import SystemClock
from syncline.sdk.notice import Notice
from syncline.sdk.subject_requests import Person
from syncline.sdk.webhooks import Wanted
from tests.api_server import Reply, api_server
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance
from tests.unit.connectors.writers import ADA, KEYED, frame, opened

HTTP = """
http: {query: {at: "{{ now }}"}, headers: {X-Day: "{{ now | date('%Y-%m-%d') }}"}}
"""
#: FakeClock's first moment.
THEN = "2023-11-14T22:13:20Z"


def told(request):
    """When a request says that it was made."""
    at = dict(parse_qsl(urlsplit(request.url).query))["at"]
    assert request.headers["X-Day"] == at[:10]
    return at


def test_a_check_says_when_it_is_made():
    """The declared check knows the time, in what all requests share and in its own path."""
    transport = FunctionTransport(lambda _: answer({"user": "bot"}))
    made = instance(HTTP + "check: {get: \"/me/{{ now | date('epoch') }}\"}")
    check(made, transport=transport, clock=FakeClock())
    assert [(told(request), urlsplit(request.url).path) for request in transport.sent] == [(THEN, "/me/1700000000")]


def test_a_message_says_when_it_is_sent():
    """One that is sent an hour later says so."""
    clock = FakeClock()
    transport = FunctionTransport(lambda _: answer({"ok": True}))
    made = instance(HTTP + 'notify: {send: {post: /messages, body: {text: "{{ text }}"}}}')
    notifier = RestNotifier(made, transport=transport, clock=clock)
    notice = Notice("1", Phase.open, "It fails", "Since 02:15.", {**NOTICES["incident"], "severity": "error"})
    notifier.send(notice)
    clock.time += 3600
    notifier.send(replace(notice, id="2"))
    assert [told(request) for request in transport.sent] == [THEN, "2023-11-14T23:13:20Z"]


def test_attempts_of_a_write_say_the_same():
    """Another attempt is the same request, with the time of the first; what reads no `now` there is as it was."""
    clock = FakeClock()
    sent = []

    def api(request):
        sent.append(request)
        clock.time += 60
        return answer({}, 503) if len(sent) == 1 else answer({"ref": 1}, 201)

    http = HTTP.strip().removeprefix("http: {").removesuffix("}") + ", retry: {attempts: 2}"
    opened(KEYED, api, http=http, clock=clock).send(frame(ADA))
    assert [told(request) for request in sent] == [THEN, THEN]
    assert sent[0].body == sent[1].body


def test_people_are_erased_where_requests_have_a_time():
    """The time is nothing of a record that the API would lack: a person can be erased there, and is asked for then."""
    transport = FunctionTransport(lambda _: answer({}, 200))
    text = HTTP + "streams: {items: {get: /items, erase: {request: {post: '/forget/{{ record.email }}'}}}}"
    with closing(RestSubjects(instance(text), transport=transport)) as subjects:
        person = Person("email", "ada@example.com", key=False, again="k")
        assert subjects.unable("items", person) == ""
        before = times.iso(SystemClock().now())
        subjects.erase("items", person)
    assert before <= told(transport.sent[0]) <= times.iso(SystemClock().now())


def test_webhooks_are_registered_at_a_time():
    """Registering says when; what tells one account from another doesn't change by it."""
    text = HTTP + (
        "webhooks: {stream: hooks, create: {post: /hooks, body: {url: '{{ webhook.url }}'}},"
        " delete: {delete: '/hooks/{{ webhook.id }}'}}\nstreams: {hooks: {get: /hooks}}"
    )
    with (
        api_server(lambda _: Reply({"id": 1}, status=201)) as server,
        closing(RestWebhooks(instance(text, url=server.url))) as webhooks,
    ):
        place = webhooks.place()
        webhooks.register(Wanted("tags", "https://x.example/hook"))
        assert webhooks.place() == place
    assert server.asked[0].query["at"] <= times.iso(SystemClock().now())
    assert "at=" not in place


def test_bodies_of_writes_know_no_time():
    """What `validate` refuses has no value in the run, either."""
    declared = KEYED.replace("create: {", "create: {body: {made: \"{{ now | default('none') }}\"}, ")
    sent = []

    def api(request):
        sent.append(request)
        return answer({"ref": 1}, 201)

    opened(declared, api).send(frame(ADA))
    assert sent[0].body == b'{"made":"none"}'
