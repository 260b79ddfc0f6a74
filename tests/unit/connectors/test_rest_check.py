"""The check of an API: asked once, and everything told that its answer says."""

from __future__ import annotations

import json
import ssl
from dataclasses import replace

import pytest

from syncline.connectors.rest.check import check
from syncline.model.errors import Again, Invalid, Stalled
from syncline.sdk.announced import Ending, Quota
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, TransportError
from tests.api_server import Reply, api_server
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, source
from tests.unit.sdk.test_http import certificate, server_context

ITEMS = "streams: {items: {get: /items, records: data}}"
ME = "check: {get: /me, identity: user.name}\n" + ITEMS


def look(text, respond, *, url="https://api.example:8443/v1"):
    transport = FunctionTransport(respond)
    return check(instance(text, url=url), transport=transport, clock=FakeClock()), transport


def test_it_tells_who_and_what():
    """Identity, origin, limits and the end of the API come out of one request."""
    found, transport = look(
        ME,
        lambda _: answer({"user": {"name": "bot"}}, x_ratelimit_remaining="3", sunset="Sat, 31 Dec 2029 00:00:00 GMT"),
    )

    assert (found.place, found.system, found.status) == ("GET /v1/me", "https://api.example:8443", 200)
    assert found.identity == "bot"
    assert found.quotas == (Quota("X-RateLimit", None, 3, None),)
    assert found.ending == Ending("", "2029-12-31")
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


@pytest.mark.parametrize("body", [{"user": {"name": ["a"]}}, {"user": None}, []])
def test_an_identity_that_is_no_text_is_none(body):
    """Whatever the expression finds that is no name is left out."""
    assert look(ME, lambda _: answer(json.dumps(body).encode()))[0].identity == ""


def test_the_tls_of_a_real_connection_is_told(tmp_path):
    """Version, cipher and the certificate's last day are those of the connection that was checked with."""
    pem = certificate(tmp_path)
    with api_server(lambda _: Reply({"data": []}), tls=server_context(pem)) as api:
        trusting = ssl.create_default_context(cafile=str(pem))
        transport = HttpTransport(SystemClock(), 1 << 20, egress=Egress(private=("127.0.0.1",)), context=trusting)
        found = check(instance(ITEMS, url=api.url), transport=transport)

    assert found.tls is not None
    assert found.tls.version == "TLSv1.3"
    assert found.tls.expires


def test_a_run_hears_of_the_end_of_an_api():
    """Each answer that announces an end is told, whatever the run does with its records."""
    heard: list[str] = []
    made = replace(instance(ITEMS), notice=heard.append)
    ending = answer({"data": [{"id": 1}]}, deprecation="@1688169599", sunset="Sat, 31 Dec 2029 00:00:00 GMT")

    read(source(made, transport=FunctionTransport(lambda _: ending), paths=("id",)))

    assert set(heard) == {
        "api.example: the API says that what answered is deprecated since 2023-06-30, and ends on 2029-12-31"
    }


def test_nothing_to_ask():
    """A connector without a check and without streams says what to declare."""
    with pytest.raises(Invalid, match="neither a check nor a stream"):
        look("title: empty", lambda _: answer({}))
