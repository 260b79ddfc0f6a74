"""Answers to a login in the browser: those of another login or another server are refused."""

from __future__ import annotations

import pytest

from syncline.connectors.rest.login import Login
from syncline.executor.flows.instance import SecretUses, credentials_of
from syncline.kinds.auth import OAuth2Auth
from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth.authorization_code import begin
from syncline.sdk.auth.oauth2 import oauth2
from syncline.sdk.auth.tokens import MemoryTokens
from tests.logins import REFUSED
from tests.rest_streams import FakeClock, FunctionTransport


@pytest.mark.parametrize(
    "query", ["code=c&state=another", "code=c", "state=", "error=access_denied&state=another", "code=c&state=%00"]
)
def test_the_answer_to_another_login(query):
    """Without this login's state an answer is refused, whatever else it says."""
    attempt = begin("https://id.example.com/auth", "app", "http://127.0.0.1/callback")
    with pytest.raises(Stalled, match="state differs"):
        attempt.code(f"/callback?{query}")


def test_a_refused_consent():
    """What the server says of a refusal is told, without control characters."""
    attempt = begin("https://id.example.com/auth", "app", "http://127.0.0.1/callback")
    with pytest.raises(Stalled, match="access_denied") as caught:
        attempt.code(f"/callback?error=access_denied&error_description=no%1b[31m&state={attempt.state}")
    assert "\x1b" not in caught.value.message


ISSUER = "https://id.example.com"
OURS = "iss=https%3A%2F%2Fid.example.com"


@pytest.mark.parametrize(
    "query",
    [
        "code=c",
        "code=c&iss=",
        "code=c&iss=https%3A%2F%2Fid.example.com%2F",
        "code=c&iss=https%3A%2F%2FID.example.com",
        "code=c&iss=https%3A%2F%2Fevil.example",
        f"code=c&iss=https%3A%2F%2Fevil.example&{OURS}",
        f"code=c&{OURS}&{OURS}",
        "error=access_denied&iss=https%3A%2F%2Fevil.example%1b[31m",
    ],
)
def test_the_answer_of_another_server(query):
    """Where the issuer is known, an answer that doesn't carry exactly it, once, is refused: a code and an error alike."""
    attempt = begin("https://id.example.com/auth", "app", "http://127.0.0.1/callback", issuer=ISSUER)
    with pytest.raises(Stalled, match="another server") as caught:
        attempt.code(f"/callback?{query}&state={attempt.state}")
    assert caught.value.code == "SYN444"
    assert "\x1b" not in caught.value.message


def test_the_answer_of_the_server_that_was_asked():
    """Its issuer is accepted; where none is known, there is nothing to compare an answer with."""
    asked = begin("https://id.example.com/auth", "app", "http://127.0.0.1/callback", issuer=ISSUER)
    unknown = begin("https://id.example.com/auth", "app", "http://127.0.0.1/callback")

    assert asked.code(f"/callback?code=c&{OURS}&state={asked.state}") == Secret("c")
    assert unknown.code(f"/callback?code=c&iss=https%3A%2F%2Fother.example&state={unknown.state}") == Secret("c")


def test_the_declared_issuer_is_demanded():
    """`authorizationIssuer` of an AuthConfig reaches the login, with the connector's settings filled in."""
    auth = OAuth2Auth.model_validate(
        {
            "type": "oauth2",
            "grant": "authorization_code",
            "clientId": "app",
            "tokenUrl": "https://id.example.com/token",
            "authorizationUrl": "https://id.example.com/auth",
            "authorizationIssuer": "https://{{ config.site }}",
        }
    )
    made = credentials_of(auth, None, {"site": "id.example.com"}, SecretUses(lambda *_: Secret("unused"), "acme"))
    login = Login(oauth2(made), MemoryTokens(), FunctionTransport(lambda _: REFUSED), FakeClock(), dict(made.settings))

    assert login.begin("http://127.0.0.1/callback").issuer == ISSUER
