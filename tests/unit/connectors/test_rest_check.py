"""The check of an API: asked once, and everything told that its answer says."""

from __future__ import annotations

import json

import pytest

from syncline.connectors.rest.check import check
from syncline.model.errors import Again, Invalid, Stalled
from syncline.sdk.announced import Ending, Quota
from syncline.sdk.http import TransportError
from syncline.sdk.reached import Tls
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance

ITEMS = "streams: {items: {get: /items, records: data}}"
ME = "check: {get: /me, identity: user.name}\n" + ITEMS


def look(text, respond, *, url="https://api.example:8443/v1", tls=None):
    transport = FunctionTransport(respond)
    return check(
        instance(text, url=url), transport=transport, clock=FakeClock(), tls=tls or (lambda *_: None)
    ), transport


def test_it_tells_who_and_what():
    """Identity, origin, limits, TLS and the end of the API come out of one request."""
    asked: list[tuple[str, int]] = []

    def tls(host, port, _timeout):
        asked.append((host, port))
        return Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384")

    found, transport = look(
        ME,
        lambda _: answer({"user": {"name": "bot"}}, x_ratelimit_remaining="3", sunset="Sat, 31 Dec 2029 00:00:00 GMT"),
        tls=tls,
    )

    assert (found.place, found.system, found.status) == ("GET /v1/me", "https://api.example:8443", 200)
    assert found.identity == "bot"
    assert found.quotas == (Quota("X-RateLimit", None, 3, None),)
    assert found.ending == Ending("", "2029-12-31")
    assert (found.tls, asked) == (Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384"), [("api.example", 8443)])
    assert len(transport.sent) == 1


def test_it_asks_once():
    """A failure that a run would try again is told at once."""
    sent = []

    def respond(request):
        sent.append(request)
        return answer({}, 503)

    with pytest.raises(Again):
        look(ME, respond)
    assert len(sent) == 1


def test_failures_say_what_they_are():
    """No connection is another matter than refused credentials."""

    def down(_request):
        raise TransportError("connection failed", "connection")

    with pytest.raises(Again):
        look(ME, down)
    with pytest.raises(Stalled):
        look(ME, lambda _: answer({}, 401))


def test_without_tls_nothing_is_looked_at():
    """Plain HTTP is not asked for a handshake."""

    def never(*_):
        pytest.fail("no handshake with plain HTTP")

    assert look(ITEMS, lambda _: answer({"data": []}), url="http://api.example", tls=never)[0].tls is None


@pytest.mark.parametrize("body", [{"user": {"name": ["a"]}}, {"user": None}, []])
def test_an_identity_that_is_no_text_is_none(body):
    """Whatever the expression finds that is no name is left out."""
    assert look(ME, lambda _: answer(json.dumps(body).encode()))[0].identity == ""


def test_nothing_to_ask():
    """A connector without a check and without streams says what to declare."""
    with pytest.raises(Invalid, match="neither a check nor a stream"):
        look("title: empty", lambda _: answer({}))
