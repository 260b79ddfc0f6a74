"""oidc-provider: tokens from a certified authorization server, by every grant."""

from __future__ import annotations

from tests.peers.house import Flow, house
from tests.peers.person import approve
from tests.peers.web import ask

FIELDS = ("to: id, from: id, type: integer, required: true", "to: name, from: name")
AUTH = "{type: oauth2, grant: client_credentials, clientId: basic, clientSecret: {secretRef: {provider: env, key: SECRET}}}"


def test_oidc_gives_tokens_and_takes_them(oidc):
    """Client credentials give a token that the API takes; without one it answers 401."""
    form = b"grant_type=client_credentials&scope=api:read"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    token = ask("POST", oidc.token_url, form, headers=kind, basic=("basic", oidc.secrets["basic"])).ok()

    items = ask("GET", f"{oidc.url}/api/items", headers={"Authorization": f"Bearer {token['access_token']}"})

    assert len(items.ok()["data"]) == 5
    assert ask("GET", f"{oidc.url}/api/items").status == 401


def test_a_person_approves_at_oidc(oidc):
    """A login and a consent end at the redirect address, at any port, with a code."""
    asked = "response_type=code&client_id=native&scope=api:read&code_challenge_method=S256&state=x"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    redirect = "http://127.0.0.1:9/callback"

    landed = approve(f"{oidc.url}/auth?{asked}&code_challenge={challenge}&redirect_uri={redirect}")

    assert landed.startswith(f"{redirect}?code=")


def test_oidc_mtls_knows_its_client_by_certificate(oidc_mtls):
    """The right certificate gets a token; without one the client is refused."""
    form = b"grant_type=client_credentials&scope=api:read&client_id=mtls"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    def token(client):
        return ask("POST", oidc_mtls.token_url, form, headers=kind, tls=oidc_mtls.authority.context(client))

    assert token(oidc_mtls.client).status == 200
    assert token(oidc_mtls.stranger).status == 401
    assert token(None).status == 401


def test_a_flow_gets_a_token_and_keeps_it(tmp_path, oidc):
    """Pages are read with a token of client credentials, which a second run finds in the state, sealed."""
    flow, secrets = Flow("items", FIELDS), {"SECRET": oidc.secrets["basic"]}
    made = house(tmp_path, "oidc-items", {"url": oidc.url}, flow, auth=AUTH, secrets=secrets, quick=True)
    before = oidc.counted("/token")

    counts = made.run("items")
    made.run("items")

    assert (counts["read"], counts["inserted"]) == (12, 12)
    assert 1 <= oidc.counted("/token") - before <= 2
    made.proved()


def test_a_wrong_client_secret_is_refused_credentials(tmp_path, oidc):
    """An authorization server that refuses the client ends the run with the code of credentials."""
    flow, secrets = Flow("items", FIELDS), {"SECRET": "another-canary-than-its-own"}
    made = house(tmp_path, "oidc-items", {"url": oidc.url}, flow, auth=AUTH, secrets=secrets)

    assert "SYN401" in made.fails("items")
    made.proved()
