"""AuthConfig: how to authenticate, by secret references only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, RootModel

from syncline.kinds.base import Duration, SecretRef, Spec
from syncline.model.kind import Kind

#: A value that isn't secret (a user name, a client id), or a reference.
Reference = str | SecretRef


class _Auth(Spec):
    rotation: Annotated[Duration | None, Field(description="Age at which the credential should be replaced.")] = None


class ApiKeyAuth(_Auth):
    """An API key in a header, a query parameter or a cookie."""

    type: Literal["api_key"]
    location: Annotated[Literal["header", "query", "cookie"], Field(alias="in", description="Where it is sent.")] = (
        "header"
    )
    name: Annotated[str, Field(min_length=1, description="Name of the header, parameter or cookie.")] = "X-API-Key"
    prefix: Annotated[str, Field(description="Text before the key, such as 'Token '.")] = ""
    value: SecretRef


class BasicAuth(_Auth):
    """User name and password (RFC 7617); also for databases."""

    type: Literal["basic"]
    username: Reference
    password: SecretRef


class BearerAuth(_Auth):
    """A bearer token (RFC 6750)."""

    type: Literal["bearer"]
    token: SecretRef


class OAuth2Auth(_Auth):
    """OAuth 2.0 (RFC 6749)."""

    type: Literal["oauth2"]
    grant: Literal["client_credentials", "authorization_code", "refresh_token", "device_code", "jwt_bearer"]
    token_url: Annotated[str, Field(pattern=r"^https?://")]
    authorization_url: Annotated[str | None, Field(pattern=r"^https?://")] = None
    client_id: Reference
    client_secret: SecretRef | None = None
    refresh_token: SecretRef | None = None
    private_key: SecretRef | None = None
    scopes: tuple[str, ...] = ()
    audience: str = ""


Auth = Annotated[ApiKeyAuth | BasicAuth | BearerAuth | OAuth2Auth, Field(discriminator="type")]


class AuthConfigSpec(RootModel[Auth]):
    """Credentials of one account, by reference. `root` is the variant that `type` names."""

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
