"""AuthConfig: how to authenticate, by secret references only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, RootModel

from syncline.kinds.base import Duration, SecretRef, Spec
from syncline.model.kind import Kind

#: A value that isn't secret (a user name, a client id), or a reference.
Reference = str | SecretRef


_TYPE = "Way of authenticating; it decides which other fields there are."


class _Auth(Spec):
    rotation: Annotated[
        Duration | None,
        Field(description="Age at which the credential should be replaced. This version doesn't remind of it."),
    ] = None


class ApiKeyAuth(_Auth):
    """An API key in a header, a query parameter or a cookie."""

    type: Annotated[Literal["api_key"], Field(description=_TYPE)]
    location: Annotated[
        Literal["header", "query", "cookie"],
        Field(alias="in", description="Part of the request that carries the key."),
    ] = "header"
    name: Annotated[str, Field(min_length=1, description="Name of the header, parameter or cookie.")] = "X-API-Key"
    prefix: Annotated[str, Field(description="Text put before the key, with its space: 'Token '.")] = ""
    value: Annotated[SecretRef, Field(description="The key itself, as a reference.")]


class BasicAuth(_Auth):
    """User name and password (RFC 7617); also for databases."""

    type: Annotated[Literal["basic"], Field(description=_TYPE)]
    username: Annotated[Reference, Field(description="User name: text, or a reference where it is secret too.")]
    password: Annotated[SecretRef, Field(description="The password, as a reference.")]


class BearerAuth(_Auth):
    """A bearer token (RFC 6750)."""

    type: Annotated[Literal["bearer"], Field(description=_TYPE)]
    token: Annotated[SecretRef, Field(description="The token, as a reference; sent as `Authorization: Bearer …`.")]


class OAuth2Auth(_Auth):
    """OAuth 2.0 (RFC 6749). This version doesn't execute it, so a flow that needs it can't run: use bearer."""

    type: Annotated[Literal["oauth2"], Field(description=_TYPE)]
    grant: Annotated[
        Literal["client_credentials", "authorization_code", "refresh_token", "device_code", "jwt_bearer"],
        Field(description="Grant by which an access token is got. This version doesn't execute OAuth 2.0."),
    ]
    token_url: Annotated[str, Field(pattern=r"^https?://", description="URL that gives access tokens.")]
    authorization_url: Annotated[
        str | None,
        Field(pattern=r"^https?://", description="URL at which a person consents; for authorization_code."),
    ] = None
    client_id: Annotated[Reference, Field(description="Client identifier, as text or a reference.")]
    client_secret: Annotated[
        SecretRef | None, Field(description="Client secret, as a reference; public clients have none.")
    ] = None
    refresh_token: Annotated[
        SecretRef | None, Field(description="Token that new access tokens are asked with, as a reference.")
    ] = None
    private_key: Annotated[
        SecretRef | None, Field(description="Key that signs the assertion of jwt_bearer, as a reference.")
    ] = None
    scopes: Annotated[tuple[str, ...], Field(description="Scopes asked for; empty: the server's default.")] = ()
    audience: Annotated[str, Field(description="API that the token is for, where the server wants its name.")] = ""


Auth = Annotated[ApiKeyAuth | BasicAuth | BearerAuth | OAuth2Auth, Field(discriminator="type")]


class AuthConfigSpec(RootModel[Auth]):
    """Credentials of one account, by reference; `type` says which."""

    model_config = ConfigDict(frozen=True, defer_build=True, hide_input_in_errors=True)


KIND = Kind(
    name="AuthConfig",
    plural="authconfigs",
    spec=AuthConfigSpec,
    scope="either",
    order=2,
    summary="How to authenticate, by secret references only.",
    example="""\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: helpdesk-token, tenant: acme}
spec:
  type: bearer
  token: {secretRef: {provider: env, key: HELPDESK_TOKEN}}
""",
)
