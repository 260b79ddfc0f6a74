"""JWTs as grants and as client credentials (RFC 7523) against Authlib's authorization server, which checks them."""

from __future__ import annotations

import json
import time
from urllib.parse import parse_qs, urlencode

import pytest

from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth.authenticator import Authenticator
from syncline.sdk.auth.jwt import signed, signing_key
from syncline.sdk.auth.oauth2 import oauth2
from syncline.sdk.auth.tokens import MemoryTokens
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request, Response
from syncline.sdk.source import Credentials
from tests.peers.house import Flow, house
from tests.peers.systems.authlib import ALGORITHMS, GRANT, OTHER, USER, key_pair

CLOCK = SystemClock()
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WAYS = ("grant", "machine")


class Watched(HttpTransport):
    """A transport that remembers what was asked."""

    def __init__(self):
        super().__init__(CLOCK, 1 << 20, egress=Egress(private=("127.0.0.0/8",)))
        self.sent: list[Request] = []

    def send(self, request, timeout):
        self.sent.append(request)
        return super().send(request, timeout)


@pytest.fixture
def wire():
    made = Watched()
    yield made
    made.close()


def scheme(server, way, algorithm="ES256", **more):
    settings = {
        "grant": "jwt_bearer" if way == "grant" else "client_credentials",
        "token_url": server.token_url,
        "client_id": f"{way}-{algorithm.lower()}",
        "algorithm": algorithm,
        "key_id": f"key-{algorithm}",
        "scopes": ("read",),
    }
    settings |= {"subject": USER} if way == "grant" else {"client_auth": "private_key_jwt"}
    key = more.pop("key", server.keys[algorithm])
    return oauth2(Credentials("oauth2", settings | more, {"private_key": Secret(key)}))


def items(server, auth, wire):
    return json.loads(wire.send(auth.apply(Request("GET", f"{server.url}/items")).request, 10).body)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("way", WAYS)
def test_a_token_for_an_assertion(authlib, wire, way, algorithm):
    """With each algorithm, as a grant for a user and as a client's own credential, the token is one that the API takes."""
    found = items(authlib, Authenticator(scheme(authlib, way, algorithm), CLOCK, wire), wire)
    assert len(found["data"]) == 3
    assert (found["as"], found["by"]) == (USER if way == "grant" else None, f"{way}-{algorithm.lower()}")


@pytest.mark.parametrize("way", WAYS)
def test_a_new_assertion_each_time(authlib, wire, way):
    """A token that is renewed is asked for by another assertion, since the server takes none twice."""
    auth = Authenticator(scheme(authlib, way), CLOCK, wire, MemoryTokens())
    items(authlib, auth, wire)
    assert auth.renew(1, Response(401, {}, b""))
    items(authlib, auth, wire)

    asked = [request for request in wire.sent if request.url == authlib.token_url]
    assert len(asked) == 2
    answer = wire.send(asked[0], 10)
    assert answer.status in {400, 401}
    assert b"JWT ID is used before" in answer.body


@pytest.mark.parametrize(
    ("way", "how", "error"),
    [
        ("grant", {"assertion_audience": "https://elsewhere.example.com/"}, "invalid_grant"),
        ("machine", {"assertion_audience": "https://elsewhere.example.com/"}, "invalid_client"),
        ("grant", {"subject": OTHER}, "invalid_client"),
        ("grant", {"subject": "nobody"}, "invalid_grant"),
        ("grant", {"issuer": "nobody"}, "invalid_grant"),
        ("machine", {"client_id": "nobody"}, "invalid_client"),
    ],
)
def test_refused_assertions(authlib, wire, way, how, error):
    """What the server doesn't take is told by its own word, needs a person, and isn't asked for again and again."""
    with pytest.raises(Stalled, match=error) as caught:
        items(authlib, Authenticator(scheme(authlib, way, **how), CLOCK, wire), wire)
    assert caught.value.code == "SYN401"
    assert len(wire.sent) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_strangers_key(authlib, wire, way):
    """An assertion that another key has signed is refused."""
    with pytest.raises(Stalled, match="invalid_"):
        items(authlib, Authenticator(scheme(authlib, way, key=key_pair("ES256")[0]), CLOCK, wire), wire)


@pytest.mark.parametrize("way", WAYS)
def test_the_issuer_as_audience(authlib, wire, way):
    """A server may want its own name as audience instead of the token URL; it is declared."""
    auth = Authenticator(scheme(authlib, way, assertion_audience=authlib.url), CLOCK, wire)
    assert len(items(authlib, auth, wire)["data"]) == 3


def test_further_claims(authlib, wire):
    """Claims that are declared are in the assertion, and replace none of those that it stands on."""
    more = {"assertion_claims": {"scope": "read", "box_sub_type": "enterprise", "exp": 1, "aud": "x"}}
    assert items(authlib, Authenticator(scheme(authlib, "grant", **more), CLOCK, wire), wire)["as"] == USER

    from joserfc import jws

    text = parse_qs(wire.sent[0].body.decode())["assertion"][0]
    claims = json.loads(jws.extract_compact(text.encode()).payload)
    assert (claims["scope"], claims["box_sub_type"], claims["aud"]) == ("read", "enterprise", authlib.token_url)


@pytest.mark.parametrize("way", WAYS)
def test_an_expired_assertion(authlib, wire, way):
    """The server refuses one whose time is over; a client whose clock is slow learns the server's time and gets a token."""
    now = int(time.time()) - 3600
    key = signing_key(Secret(authlib.keys["ES256"]), "ES256")
    client = f"{way}-es256"
    claims = {"iss": client, "sub": client if way == "machine" else USER, "aud": authlib.token_url, "jti": f"old-{way}"}
    old = signed({**claims, "iat": now, "exp": now + 60}, key, "ES256")
    form = {"grant_type": GRANT, "assertion": old}
    if way == "machine":
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        form = {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": old}
    answer = wire.send(Request("POST", authlib.token_url, FORM, urlencode(form).encode()), 10)
    assert answer.status in {400, 401}
    assert b"expired" in answer.body

    class Slow(SystemClock):
        def now(self):
            return super().now() - 280

    assert len(items(authlib, Authenticator(scheme(authlib, way), Slow(), wire), wire)["data"]) == 3


@pytest.mark.parametrize("way", WAYS)
def test_a_sync_by_assertion(tmp_path, authlib, way):
    """Declared as people do: a sync gets its tokens by assertions, past their end, and its key is shown nowhere."""
    key = "privateKey: {secretRef: {provider: env, key: PRIVATE_KEY}}, algorithm: EdDSA, keyId: key-EdDSA"
    how = (
        f"grant: jwt_bearer, subject: {USER}"
        if way == "grant"
        else "grant: client_credentials, clientAuth: private_key_jwt"
    )
    spec = f"{{type: oauth2, {how}, clientId: {way}-eddsa, scopes: [read], {key}}}"
    items = Flow("items", ("to: id, from: id, type: integer",))
    secrets = {"PRIVATE_KEY": authlib.keys["EdDSA"]}
    made = house(tmp_path, "authlib", {"url": authlib.url}, items, auth=spec, secrets=secrets)

    assert made.run("items")["inserted"] == 3
    time.sleep(authlib.ttl)
    assert made.run("items")["read"] == 3
    made.proved()
