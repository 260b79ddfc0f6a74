"""Getting tokens, with a function as the server: what is sent, what is believed, clocks that differ, hostile answers."""

from __future__ import annotations

import base64
import json
from email.utils import formatdate

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from msgspec.structs import replace

from syncline.model.errors import Again, Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth import dpop
from syncline.sdk.auth.client_authentication import ClientAuthentication
from syncline.sdk.auth.clock import Time
from syncline.sdk.auth.jwt import self_signed
from syncline.sdk.auth.oauth2 import OAuth2, oauth2
from syncline.sdk.auth.schemes import SCHEMES, scheme
from syncline.sdk.auth.tokens import MemoryTokens, Token
from syncline.sdk.http import Response
from syncline.sdk.source import Credentials
from tests.logins import API, NOW, REFUSED, client, form, token_answer
from tests.rest_streams import FakeClock


def credentials(**more):
    settings = {"grant": "client_credentials", "token_url": "https://id.example.com/token", "client_id": "app"}
    secrets = {"client_secret": Secret("canary-client-secret")}
    secrets |= {name: value for name, value in more.items() if isinstance(value, Secret)}
    return Credentials("oauth2", settings | {n: v for n, v in more.items() if not isinstance(v, Secret)}, secrets)


def test_every_type_of_auth_config_has_a_scheme():
    """Each type has a scheme of HTTP requests, but for SSH's, which sends none."""
    from typing import get_args

    from syncline.kinds.auth_type import AuthType

    assert set(SCHEMES) == set(get_args(AuthType)) - {"ssh"}


def test_a_token_is_asked_for_once_and_sent():
    """The form has the grant, scopes and parameters; the client is in the header, and nothing is in the URL."""
    made = oauth2(credentials(scopes=("read", "write"), audience="https://api.example.com", parameters={"x": "1"}))
    auth, transport = client(lambda _: token_answer(), made)
    sent = [auth.apply(API).request for _ in range(3)]

    assert {request.headers["Authorization"] for request in sent} == {"Bearer canary-access-1"}
    assert len(transport.sent) == 1
    asked = transport.sent[0]
    assert asked.url == "https://id.example.com/token"
    expected = {
        "grant_type": "client_credentials",
        "scope": "read write",
        "audience": "https://api.example.com",
        "x": "1",
    }
    assert form(asked) == expected
    assert base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")) == b"app:canary-client-secret"


def test_it_is_renewed_ahead_of_its_end():
    """A minute before its end a token is replaced; the old one is still good if the server can't give another then."""
    clock = FakeClock(NOW)
    answers = [token_answer(1), Response(503, {}, b""), token_answer(2)]
    auth, transport = client(lambda _: answers.pop(0), oauth2(credentials()), clock=clock)
    auth.apply(API)
    clock.time += 3539
    assert auth.apply(API).version == 1
    assert len(transport.sent) == 1
    clock.time += 2
    assert auth.apply(API).version == 1  # the server is down, and the token lives for another minute
    assert auth.apply(API).version == 1
    assert len(transport.sent) == 2
    clock.time += 20
    assert auth.apply(API).version == 2


def test_an_ended_token_is_not_sent():
    """Without a server, and after its end, there is no request with the old token."""
    clock = FakeClock(NOW)
    answers = [token_answer(1), Response(503, {"retry-after": "7"}, b"")]
    auth, _ = client(lambda _: answers.pop(0), oauth2(credentials()), clock=clock)
    auth.apply(API)
    clock.time += 3601
    with pytest.raises(Again) as caught:
        auth.apply(API)
    assert caught.value.after == 7.0


def test_of_two_refusals_of_one_token_one_renews():
    """A refusal of a token that was replaced meanwhile only takes the new one."""
    numbers = iter(range(1, 9))
    auth, transport = client(lambda _: token_answer(next(numbers)), oauth2(credentials()))
    version = auth.apply(API).version
    assert auth.renew(version, REFUSED)
    assert auth.renew(version, REFUSED)
    assert len(transport.sent) == 2


def test_another_first_secret_is_another_login():
    """A refresh token that a person replaces in its secret counts from then on, whatever is kept."""
    store = MemoryTokens()
    made = oauth2(credentials(grant="refresh_token", refresh_token=Secret("first")))
    auth, transport = client(lambda _: token_answer(1, refresh_token="second"), made, store)
    auth.apply(API)
    other = oauth2(credentials(grant="refresh_token", refresh_token=Secret("new-first")))
    auth, transport = client(lambda _: token_answer(2, refresh_token="new-second"), other, store)
    auth.apply(API)

    assert form(transport.sent[0])["refresh_token"] == "new-first"
    assert other.basis == made.basis


def test_a_server_that_does_not_rotate():
    """Without a new refresh token in the answer the old one stays."""
    store = MemoryTokens()
    made = oauth2(credentials(grant="refresh_token", refresh_token=Secret("forever")))
    auth, transport = client(lambda _: token_answer(), made, store)
    auth.renew(auth.apply(API).version, REFUSED)

    assert [form(request)["refresh_token"] for request in transport.sent] == ["forever", "forever"]


@pytest.mark.parametrize("grant", ["authorization_code", "device_code"])
def test_nobody_has_logged_in(grant):
    """Without a login nothing is asked, and the error names the command."""
    auth, transport = client(lambda _: token_answer(), oauth2(credentials(grant=grant)))
    with pytest.raises(Stalled) as caught:
        auth.apply(API)
    assert caught.value.code == "SYN442"
    assert "syncline auth login" in caught.value.help
    assert transport.sent == []


@pytest.mark.parametrize(
    "answer",
    [
        Response(200, {}, b"<html>log in</html>"),
        Response(200, {}, b"[]"),
        Response(200, {}, b'{"token_type": "Bearer"}'),
        Response(200, {}, b'{"access_token": 7}'),
        Response(200, {}, b'{"access_token": "a\\r\\nX-Admin: 1"}'),
        Response(200, {}, b'{"access_token": "' + b"a" * 20_000 + b'"}'),
        Response(200, {}, b'{"access_token": "a", "token_type": "mac"}'),
        Response(302, {"location": "https://elsewhere.example/"}, b""),
        Response(404, {}, b"nothing"),
        Response(400, {}, b'{"error": "invalid_client", "error_description": "canary-client-secret"}'),
    ],
    ids=["html", "list", "none", "number", "line break", "long", "type", "redirect", "missing", "refused"],
)
def test_answers_that_are_no_token(answer):
    """Whatever else a server answers stops the run with a code; nothing of it is stored."""
    store = MemoryTokens()
    auth, _ = client(lambda _: answer, oauth2(credentials()), store)
    with pytest.raises(Stalled) as caught:
        auth.apply(API)
    assert caught.value.code in {"SYN401", "SYN443"}
    assert store.read().version == 0
    assert "canary-client-secret" in {secret.reveal() for secret in auth.hidden}  # what the client masks messages by


@pytest.mark.parametrize(
    ("value", "expires"), [(60, 60.0), ("60", 60.0), (-5, 0.0), (True, 0.0), ("soon", 0.0), (1e18, 0.0)]
)
def test_lifetimes_that_are_believed(value, expires):
    """A lifetime that can't be true counts as none: such a token is used until it is refused."""
    store = MemoryTokens()
    auth, _ = client(lambda _: token_answer(expires_in=value), oauth2(credentials()), store)
    auth.apply(API)
    assert store.read().token.expires == (NOW + expires if expires else 0.0)


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def claims_of(token, key, algorithm):
    class Registry(jws.JWSRegistry):
        def get_alg(self, name):
            assert name == algorithm
            return self.algorithms[name]

    return json.loads(jws.deserialize_compact(token, key, registry=Registry(strict_check_header=False)).payload)


@pytest.mark.parametrize(
    ("key", "algorithm", "public"),
    [
        (RSA, "RS256", RSAKey),
        (RSA, "PS256", RSAKey),
        (EC, "ES256", ECKey),
        (ED, "EdDSA", OKPKey),
        (ED, "Ed25519", OKPKey),
    ],
)
def test_self_signed_tokens_verify(key, algorithm, public):
    """A self-signed token says what is declared, and its public key verifies it."""
    settings = {"algorithm": algorithm, "issuer": "app", "audience": "api", "claims": {"team": "{{ config.team }}"}}
    settings |= {"config": {"team": "blue"}, "lifetime": "10m", "key_id": "k1"}
    sent = self_signed(Credentials("jwt", settings, {"key": Secret(pem(key))})).sign(API, NOW)
    token = sent.headers["Authorization"].removeprefix("Bearer ")
    found = claims_of(token, public.import_key(pem(key)), algorithm)

    assert found == {"iss": "app", "aud": "api", "team": "blue", "iat": int(NOW), "exp": int(NOW) + 600}
    assert jws.extract_compact(token.encode()).headers()["kid"] == "k1"


def test_a_key_signs_by_its_own_algorithm_only():
    """An RSA key is no secret of HS256's: a public key can't be passed off as one."""
    for algorithm in ("ES256", "EdDSA"):
        with pytest.raises(Stalled, match="needs a private one"):
            self_signed(Credentials("jwt", {"algorithm": algorithm}, {"key": Secret(pem(RSA))}))
    with pytest.raises(Stalled, match="not signed with none"):
        self_signed(Credentials("jwt", {"algorithm": "none"}, {"key": Secret(pem(RSA))}))


def test_jwt_bearer_assertions():
    """The assertion names issuer, subject and audience, and is refused a life beyond a minute."""
    made = oauth2(credentials(grant="jwt_bearer", private_key=Secret(pem(RSA)), subject="ada", key_id="k1"))
    auth, transport = client(lambda _: token_answer(), made)
    auth.apply(API)
    sent = form(transport.sent[0])
    found = claims_of(sent["assertion"], RSAKey.import_key(pem(RSA)), "RS256")

    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert len(found.pop("jti")) >= 16
    assert found == {"iss": "app", "sub": "ada", "aud": made.token_url, "iat": int(NOW), "exp": int(NOW) + 60}


@pytest.mark.parametrize("way", [{"client_auth": "private_key_jwt"}, {"grant": "jwt_bearer"}], ids=["client", "grant"])
@pytest.mark.parametrize(("ahead", "corrected"), [(200, True), (-200, True), (299, True), (301, False), (-4000, False)])
def test_clocks_that_differ(ahead, corrected, way):
    """A difference of up to 300 s between the clocks is corrected and tried once more; a greater one is told."""
    private = {"private_key": Secret(pem(RSA)), **way}

    def server(request):
        sent = form(request)
        claims = claims_of(
            sent["assertion" if "grant" in way else "client_assertion"], RSAKey.import_key(pem(RSA)), "RS256"
        )
        if abs(claims["iat"] - (NOW + ahead)) > 30:
            date = formatdate(NOW + ahead, usegmt=True)
            return Response(401, {"date": date}, b'{"error": "invalid_client", "error_description": "iat"}')
        return token_answer()

    auth, transport = client(server, oauth2(credentials(**private)))
    if corrected:
        assert auth.apply(API).version == 1
        assert len(transport.sent) == 2
    else:
        with pytest.raises(Stalled, match="clock of this machine") as caught:
            auth.apply(API)
        assert caught.value.code == "SYN443"


def test_signatures_follow_the_servers_clock():
    """A signed request that is refused for its time is signed again by the server's, once."""
    made = scheme(
        Credentials(
            "aws_sigv4", {"access_key_id": "A", "service": "s3", "region": "r"}, {"secret_access_key": Secret("s")}
        )
    )
    auth, _ = client(lambda _: REFUSED, made)
    before = auth.apply(API).request.headers["X-Amz-Date"]
    refused = Response(403, {"date": formatdate(NOW + 120, usegmt=True)}, b"")

    assert auth.renew(0, refused, ended=False)
    assert auth.apply(API).request.headers["X-Amz-Date"] > before
    assert not auth.renew(0, refused, ended=False)


# --- DPoP


def test_the_hash_of_a_token_in_a_proof():
    """Claim ath is that of the example in RFC 9449 (section 7.1), and the proof is for the URL without its query."""
    key = dpop.new_key()
    token = Secret("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU")
    made = dpop.proof(key, "GET", "https://resource.example.org/protectedresource?a=1", 1562262618.0, token=token)
    public = jws.extract_compact(made.encode()).headers()["jwk"]
    claims = claims_of(made, ECKey.import_key(public), "ES256")

    assert claims["ath"] == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    assert (claims["htm"], claims["htu"]) == ("GET", "https://resource.example.org/protectedresource")
    assert claims["iat"] == 1562262618
    assert set(public) == {"kty", "crv", "x", "y"}


def test_a_nonce_that_the_server_asks_for():
    """A server that wants a nonce in the proof gets it at the second try, and so does the API."""
    wanted = Response(400, {"dpop-nonce": "n1"}, b'{"error": "use_dpop_nonce"}')

    def server(request):
        public = jws.extract_compact(request.headers["DPoP"].encode())
        has = json.loads(public.payload).get("nonce") == "n1"
        return token_answer(token_type="DPoP") if has else wanted

    auth, transport = client(server, oauth2(credentials(dpop=True)))
    version = auth.apply(API).version
    assert len(transport.sent) == 2
    assert auth.renew(version, Response(401, {"dpop-nonce": "n2"}, b""))
    proof = json.loads(jws.extract_compact(auth.apply(API).request.headers["DPoP"].encode()).payload)

    assert proof["nonce"] == "n2"
    assert len(transport.sent) == 2


def test_a_bearer_token_where_a_bound_one_was_asked_for():
    """A server that ignores the proof is not trusted with the request."""
    auth, _ = client(lambda _: token_answer(), oauth2(credentials(dpop=True)))
    with pytest.raises(Stalled, match="not bound"):
        auth.apply(API)


def test_tokens_are_shown_nowhere():
    """No representation of a token, a scheme or an authenticator has a value in it."""
    auth, _ = client(lambda _: token_answer(refresh_token="canary-refresh"), oauth2(credentials()))
    auth.apply(API)
    made = OAuth2("client_credentials", "u", ClientAuthentication("app", "post", Secret("canary-secret"), key=RSA))
    shown = repr((auth._granted, made, replace(Token(Secret("canary-t")), refresh=Secret("canary-r"))))
    assert "canary" not in shown
    assert Time(lambda: 0.0)() == 0.0
