"""Authentication as the `rest` runtime uses it: a refusal renews once, whoever says that it is one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth.tokens import MemoryTokens
from syncline.sdk.http import Response
from syncline.sdk.source import Credentials
from tests.rest_streams import FunctionTransport, answer, instance, read, rows, source

TEXT = """
auth: [oauth2]
http: {errors: [{when: "body.error == 'session over'", do: reauthenticate, message: The session is over.}], retry: {attempts: 1}}
streams:
  items: {get: /items, records: data, key: [id], page: {cursor: next, into: query.cursor}, schema: {properties: {id: {type: integer}}}}
"""
OAUTH = Credentials(
    "oauth2",
    {"grant": "client_credentials", "token_url": "https://id.example/token", "client_id": "app"},
    {"client_secret": Secret("canary-secret")},
)


class Api:
    """An authorization server and an API that takes the tokens from `good` on; what it does with others is `refuse`."""

    def __init__(self, good, refuse):
        self.good, self.refuse = good, refuse
        self.tokens = 0
        self.asked = 0

    def __call__(self, request):
        if request.url == "https://id.example/token":
            self.tokens += 1
            body = {"access_token": f"canary-token-{self.tokens}", "token_type": "Bearer", "expires_in": 3600}
            return Response(200, {}, json.dumps(body).encode())
        self.asked += 1
        number = int(request.headers["Authorization"].rpartition("-")[2])
        if number < self.good:
            return self.refuse(request)
        if "cursor" in request.url:
            return answer({"data": [{"id": 2}]})
        return answer({"data": [{"id": 1}], "next": "n2"})


def unauthorized(_):
    return answer({"error": "invalid_token"}, 401)


def session_over(_):
    return answer({"error": "session over"})


def opened(api, **parts):
    made = replace(instance(TEXT, credentials=OAUTH), **parts)
    return source(made, transport=FunctionTransport(api))


def test_one_token_for_all_pages():
    """A token is got once and sent with each request."""
    api = Api(1, unauthorized)
    assert rows(read(opened(api))) == [{"id": 1}, {"id": 2}]
    assert (api.tokens, api.asked) == (1, 2)


@pytest.mark.parametrize("refuse", [unauthorized, session_over])
def test_a_refusal_renews_once_and_goes_on(refuse):
    """After a 401, or where a rule says so, there is a new token and the request is repeated: no record is lost."""
    api = Api(2, refuse)
    assert rows(read(opened(api))) == [{"id": 1}, {"id": 2}]
    assert (api.tokens, api.asked) == (2, 3)


@pytest.mark.parametrize("refuse", [unauthorized, session_over])
def test_a_second_refusal_stalls(refuse):
    """A new token that is refused as well stops the run, with what a person does; no third request is sent."""
    api = Api(99, refuse)
    with pytest.raises(Stalled) as caught:
        read(opened(api))
    assert caught.value.code == "SYN401"
    assert "scopes" in caught.value.help
    assert "canary" not in str(caught.value)
    assert (api.tokens, api.asked) == (2, 2)


def test_a_refusal_that_repeats_the_token_is_masked():
    """What the API says is shown without the token, in whatever it says."""
    api = Api(99, lambda request: answer({"you sent": request.headers["Authorization"]}, 401))
    with pytest.raises(Stalled) as caught:
        read(opened(api))
    assert "***" in caught.value.message
    assert "canary" not in caught.value.message


def test_without_permission_nothing_is_renewed():
    """A 403 is no reason for another token."""
    api = Api(99, lambda _: answer({}, 403))
    with pytest.raises(Stalled):
        read(opened(api))
    assert (api.tokens, api.asked) == (1, 1)


def test_a_fixed_token_is_not_asked_again():
    """Where nothing can be renewed, one refusal is enough."""
    sent = []

    def refuse(request):
        sent.append(request)
        return answer({}, 401)

    made = replace(instance(TEXT, credentials=OAUTH), credentials=Credentials("bearer", {}, {"token": Secret("t0k3n")}))
    with pytest.raises(Stalled, match="refused"):
        read(source(made, transport=FunctionTransport(refuse)))
    assert len(sent) == 1


def test_runs_share_a_token():
    """What one run got, the next uses, where the instance has a store."""
    store = MemoryTokens()
    api = Api(1, unauthorized)
    for _ in range(2):
        read(opened(api, tokens=lambda _: store))
    assert api.tokens == 1


def test_each_attempt_is_signed_anew():
    """A signature with a nonce differs in each attempt, after paging has set its parameters."""
    settings = {"canonical": "{{ nonce }}{{ query }}", "send": {"headers.X-Sign": "{{ signature }}"}}
    credentials = Credentials("hmac", settings, {"key": Secret("k")})
    replies = iter([answer({"data": [{"id": 1}], "next": "n2"}), answer({}, 503), answer({"data": []})])
    transport = FunctionTransport(lambda _: next(replies))
    text = TEXT.replace("attempts: 1", "attempts: 2")
    read(source(instance(text, credentials=credentials), transport=transport))

    assert len({request.headers["X-Sign"] for request in transport.sent}) == 3
