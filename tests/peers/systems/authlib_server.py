# mypy: ignore-errors
"""An authorization server and an API made of Authlib's parts, which do the checking. Started by authlib.py.

Run by the Python of its own environment; `argv[1]` is a JSON file with `port`, `ttl`, `clients` and `users`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749 import ClientMixin, InvalidGrantError, TokenMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion, JWTBearerGrant
from flask import Flask, jsonify
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

SETTINGS = json.loads(Path(sys.argv[1]).read_text())
ISSUER = f"http://127.0.0.1:{SETTINGS['port']}"
AUDIENCES = [f"{ISSUER}/token", ISSUER]


class Client(ClientMixin):
    """A client by its declaration: id, keys, grants, how it authenticates."""

    def __init__(self, found):
        self.found = found

    def get_client_id(self):
        return self.found["id"]

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return scope or ""

    def check_redirect_uri(self, redirect_uri):
        return False

    def check_client_secret(self, client_secret):
        return False

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.found["auth"]

    def check_response_type(self, response_type):
        return False

    def check_grant_type(self, grant_type):
        return grant_type in self.found["grants"]


class Token(TokenMixin):
    """A token that was given."""

    def __init__(self, found, client, user):
        self.scope, self.client, self.user = found.get("scope", ""), client, user
        self.end = time.time() + found["expires_in"]

    def check_client(self, client):
        return self.client == client.get_client_id()

    def get_scope(self):
        return self.scope

    def get_expires_in(self):
        return SETTINGS["ttl"]

    def is_expired(self):
        return time.time() > self.end

    def is_revoked(self):
        return False


# By default the library takes no signatures of Edwards curves, by either of their names.
JWSRegistry.recommended = [*JWSRegistry.recommended, "EdDSA", "Ed25519"]
CLIENTS = {found["id"]: Client(found) for found in SETTINGS["clients"]}
TOKENS: dict[str, Token] = {}
SEEN: set[tuple[str, str]] = set()


def unseen(claims):
    """Whether an assertion of this jti is the first."""
    mark = (claims["iss"], claims["jti"])
    fresh = mark not in SEEN
    SEEN.add(mark)
    return fresh


def save(token, request):
    TOKENS[token["access_token"]] = Token(token, request.client.get_client_id(), request.user)


app = Flask(__name__)
app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {
    "client_credentials": SETTINGS["ttl"],
    JWTBearerGrant.GRANT_TYPE: SETTINGS["ttl"],
}
server = AuthorizationServer(app, query_client=CLIENTS.get, save_token=save)


class Assertion(JWTBearerClientAssertion):
    """Client authentication (RFC 7523, section 2.2)."""

    def get_audiences(self):
        return AUDIENCES

    def validate_jti(self, claims, jti):
        return unseen(claims)

    def resolve_client_public_key(self, client):
        return KeySet.import_key_set(client.found["jwks"])


class Machine(ClientCredentialsGrant):
    """Client credentials, for clients that sign."""

    TOKEN_ENDPOINT_AUTH_METHODS = (JWTBearerClientAssertion.CLIENT_AUTH_METHOD,)


class Bearer(JWTBearerGrant):
    """The authorization grant (RFC 7523, section 2.1)."""

    def get_audiences(self):
        return AUDIENCES

    def resolve_issuer_client(self, issuer):
        return CLIENTS.get(issuer)

    def resolve_client_public_key(self, client):
        return KeySet.import_key_set(client.found["jwks"])

    def authenticate_user(self, subject):
        return subject if subject in SETTINGS["users"] else None

    def has_granted_permission(self, client, user):
        return user in client.found["acts_for"]

    def verify_claims(self, claims):
        super().verify_claims(claims)
        if not unseen(claims):
            raise InvalidGrantError(description="JWT ID is used before.")


server.register_client_auth_method(JWTBearerClientAssertion.CLIENT_AUTH_METHOD, Assertion())
server.register_grant(Machine)
server.register_grant(Bearer)


class Validator(BearerTokenValidator):
    """Tokens that the API takes."""

    def authenticate_token(self, token_string):
        return TOKENS.get(token_string)


protect = ResourceProtector()
protect.register_token_validator(Validator())


@app.post("/token")
def token():
    return server.create_token_response()


@app.get("/ready")
def ready():
    return jsonify({})


@app.get("/items")
@protect("read")
def items():
    from authlib.integrations.flask_oauth2 import current_token

    return jsonify({"data": [{"id": n} for n in range(1, 4)], "as": current_token.user, "by": current_token.client})


if __name__ == "__main__":
    app.run("127.0.0.1", SETTINGS["port"], threaded=True)
