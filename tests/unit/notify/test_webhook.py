"""Webhooks: what is sent, how it is signed, and what each answer means."""

from __future__ import annotations

import json

import pytest

from syncline.model.errors import Again, Denied, Invalid, Stalled
from syncline.model.notice import NOTICES, Phase
from syncline.model.secret import Secret
from syncline.notify.webhook import WebhookNotifier
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Response, TransportError
from syncline.sdk.notice import Notice
from syncline.sdk.standard_webhooks import signed
from tests.api_server import Reply, api_server
from tests.rest_streams import FunctionTransport

#: The example of the specification.
KEY = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
NOTICE = Notice("m1", Phase.open, "crm", "text", NOTICES["incident"], thread="t1")


def test_the_signature_is_that_of_the_specification():
    """A known message has the known signature, with its id and time beside it."""
    assert signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [KEY]) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "key", ["", "secret", "whsec_", "whsec_!!!!", "whsec_plJ3nmyCDGBKInavdOK15jsl", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
)
def test_what_is_no_key_is_refused(key):
    """A key that isn't `whsec_` and base64 of 24 to 64 bytes is told of, and not shown."""
    with pytest.raises(Stalled, match="24 to 64 bytes") as error:
        signed("m1", 1, b"", [Secret(key)])
    assert len(key) < 7 or key[6:] not in error.value.message


def test_a_message_is_signed_with_both_keys():
    """While a key is replaced, receivers of either accept the message."""
    new = Secret("whsec_" + "A" * 44)
    both = signed("m1", 1, b"x", [new, KEY])["webhook-signature"].split(" ")
    assert both == [signed("m1", 1, b"x", [key])["webhook-signature"] for key in (new, KEY)]


def test_what_is_sent():
    """A POST of type, timestamp and data, with the thread's id; the timestamp of its signature is that of the attempt."""
    asked = []

    def answer(request):
        asked.append(request)
        return Response(204, {}, b"")

    WebhookNotifier("https://hooks.example.com/a?b=c", [KEY], FunctionTransport(answer), SystemClock()).send(NOTICE)
    (request,) = asked
    document = json.loads(request.body)
    assert (request.method, request.url) == ("POST", "https://hooks.example.com/a?b=c")
    assert request.headers["Content-Type"] == "application/json"
    assert list(document) == ["type", "timestamp", "data"]
    assert (document["type"], document["data"]["object"]) == ("incident.open", "acme/Integration/crm")
    when = int(request.headers["webhook-timestamp"])
    assert signed("m1", when, request.body, [KEY]).items() <= dict(request.headers).items()


@pytest.mark.parametrize(
    ("status", "headers", "error", "code"),
    [(500, {}, Again, "SYN734"), (404, {}, Again, "SYN734"), (302, {"location": "https://elsewhere.example"}, Again, "SYN734"),
     (410, {}, Invalid, "SYN733"), (429, {"retry-after": "77"}, Again, "SYN734")],
)  # fmt: skip
def test_what_answers_mean(status, headers, error, code):
    """Only 2xx means taken; 410 is for good; redirects aren't followed, and a wait that is asked for is kept."""
    transport = FunctionTransport(lambda _: Response(status, headers, b"secret words of the receiver"))
    with pytest.raises(error) as raised:
        WebhookNotifier("https://hooks.example.com", [KEY], transport, SystemClock()).send(NOTICE)
    assert raised.value.code == code
    assert "secret words" not in raised.value.message
    assert getattr(raised.value, "after", None) == (77.0 if status == 429 else None)


def test_what_is_lost_may_come_again():
    """An exchange that didn't complete is tried again; a certificate that is refused needs a person."""

    def lost(permanent):
        def answer(_):
            raise TransportError("no answer", "timeout", permanent=permanent)

        return FunctionTransport(answer)

    for permanent, error in ((False, Again), (True, Stalled)):
        with pytest.raises(error):
            WebhookNotifier("https://hooks.example.com", [KEY], lost(permanent), SystemClock()).send(NOTICE)


def test_private_addresses_are_out_of_bounds():
    """The guard of what may be reached holds for webhooks: nothing arrives at a private address that isn't allowed."""
    with api_server(lambda _: Reply({})) as server:
        transport = HttpTransport(SystemClock(), 1024, egress=Egress(literals=False))
        with pytest.raises(Denied):
            WebhookNotifier(server.url, [KEY], transport, SystemClock()).send(NOTICE)
        transport = HttpTransport(SystemClock(), 1024, egress=Egress(private=("127.0.0.1",)))
        WebhookNotifier(server.url, [KEY], transport, SystemClock()).send(NOTICE)
        assert len(server.asked) == 1
        transport.close()
