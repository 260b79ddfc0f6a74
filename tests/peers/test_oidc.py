"""oidc-provider: tokens from a certified authorization server, by every grant."""

from __future__ import annotations

from tests.peers.person import approve
from tests.peers.web import ask


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
