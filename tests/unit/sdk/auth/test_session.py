"""Logins of several steps, with a function as the server: what is taken and sent, and when another one is needed."""

from __future__ import annotations

import json

import pytest

from syncline.model.errors import Invalid, Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth.session import Session, session
from syncline.sdk.auth.tokens import Token
from syncline.sdk.http import Response
from syncline.sdk.source import Credentials
from tests.logins import API, NOW, client, form
from tests.rest_streams import FakeClock


def stepped(**more):
    steps = (
        {
            "post": "/login",
            "form": {"user": "{{ auth.user }}", "pw": "{{ auth.pw }}"},
            "take": {"ticket": "cookies.sid"},
        },
        {"post": "/session", "body": {"ticket": "{{ ticket }}"}, "take": {"token": 'headers."x-subject-token"'}},
    )
    settings = {"base_url": "https://api.example.com", "steps": steps, "send": {"headers.X-Auth-Token": "{{ token }}"}}
    settings |= {"values": {"user": "ada"}, "lifetime": "10m"}
    return session(Credentials("session", settings | more, {"values.pw": Secret("canary password")}))


def login_server(request):
    if request.url.endswith("/login"):
        assert form(request) == {"user": "ada", "pw": "canary password"}
        cookies = "lang=en; Path=/, sid=s1; HttpOnly; Expires=Wed, 21 Oct 2099 07:28:00 GMT, other=2"
        return Response(200, {"set-cookie": cookies}, b"")
    assert json.loads(request.body) == {"ticket": "s1"}
    return Response(201, {"x-subject-token": "canary-token"}, b"{}")


def test_a_login_of_several_steps():
    """Each step uses what the one before took, from cookies, headers or the body; the result is sent until it ends."""
    clock = FakeClock(NOW)
    auth, transport = client(login_server, stepped(), clock=clock)
    assert auth.apply(API).request.headers["X-Auth-Token"] == "canary-token"
    clock.time += 500
    auth.apply(API)
    assert len(transport.sent) == 2
    clock.time += 101
    auth.apply(API)
    assert len(transport.sent) == 4
    assert not any("canary" in request.url for request in transport.sent)


def test_a_refused_login_stalls():
    """A login that is refused, or whose answer lacks the token, says so without values."""
    for answer in (Response(403, {}, b"canary password"), Response(200, {}, b'{"error": "canary password"}')):
        auth, _ = client(lambda _, a=answer: a, stepped())
        with pytest.raises(Stalled) as caught:
            auth.apply(API)
        assert caught.value.code == "SYN401"
        assert "canary" not in caught.value.message


def test_another_password_is_another_session():
    """What is kept of a login doesn't outlive the password that it was made with."""
    made = stepped()
    token = Token(Secret("t"), values={"token": Secret("t")}, origin=made._origin())
    other = Session(made.base, made.steps, made.send, {"user": "ada", "pw": Secret("new")})

    assert made.fits(token)
    assert not other.fits(token)
    assert made.basis == other.basis


def test_secrets_get_into_no_url():
    """A template of a step's path or query can't use what is secret."""
    steps = ({"get": "/login?pw={{ auth.pw }}", "take": {"t": "body.t"}},)
    auth, transport = client(lambda _: Response(200, {}, b"{}"), stepped(steps=steps))
    with pytest.raises(Invalid) as caught:
        auth.apply(API)
    assert caught.value.code == "SYN431"
    assert transport.sent == []
