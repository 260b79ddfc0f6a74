"""APIs that are broken, overloaded or hostile: one clear error each, nothing half-read, no secret shown."""

from __future__ import annotations

import gzip
import traceback
from dataclasses import replace
from itertools import pairwise

import pytest

from syncline.model.errors import Again, Invalid, Stalled, SynclineError
from syncline.model.secret import Secret
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import TransportError
from syncline.sdk.source import Credentials
from tests.api_server import Reply, api_server, pages
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source

TEXT = """
http: {retry: {attempts: 3, backoff: {initial: 1s, max: 10s}}}
streams:
  items:
    get: /items
    records: data[]
    key: [id]
    page: {page: query.page}
    schema: {properties: {id: {type: integer}, amount: {type: number}, who: {type: object, properties: {mail: {type: string}}}}}
"""
GOOD = {"data": [{"id": 1, "amount": 1.50}, {"id": 2}]}


def second_page(reply):
    """A handler whose first page is good and whose second is `reply`."""
    return lambda asked: Reply(GOOD) if asked.query["page"] == "1" else reply


@pytest.mark.parametrize(
    ("reply", "error", "code", "words"),
    [
        (Reply(b"<!DOCTYPE html><title>Sign in\x1b[31m</title>"), Invalid, "SYN410", "HTML or XML"),
        (Reply(GOOD, content_type="text/html; charset=utf-8"), Invalid, "SYN410", "text/html"),
        (Reply(GOOD, content_type="application/json; charset=utf-16"), Invalid, "SYN410", "utf-16"),
        (Reply(b'{"data": [{"id": 3, "am'), Again, "SYN411", "unexpected end"),
        (Reply(b'{"data": [{"id": 3}'), Again, "SYN411", "unexpected end"),
        (Reply(b'{"data": [{"id": NaN}]}'), Again, "SYN411", "unexpected"),
        (Reply(b'{"data": [{"amount": Infinity}]}'), Again, "SYN411", "unexpected"),
        (Reply(b'{"data": [{"id": 3, "name": "\xff\xfe"}]}'), Again, "SYN411", "invalid UTF-8 at byte 29"),
        (Reply(b'{"data": [{"name": "\\ud800"}]}'), Again, "SYN411", "surrogate"),
        (Reply(b""), Again, "SYN411", "zero-length"),
        (Reply(b'{"data": [{"id": 3, "id": 4}]}'), Invalid, "SYN412", "'id' twice"),
        (Reply(b'{"data": [{"x\\u0022": 3, "i\\u0064" : 4, "id": 5}]}'), Invalid, "SYN412", "'id' twice"),
        (Reply(b'{"data": ' + b"[" * 300 + b"]" * 300 + b"}"), Invalid, "SYN412", "nested"),
        (Reply(b"[" * 100_000 + b"]" * 100_000), Invalid, "SYN412", "nested"),
        (Reply(b'{"data": [], "n": 1' + b"0" * 400 + b"}"), Invalid, "SYN412", "double"),
        (Reply({"error": "try later"}), Invalid, "SYN413", "no list of records"),
        (Reply({"data": 7}), Invalid, "SYN413", "no list of records"),
        (Reply({"data": {"id": 1}}, status=404), Invalid, "SYN405", "status 404"),
        (Reply({"error": "bad token"}, status=401), Stalled, "SYN401", "refused"),
        (Reply({"error": "no"}, status=403), Stalled, "SYN401", "refused"),
        (Reply("down", status=503), Again, "SYN403", "status 503"),
        (Reply(GOOD, cut=20), Again, "SYN402", "ended early"),
        (Reply(b"no gzip", headers={"Content-Encoding": "gzip"}), Again, "SYN402", "gzip"),
        (Reply(gzip.compress(b'{"data": []}')[:-9], headers={"Content-Encoding": "gzip"}), Again, "SYN402", "early"),
        (Reply(b"x", headers={"Content-Encoding": "br"}), Stalled, "SYN408", "Content-Encoding"),
        (Reply(b"", status=302, headers={"Location": "https://evil.example/"}), Invalid, "SYN406", "another origin"),
        (Reply(b"", status=302, headers={"Location": "/items?page=2"}), Invalid, "SYN406", "redirects"),
        (Reply(b"", status=302, headers={"Location": "file:///etc/passwd"}), Invalid, "SYN406", "another origin"),
    ],
)
def test_a_bad_page_is_refused_whole(reply, error, code, words):
    """A bad answer gives one error with its code and request, keeps the page before it, and moves no position past it."""
    with api_server(second_page(reply)) as api:
        opened = source(instance(TEXT, url=api.url))
        batches = opened.read(None)
        first = next(batches)
        with pytest.raises(SynclineError) as caught:
            next(batches)
        opened.close()
    assert type(caught.value) is error
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.message.startswith("GET /items?page=2: ")
    assert caught.value.message.isprintable()
    assert [row["id"] for row in rows([first])] == [1, 2]
    assert first.position["pass"]["page"]["page"] == 2


def test_wrong_types_set_single_records_aside():
    """A record of the wrong type is malformed with its path, place and raw text; the others of its page are kept."""
    body = b"""{"data": [{"id": 1, "amount": 10.10, "who": {"mail": "a@b.example"}}, {"id": "2"}, {"id": 3.0},
      {"id": 4, "amount": "4.50"}, {"id": 5, "who": {"mail": 5}}, {"id": 18446744073709551616}, "six", {"id": 7}]}"""
    with api_server(lambda asked: Reply(body if asked.query["page"] == "1" else {"data": []})) as api:
        [batch] = read(source(instance(TEXT, url=api.url)))
    assert [(row["id"], row["amount"]) for row in rows([batch])] == [(1, "10.10"), (7, None)]
    assert batch.places([0, 1]) == ["GET /items?page=1#1", "GET /items?page=1#8"]
    assert [(bad.place[-2:], bad.field) for bad in batch.malformed] == [
        ("#2", "id"),
        ("#3", "id"),
        ("#4", "amount"),
        ("#5", "who.mail"),
        ("#6", "id"),
        ("#7", ""),
    ]
    assert batch.malformed[2].message == "Expected `number`, got `str`"
    assert batch.malformed[2].raw == '{"id": 4, "amount": "4.50"}'
    assert batch.read == 8


def test_a_bomb_is_bounded():
    """A small answer that unpacks to more than `maxBody` is refused while it unpacks."""
    bomb = gzip.compress(b" " * 50_000_000)
    text = TEXT.replace("http: {", "http: {maxBody: 100000, ")
    with api_server(lambda _: Reply(bomb, headers={"Content-Encoding": "gzip"})) as api:
        opened = source(instance(text, url=api.url))
        with pytest.raises(Invalid) as caught:
            read(opened)
    assert caught.value.code == "SYN407"


def test_gzip_is_read():
    """A compressed answer gives the same records."""
    data = gzip.compress(b'{"data": [{"id": 9}]}')
    handler = second_page(Reply({"data": []}))

    def packed(asked):
        return Reply(data, headers={"Content-Encoding": "gzip"}) if asked.query["page"] == "1" else handler(asked)

    with api_server(packed) as api:
        assert [row["id"] for row in rows(read(source(instance(TEXT, url=api.url))))] == [9]


def storm(status, headers, times):
    """A transport that refuses so many times, then answers."""
    left = [times]

    def send(request):
        if left[0] > 0:
            left[0] -= 1
            return answer({"error": "slow down"}, status, **headers)
        return answer(GOOD if "page=1" in request.url else {"data": []})

    return FunctionTransport(send)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("7", 7, 8),
        ("1.5", 1.5, 2.5),
        ("Tue, 14 Nov 2023 22:13:40 GMT", 20, 21),
        ("Tue, 14 Nov 2023 20:00:00 GMT", 0, 1),
        ("soon", 1, 1),
        ("-5", 1, 1),
        ("", 1, 1),
        ("1e3", 1, 1),
    ],
)
def test_retry_after_is_honoured(value, low, high):
    """Retry-After in seconds or as a date is a lower bound of the wait; garbage leaves it to the backoff."""
    clock, counted = FakeClock(), []
    transport = storm(429, {"retry_after": value}, 1)
    made = instance(TEXT, count=lambda name, value: counted.append((name, value)))
    batches = read(source(made, transport=transport, clock=clock))
    assert [row["id"] for row in rows(batches)] == [1, 2]
    assert len(clock.slept) == 1
    assert low <= clock.slept[0] <= high
    assert ("retries", 1) in counted
    assert ("throttled", 1) in counted


@pytest.mark.parametrize("ahead", [-240, 0, 240])
def test_what_a_server_dates_is_by_its_clock(ahead):
    """Retry-After, the reset of a limit and a rule's `wait` as dates: a machine whose clock is four minutes off comes neither
    early nor late.
    """
    text = TEXT.replace(
        "http: {",
        "http: {limits: [{rate: 100/s, remaining: X-Left, reset: X-Reset}],"
        ' errors: [{when: "status == `418`", do: retry, wait: body.until}], ',
    )
    theirs = 1_700_000_000  # Tue, 14 Nov 2023 22:13:20 GMT
    for status, told in (
        (429, {"retry_after": "Tue, 14 Nov 2023 22:14:00 GMT"}),
        (200, {"x_left": "0", "x_reset": str(theirs + 40)}),
        (418, {}),
    ):
        clock = FakeClock(theirs + ahead)

        def send(request, status=status, told=told, clock=clock):
            if clock.slept:
                return answer({"data": []})
            body = GOOD if status == 200 else {"until": "2023-11-14T22:14:00Z"}
            return answer(body, status, date="Tue, 14 Nov 2023 22:13:20 GMT", **told)

        read(source(instance(text), transport=FunctionTransport(send), clock=clock))
        assert 40 <= clock.slept[0] <= 41, status


def test_a_year_of_waiting_ends_the_run():
    """A Retry-After of a year is neither waited for nor ignored: the run is due again later, at most a day."""
    clock = FakeClock()
    with pytest.raises(Again) as caught:
        read(source(instance(TEXT), transport=storm(429, {"retry_after": "31536000"}, 1), clock=clock))
    assert caught.value.code == "SYN404"
    assert caught.value.after == 86_400
    assert clock.slept == []


def test_a_storm_uses_no_more_than_the_attempts():
    """An API that always refuses gets exactly `attempts` requests, with growing waits under full jitter."""
    clock = FakeClock()
    transport = storm(503, {}, 100)
    with pytest.raises(Again) as caught:
        read(source(instance(TEXT), transport=transport, clock=clock))
    assert caught.value.code == "SYN403"
    assert len(transport.sent) == 3
    assert clock.slept == [1.0, 2.0]


@pytest.mark.parametrize("kind", ["timeout", "connection"])
def test_failed_connections_are_tried_again(kind):
    """A timeout or a lost connection is retried; after the last attempt the run may try again later."""
    left = [2]

    def send(request):
        if left[0]:
            left[0] -= 1
            raise TransportError("lost", kind)
        return answer(GOOD if "page=1" in request.url else {"data": []})

    assert len(rows(read(source(instance(TEXT), transport=FunctionTransport(send))))) == 2
    left[0] = 3
    with pytest.raises(Again) as caught:
        read(source(instance(TEXT), transport=FunctionTransport(send)))
    assert caught.value.code == "SYN402"


def test_a_closed_port_is_unreachable():
    """A host where nobody listens is unreachable, in its own words and code."""
    with api_server(lambda _: Reply(GOOD)) as api:
        url = api.url
    with pytest.raises(Again, match="connection failed: Connection refused") as caught:
        read(source(instance(TEXT, url=url)))
    assert caught.value.code == "SYN402"


def test_a_trickling_answer_meets_the_deadline():
    """A server that sends a byte now and then, for minutes, does not hold a request past its timeout of half a second."""
    import socket
    import threading

    listener = socket.create_server(("127.0.0.1", 0))

    def trickle():
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            stop = threading.Event()
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 30_000:
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    return
                stop.wait(0.02)

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    text = TEXT.replace("attempts: 3", "attempts: 1").replace("http: {", "http: {timeout: 500ms, ")
    clock = SystemClock()
    began = clock.monotonic()
    with pytest.raises(Again, match="no complete answer within"):
        read(source(instance(text, url=f"http://127.0.0.1:{listener.getsockname()[1]}"), clock=clock))
    assert 0.45 <= clock.monotonic() - began <= 1.5
    listener.close()
    thread.join()


def test_an_idle_connection_that_was_closed_is_renewed():
    """A server that closes a kept connection after each answer, without saying so, costs no attempt."""
    handler = pages([{"id": n} for n in range(6)], 2, "page")
    text = TEXT.replace("attempts: 3", "attempts: 1")
    with api_server(lambda asked: replace(handler(asked), cut=1_000_000)) as api:
        batches = read(source(instance(text, url=api.url)))
    assert [row["id"] for row in rows(batches)] == list(range(6))


RULES = """
  errors:
  - {when: "status == `404`", do: ignore}
  - {when: "body.code == 'BUSY'", do: retry}
  - {when: "body.code == 'QUOTA'", do: rate_limited}
  - {when: "body.code == 'EXPIRED'", do: reauthenticate, message: the session has expired}
  - {when: "body.code == 'STALE'", do: reset_paging}
  - {when: "body.ok == `false`", do: fail, message: the vendor says no}
"""


def ruled(*second):
    """Reads an API whose second page answers these in turn, under the rules."""
    text = TEXT.replace("http: {retry: {attempts: 3, backoff: {initial: 1s, max: 10s}}}", "http:" + RULES)
    replies = iter(second)

    def send(request):
        if request.url.endswith("page=1"):
            return answer(GOOD)
        return next(replies, None) or answer({"data": []})

    return read(source(instance(text), transport=FunctionTransport(send)))


def test_rules_decide_what_answers_mean():
    """Ignored answers are empty pages; busy and limited ones are asked again."""
    assert len(rows(ruled(answer({}, 404)))) == 2
    assert len(rows(ruled(answer({"code": "BUSY"}, 200), answer({"code": "QUOTA"}, 400)))) == 2


def test_rules_that_end_a_read():
    """`fail` and `reauthenticate` end it with the rule's message."""
    with pytest.raises(Invalid, match="the vendor says no") as failed:
        ruled(answer({"ok": False, "data": []}))
    assert failed.value.code == "SYN440"
    with pytest.raises(Stalled, match="the session has expired"):
        ruled(answer({"code": "EXPIRED"}, 400))


def test_paging_is_reset_once():
    """`reset_paging` starts over at the first page, but not twice."""
    assert len(rows(ruled(answer({"code": "STALE"}, 400)))) == 4
    with pytest.raises(Invalid, match="start over twice"):
        ruled(answer({"code": "STALE"}, 400), answer({"code": "STALE"}, 400))


SECRETS = [
    Credentials("api_key", {"in": "query", "name": "api_key"}, {"value": Secret("canary-9d1c")}),
    Credentials("api_key", {"in": "query", "name": "k"}, {"value": Secret("canary-9d1c")}),
    Credentials("api_key", {"in": "header", "name": "X-Key", "prefix": "Key "}, {"value": Secret("canary-9d1c")}),
    Credentials("api_key", {"in": "cookie", "name": "sid"}, {"value": Secret("canary-9d1c")}),
    Credentials("basic", {"username": "etl"}, {"password": Secret("canary-9d1c")}),
    Credentials("bearer", {}, {"token": Secret("canary-9d1c")}),
]


@pytest.mark.parametrize("credentials", SECRETS)
def test_secrets_are_sent_and_never_shown(credentials):
    """Credentials reach the server on every page; an API that echoes them back puts them into no error, place or position."""

    def handler(asked):
        sent = str(asked)
        assert "canary-9d1c" in sent or "ZXRsOmNhbmFyeS05ZDFj" in sent
        if asked.query.get("page") == "2":
            echo = asked.headers.get("authorization", "") + asked.headers.get("cookie", "")
            return Reply({"error": f"bad {echo} {asked.query} canary-9d1c {'.' * 90} canary-9d1c"}, status=400)
        # Echoes the whole query in the next URL, as some do.
        query = "&".join(f"{name}={value}" for name, value in asked.query.items())
        return Reply({"data": [{"id": 1}], "next": f"/items?page=2&{query}"})

    with api_server(handler) as api:
        text = TEXT.replace("{page: query.page}", "{next: next}")
        opened = source(instance(text, url=api.url, credentials=credentials))
        batches = opened.read(None)
        first = next(batches)
        with pytest.raises(Invalid) as caught:
            next(batches)
        opened.close()
    shown = "".join(traceback.format_exception(caught.value)) + repr((first.spans, first.position, caught.value.help))
    assert "canary" not in shown
    assert "ZXRsOmNhbmFyeS05ZDFj" not in shown


@pytest.mark.parametrize("value", ["two\r\nX-Injected: 1", "ends in a line break\n", ""])
def test_a_secret_that_is_no_header_value_is_refused(value):
    """A secret with line breaks, or an empty one, is refused before it is sent, without being shown."""
    transport = FunctionTransport(lambda _: answer(GOOD))
    made = instance(TEXT, credentials=Credentials("bearer", {}, {"token": Secret(value)}))
    with pytest.raises(Stalled) as caught:
        read(source(made, transport=transport))
    assert "Injected" not in caught.value.message
    assert transport.sent == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://api.example",
        "file:///etc/passwd",
        "http://user:pw@api.example",
        "http://",
        "http://a b",
        "http://a:99999",
        "//x",
    ],
)
def test_only_plain_web_urls_are_asked(url):
    """Another scheme, a user name, no host or a bad port is refused before anything is sent."""
    with pytest.raises(Invalid) as caught:
        source(instance(TEXT, url=url))
    assert caught.value.code == "SYN406"
    assert "pw" not in caught.value.message


def test_a_path_value_stays_in_its_segment():
    """What a configuration value holds can't leave its path segment, add a query or name another host."""
    transport = FunctionTransport(lambda _: answer({"data": []}))
    text = TEXT.replace("get: /items", 'get: "/queues/{{ config.queue }}/items"')
    read(source(instance(text, config={"queue": "../../admin?x=1#y"}), transport=transport))
    assert transport.sent[0].url == "http://api.example/queues/..%2F..%2Fadmin%3Fx%3D1%23y/items?page=1"


def test_rate_limits_are_kept():
    """No span of the rate's length has more requests than the rate, of the connector and of the account."""
    clock, times = FakeClock(), []

    def send(request):
        times.append(clock.time)
        page = int(request.url.partition("page=")[2])
        return answer({"data": [{"id": page}] if page < 12 else []})

    text = TEXT.replace("http: {", "http: {limits: [{rate: 5/s}, {match: /other, rate: 1/h}], ")
    made = instance(text, integration={"limits": {"rate": "30/min"}})
    read(source(made, transport=FunctionTransport(send), clock=clock))
    assert len(times) == 12
    assert all(times[n + 5] - times[n] >= 1 for n in range(len(times) - 5))
    assert times[-1] - times[0] < 5


def test_a_limit_of_a_path_counts_it_as_it_is_sent():
    """Paths and what limits match are declared alike, with spaces and umlauts, and are sent percent-encoded."""
    clock, times = FakeClock(), []

    def send(_request):
        times.append(clock.time)
        return answer({"data": [{"id": len(times)}] if len(times) < 3 else []})

    text = TEXT.replace("http: {", "http: {limits: [{match: /things of/ä, rate: 1/s}], ")
    text = text.replace("get: /items", "get: /things of/ä")
    read(source(instance(text), transport=FunctionTransport(send), clock=clock))
    assert len(times) == 3
    assert all(later - earlier >= 1 for earlier, later in pairwise(times))


def test_an_announced_limit_is_waited_for():
    """When the headers say that nothing is left, the next request waits for the reset."""
    clock = FakeClock()

    def send(request):
        first = request.url.endswith("page=1")
        left = {"x_left": "0", "x_reset": str(int(clock.time) + 40)} if first else {"x_left": "9"}
        return answer(GOOD if first else {"data": []}, 200, **left)

    text = TEXT.replace("http: {", "http: {limits: [{rate: 100/s, remaining: X-Left, reset: X-Reset}], ")
    read(source(instance(text), transport=FunctionTransport(send), clock=clock))
    assert clock.slept == [40.0]
