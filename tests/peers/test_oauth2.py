"""OAuth 2.0 against a certified authorization server: every grant and client authentication, rotation, DPoP, mTLS."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from msgspec import structs

from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth import authorization_code, device_code
from syncline.sdk.auth.authenticator import Authenticator
from syncline.sdk.auth.clock import Time
from syncline.sdk.auth.oauth2 import oauth2
from syncline.sdk.auth.revocation import revocations
from syncline.sdk.auth.runner import Runner
from syncline.sdk.auth.tokens import MemoryTokens
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request, Tls
from syncline.sdk.source import Credentials
from tests.peers.person import approve

CLOCK = SystemClock()


@contextmanager
def transport(tls=None):
    made = HttpTransport(CLOCK, 1 << 20, egress=Egress(private=("127.0.0.0/8",)), tls=tls or Tls())
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def wire():
    with transport() as made:
        yield made


def credentials(oidc, client, **more):
    secrets = {"client_secret": Secret(oidc.secrets[client])} if client in oidc.secrets else {}
    secrets |= {name: value for name, value in more.items() if isinstance(value, Secret)}
    settings = {
        "grant": "client_credentials",
        "token_url": oidc.token_url,
        "client_id": client,
        "scopes": ("api:read",),
    }
    settings |= {name: value for name, value in more.items() if not isinstance(value, Secret)}
    return Credentials("oauth2", settings, secrets)


def login(oidc, wire, client="web", **more):
    """A scheme of an interactive grant, and a store with the token that a person's consent gave."""
    scheme = oauth2(credentials(oidc, client, grant="authorization_code", **more))
    attempt = authorization_code.begin(
        f"{oidc.url}/auth", client, "http://127.0.0.1:9/callback", scheme.scopes, {"prompt": "consent"}
    )
    code = attempt.code(approve(attempt.url))
    token = Runner(wire, CLOCK, 20.0).run(authorization_code.exchange(scheme, attempt, code, Time(CLOCK.now)))
    store = MemoryTokens()
    assert store.swap(0, token)
    return scheme, store


def kept(store):
    token = store.read().token
    assert token is not None
    return token


def items(oidc, auth, wire):
    signed = auth.apply(Request("GET", f"{oidc.url}/api/items"))
    return wire.send(signed.request, 10), signed.version


@pytest.mark.parametrize(
    ("client", "settings"),
    [
        ("basic", {}),
        ("post", {"client_auth": "post"}),
        ("secret-jwt", {"client_auth": "client_secret_jwt"}),
        ("private-jwt", {"client_auth": "private_key_jwt", "key_id": "key-1"}),
    ],
)
def test_client_credentials(oidc, wire, client, settings):
    """However the client proves who it is, it gets a token that the API takes."""
    if client == "private-jwt":
        settings = settings | {"private_key": Secret(oidc.private_key.read_text())}
    auth = Authenticator(oauth2(credentials(oidc, client, **settings)), CLOCK, wire)

    assert items(oidc, auth, wire)[0].status == 200


def test_a_wrong_secret_stalls(oidc, wire):
    """A refused client is told apart from a server that is down, and its secret is in no message."""
    wrong = credentials(oidc, "basic")
    wrong = replace(wrong, secrets={"client_secret": Secret("canary-wrong-secret")})
    auth = Authenticator(oauth2(wrong), CLOCK, wire)

    with pytest.raises(Stalled, match="invalid_client") as caught:
        items(oidc, auth, wire)
    assert caught.value.code == "SYN401"
    assert "canary" not in str(caught.value)


def test_a_token_is_renewed_ahead_of_its_end(oidc, wire):
    """A client that goes on for longer than a token lives gets another in time: no request is refused."""
    auth = Authenticator(oauth2(credentials(oidc, "basic")), CLOCK, wire)
    seen = set()
    end = time.monotonic() + oidc.ttl * 1.5
    while time.monotonic() < end:
        response, version = items(oidc, auth, wire)
        assert response.status == 200
        seen.add(version)
        time.sleep(0.2)

    assert seen >= {1, 2}


def test_a_refused_token_is_renewed_once(oidc, wire):
    """A token that was taken back is replaced when it is refused, and the next request is answered."""
    scheme = oauth2(credentials(oidc, "basic"))
    store = MemoryTokens()
    auth = Authenticator(scheme, CLOCK, wire, store)
    assert items(oidc, auth, wire)[0].status == 200
    for request in revocations(scheme.client, f"{oidc.url}/token/revocation", kept(store), CLOCK.now()):
        assert wire.send(request, 10).status == 200
    refused, version = items(oidc, auth, wire)

    assert refused.status == 401
    assert auth.renew(version, refused)
    assert items(oidc, auth, wire)[0].status == 200


@pytest.mark.parametrize("client", ["web", "native"])
def test_authorization_code_with_pkce(oidc, wire, client):
    """A person consents in a browser; the code and its verifier give tokens, for clients with and without a secret."""
    scheme, store = login(oidc, wire, client)

    assert items(oidc, Authenticator(scheme, CLOCK, wire, store), wire)[0].status == 200
    assert store.read().token.refresh


def test_another_verifier_is_refused(oidc, wire):
    """A stolen code is of no use without the verifier."""
    scheme = oauth2(credentials(oidc, "native", grant="authorization_code"))
    attempt = authorization_code.begin(f"{oidc.url}/auth", "native", "http://127.0.0.1:9/callback", ("api:read",))
    code = attempt.code(approve(attempt.url))
    thief = replace(attempt, verifier=Secret("x" * 64))

    with pytest.raises(Stalled, match="invalid_grant") as caught:
        Runner(wire, CLOCK, 20.0).run(authorization_code.exchange(scheme, thief, code, Time(CLOCK.now)))
    assert caught.value.code == "SYN444"


def test_another_state_is_refused(oidc):
    """The answer to another login is refused before its code is looked at."""
    begun = [
        authorization_code.begin(f"{oidc.url}/auth", "native", "http://127.0.0.1:9/callback", ("api:read",))
        for _ in range(2)
    ]
    with pytest.raises(Stalled, match="its state differs"):
        begun[0].code(approve(begun[1].url))


def test_refresh_tokens_rotate(oidc, wire):
    """Each renewal stores the token that replaces the one it used; the new one works."""
    scheme, store = login(oidc, wire)
    auth = Authenticator(scheme, CLOCK, wire, store)
    refreshes = [store.read().token.refresh.reveal()]
    for version in (1, 2, 3):
        refused, used = items(oidc, auth, wire)
        assert used == version
        assert auth.renew(used, structs.replace(refused, status=401))
        refreshes.append(store.read().token.refresh.reveal())

    assert len(set(refreshes)) == 4
    assert items(oidc, auth, wire)[0].status == 200


def test_a_reused_refresh_token_needs_a_login(oidc, wire):
    """Where an old refresh token is used again the server ends the family: a person is sent to log in."""
    scheme, store = login(oidc, wire)
    old = kept(store)
    auth = Authenticator(scheme, CLOCK, wire, store)
    assert auth.renew(auth.apply(Request("GET", oidc.url)).version, _refusal())
    stolen = MemoryTokens()
    stolen.swap(0, structs.replace(old, expires=1.0))
    with pytest.raises(Stalled):
        Authenticator(scheme, CLOCK, wire, stolen).apply(Request("GET", oidc.url))

    with pytest.raises(Stalled, match="no valid authorization") as caught:
        auth.renew(auth.apply(Request("GET", oidc.url)).version, _refusal())
    assert caught.value.code == "SYN442"
    assert "syncline auth login" in caught.value.help
    for secret in (old.refresh, store.read().token.refresh):
        assert secret.reveal() not in str(caught.value)


def test_the_refresh_token_grant_begins_with_a_secret(oidc, wire):
    """A refresh token that was got elsewhere is used once; those that replace it are kept."""
    _, logged_in = login(oidc, wire)
    first = logged_in.read().token.refresh
    scheme = oauth2(credentials(oidc, "web", grant="refresh_token", refresh_token=first))
    store = MemoryTokens()
    assert items(oidc, Authenticator(scheme, CLOCK, wire, store), wire)[0].status == 200
    store.swap(1, structs.replace(kept(store), expires=1.0))

    assert items(oidc, Authenticator(scheme, CLOCK, wire, store), wire)[0].status == 200
    assert store.read().token.refresh.reveal() != first.reveal()


def test_device_code(oidc, wire):
    """A person types the code that is shown, while this side asks at the server's pace."""
    scheme = oauth2(credentials(oidc, "native", grant="device_code"))
    shown = []

    def show(prompt):
        shown.append(prompt)
        approve(f"{prompt.url}?user_code={prompt.code}")

    flow = device_code.login(scheme, f"{oidc.url}/device/auth", Time(CLOCK.now))
    token = Runner(wire, CLOCK, 20.0, show).run(flow)
    store = MemoryTokens()
    store.swap(0, token)

    assert len(shown) == 1
    assert items(oidc, Authenticator(scheme, CLOCK, wire, store), wire)[0].status == 200


def test_dpop_binds_tokens_to_a_key(oidc, wire):
    """A token that is got with a proof has its type, and is renewed for the same key."""
    scheme = oauth2(credentials(oidc, "dpop", dpop=True))
    store = MemoryTokens()
    auth = Authenticator(scheme, CLOCK, wire, store)
    sent = auth.apply(Request("GET", f"{oidc.url}/api/items?page=2")).request

    assert store.read().token.kind == "dpop"
    assert sent.headers["Authorization"].startswith("DPoP ")
    first = store.read().token.key
    assert auth.renew(1, _refusal())
    assert store.read().version == 2
    assert store.read().token.key.reveal() == first.reveal()


def test_the_server_takes_dpop_proofs_and_refuses_stolen_tokens(oidc, wire):
    """A resource answers for a token with the proof of its key, and refuses the same token as a bearer's."""
    scheme, store = login(oidc, wire, "native", dpop=True, scopes=("openid",))
    auth = Authenticator(scheme, CLOCK, wire, store)
    asked = Request("GET", f"{oidc.url}/me")

    assert json.loads(wire.send(auth.apply(asked).request, 10).body)["sub"] == "alice"
    token = store.read().token.access.reveal()
    assert wire.send(asked.with_headers(Authorization=f"Bearer {token}"), 10).status in {400, 401}
    assert auth.renew(1, _refusal())
    assert wire.send(auth.apply(asked).request, 10).status == 200


def test_tokens_bound_to_a_certificate(oidc_mtls):
    """The client's certificate is its credential, and its token says that it is bound to it (RFC 8705)."""
    settings = {"grant": "client_credentials", "token_url": oidc_mtls.token_url, "client_id": "mtls"}
    settings |= {"client_auth": "tls", "scopes": ("api:read",)}
    scheme = oauth2(Credentials("oauth2", settings))
    ca = oidc_mtls.ca.read_text()

    def asked(certificate):
        store = MemoryTokens()
        tls = Tls(ca=ca)
        if certificate is not None:
            tls = Tls(ca=ca, chain=certificate.certificate.read_text(), key=Secret(certificate.key.read_text()))
        with transport(tls) as wire:
            Authenticator(scheme, CLOCK, wire, store).apply(Request("GET", oidc_mtls.url))
        return store.read().token

    claims = asked(oidc_mtls.client).access.reveal().split(".")[1]
    assert "x5t#S256" in json.loads(_decoded(claims))["cnf"]
    for other in (oidc_mtls.stranger, None):
        with pytest.raises(Stalled, match="invalid_client"):
            asked(other)


def _decoded(part):
    import base64

    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _refusal():
    from syncline.sdk.http import Response

    return Response(401, {}, b"")


def test_no_secret_is_in_a_url(oidc, wire):
    """Neither client secrets nor tokens are ever part of a URL."""
    scheme, store = login(oidc, wire)
    sent = []

    class Watched(HttpTransport):
        def send(self, request, timeout):
            sent.append(request)
            return wire.send(request, timeout)

    auth = Authenticator(scheme, CLOCK, Watched(CLOCK, 1), store)
    auth.renew(auth.apply(Request("GET", oidc.url)).version, _refusal())

    assert [urlsplit(request.url).query for request in sent] == [""]
    assert "refresh_token" not in "".join(request.url for request in sent)
