"""Getting tokens, with a function as the server: what is sent, what is believed, clocks that differ, hostile answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from email.utils import formatdate
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from syncline.connectors.rest.login import Login
from syncline.executor.instance import SecretUses, credentials_of
from syncline.kinds.auth import OAuth2Auth
from syncline.model.errors import Again, Invalid, Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth import dpop
from syncline.sdk.auth.authenticator import Authenticator
from syncline.sdk.auth.authorization_code import begin
from syncline.sdk.auth.client_authentication import ClientAuthentication
from syncline.sdk.auth.clock import Time
from syncline.sdk.auth.hmac_signature import hmac_signature
from syncline.sdk.auth.jwt import self_signed
from syncline.sdk.auth.oauth2 import OAuth2, oauth2
from syncline.sdk.auth.schemes import SCHEMES, scheme
from syncline.sdk.auth.session import Session, session
from syncline.sdk.auth.tokens import MemoryTokens, Token
from syncline.sdk.http import Request, Response
from syncline.sdk.source import Credentials
from tests.rest_streams import FakeClock, FunctionTransport

NOW = 1_700_000_000.0
API = Request("GET", "https://api.example.com/items")
REFUSED = Response(401, {}, b"")


def token_answer(number=1, **more):
    body = {"access_token": f"canary-access-{number}", "token_type": "Bearer", "expires_in": 3600}
    return Response(200, {}, json.dumps(body | more).encode())


def client(answer, made, store=None, clock=None):
    transport = FunctionTransport(answer)
    return Authenticator(made, clock or FakeClock(NOW), transport, store), transport


def credentials(**more):
    settings = {"grant": "client_credentials", "token_url": "https://id.example.com/token", "client_id": "app"}
    secrets = {"client_secret": Secret("canary-client-secret")}
    secrets |= {name: value for name, value in more.items() if isinstance(value, Secret)}
    return Credentials("oauth2", settings | {n: v for n, v in more.items() if not isinstance(v, Secret)}, secrets)


def form(request):
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def test_every_type_of_auth_config_has_a_scheme():
    """Each type has a scheme of HTTP requests, but for SSH's, which sends none."""
    from typing import get_args

    from syncline.kinds.auth_details import AuthType

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


# --- Authorization code


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


# --- Sessions and HMAC


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


def test_what_is_signed_is_what_is_sent_where_the_signature_is_in_the_query():
    """A signature that goes into the URL changes nothing of the parameters that it is of, names that repeat among them."""
    settings = {"canonical": "{{ query }}", "send": {"query.sig": "{{ signature }}"}}
    scheme = hmac_signature(Credentials("hmac", settings, {"key": Secret("k")}))
    query = "id=2&id=1&of=a+b%2Fc&flag"

    sent = scheme.sign(Request("GET", f"https://api.example.com/t?{query}"), 0.0)

    text, _, signature = sent.url.partition("?")[2].partition("&sig=")
    assert text == query
    assert signature == hmac.digest(b"k", query.encode(), "sha256").hex()


@pytest.mark.parametrize(
    ("query", "signed"),
    [
        ("b=2&a=2&a=10&a=1", "a=1&a=10&a=2&b=2"),
        ("a+b=c+d&f[]=1&%C3%A4=%7e&x", "%C3%A4=~&a%20b=c%20d&f%5B%5D=1&x="),
        ("", ""),
    ],
)
def test_a_sorted_query_is_signed(query, signed):
    """Parameters in the order and encoding that don't depend on how they are sent: names that repeat by their values."""
    settings = {"canonical": "{{ sorted_query }}", "send": {"headers.X-Sign": "{{ signature }}"}}
    scheme = hmac_signature(Credentials("hmac", settings, {"key": Secret("k")}))

    sent = scheme.sign(Request("GET", f"https://api.example.com/t?{query}"), 0.0)

    assert sent.headers["X-Sign"] == hmac.digest(b"k", signed.encode(), "sha256").hex()


def test_a_declared_canonical_string():
    """The declared text is hashed with the key, and what is declared is sent."""
    settings = {
        "canonical": "{{ timestamp }}\n{{ method }}\n{{ path }}?{{ query }}\n{{ body_sha256 }}",
        "send": {"headers.X-Sign": "{{ key_id }}:{{ signature }}", "headers.X-Time": "{{ timestamp }}"},
        "encoding": "base64",
        "timestamp": "unix_ms",
        "key_id": "k1",
    }
    made = hmac_signature(Credentials("hmac", settings, {"key": Secret("s3cret")}))
    request = Request("POST", "https://api.example.com/a?b=1", {}, b'{"x":1}')
    sent = made.sign(request, NOW)
    import hmac as stdlib

    text = f"1700000000000\nPOST\n/a?b=1\n{hashlib.sha256(request.body).hexdigest()}"
    expected = base64.b64encode(stdlib.digest(b"s3cret", text.encode(), "sha256")).decode()
    assert sent.headers["X-Sign"] == f"k1:{expected}"
    assert sent.headers["X-Time"] == "1700000000000"


def test_tokens_are_shown_nowhere():
    """No representation of a token, a scheme or an authenticator has a value in it."""
    auth, _ = client(lambda _: token_answer(refresh_token="canary-refresh"), oauth2(credentials()))
    auth.apply(API)
    made = OAuth2("client_credentials", "u", ClientAuthentication("app", "post", Secret("canary-secret"), key=RSA))
    shown = repr((auth._granted, made, replace(Token(Secret("canary-t")), refresh=Secret("canary-r"))))
    assert "canary" not in shown
    assert Time(lambda: 0.0)() == 0.0
