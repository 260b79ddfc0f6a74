"""AuthConfig: how to authenticate, by secret references only."""

import datetime as dt
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import ConfigDict, Field, RootModel

from syncline.kinds.auth_details import (
    ApiKeyDetails,
    AuthOffer,
    HmacDetails,
    HttpSignatureDetails,
    JwsAlgorithm,
    JwtDetails,
    OAuth1Details,
    OAuth2Details,
    SessionDetails,
    SigV4Details,
)
from syncline.kinds.base import Duration, Identifier, SecretRef, Spec, Value
from syncline.model.kind import Kind

_TYPE = "Way of authenticating; it decides which other fields there are."


class Rotation(Spec):
    """When a credential is to be replaced: at an age, which counts from when it was first seen unless a date is given,
    or before the day on which it ends.
    """

    every: Annotated[Duration | None, Field(description="Age at which it is to be replaced, such as 90d.")] = None
    expires: Annotated[
        dt.date | None,
        Field(description="Day on which it ends, as its issuer says; validate warns of it without any state."),
    ] = None
    warn: Annotated[Duration, Field(description="How long before that age or day it is reminded of.")] = "14d"
    fallback: Annotated[
        bool,
        Field(
            description="Whether the former value, which `syncline secrets rotate` keeps for a while, is tried where "
            "the new one is refused: of api_key, basic and bearer."
        ),
    ] = False
    since: Annotated[
        dt.date | None,
        Field(
            description="Day on which it was issued; it counts until another value is seen. Absent: when it was first "
            "seen."
        ),
    ] = None


class _Auth(Spec):
    rotation: Annotated[
        Rotation | None, Field(description="When the credential is to be replaced: conditions and events remind of it.")
    ] = None
    certificate: Annotated[
        SecretRef | None,
        Field(description="Client certificate (PEM, with its chain) for TLS, besides what the type sends."),
    ] = None
    certificate_key: Annotated[
        SecretRef | None, Field(description="Private key of the client certificate (PEM, without a passphrase).")
    ] = None


class ApiKeyAuth(ApiKeyDetails, _Auth):
    """An API key in a header, a query parameter or a cookie."""

    type: Annotated[Literal["api_key"], Field(description=_TYPE)]
    value: Annotated[SecretRef, Field(description="The key itself, as a reference.")]


class BasicAuth(_Auth):
    """User name and password (RFC 7617); also for databases."""

    type: Annotated[Literal["basic"], Field(description=_TYPE)]
    username: Annotated[Value, Field(description="User name: text, or a reference where it is secret too.")]
    password: Annotated[SecretRef, Field(description="The password, as a reference.")]


class BearerAuth(_Auth):
    """A bearer token (RFC 6750)."""

    type: Annotated[Literal["bearer"], Field(description=_TYPE)]
    token: Annotated[SecretRef, Field(description="The token, as a reference; sent as `Authorization: Bearer …`.")]


class OAuth2Auth(OAuth2Details, _Auth):
    """OAuth 2.0 (RFC 6749): tokens are got, kept sealed in the state, and renewed before they end."""

    type: Annotated[Literal["oauth2"], Field(description=_TYPE)]
    grant: Annotated[
        Literal["client_credentials", "authorization_code", "refresh_token", "device_code", "jwt_bearer"],
        Field(
            description="Grant by which access tokens are got; authorization_code and device_code need "
            "`syncline auth login` once."
        ),
    ]
    client_id: Annotated[Value, Field(description="Client identifier, as text or a reference.")]
    client_secret: Annotated[
        SecretRef | None, Field(description="Client secret, as a reference; public clients have none.")
    ] = None
    refresh_token: Annotated[
        SecretRef | None,
        Field(description="First refresh token, as a reference; those that replace it are kept sealed in the state."),
    ] = None
    private_key: Annotated[
        SecretRef | None,
        Field(description="Key (PEM or JWK) that signs assertions, of jwt_bearer and of private_key_jwt."),
    ] = None
    key_id: Annotated[str, Field(description="Header kid of assertions, where the server knows several keys.")] = ""
    algorithm: Annotated[JwsAlgorithm, Field(description="Algorithm that assertions are signed with.")] = "RS256"
    issuer: Annotated[str, Field(description="Claim iss of the assertion of jwt_bearer; absent: the client id.")] = ""
    subject: Annotated[str, Field(description="Claim sub of the assertion of jwt_bearer: whom it acts for.")] = ""


class OAuth1Auth(OAuth1Details, _Auth):
    """OAuth 1.0 (RFC 5849): each request is signed."""

    type: Annotated[Literal["oauth1"], Field(description=_TYPE)]
    consumer_key: Annotated[Value, Field(description="Client identifier: text, or a reference.")]
    consumer_secret: Annotated[
        SecretRef | None, Field(description="Client secret, as a reference; for the HMAC methods.")
    ] = None
    token: Annotated[Value | None, Field(description="Token of the account; absent: none is sent.")] = None
    token_secret: Annotated[SecretRef | None, Field(description="Secret of the token, as a reference.")] = None
    private_key: Annotated[SecretRef | None, Field(description="RSA key (PEM) that signs with RSA-SHA1.")] = None


class SessionAuth(SessionDetails, _Auth):
    """A login by one or several requests, whose result later requests carry."""

    type: Annotated[Literal["session"], Field(description=_TYPE)]
    values: Annotated[
        dict[Identifier, Value],
        Field(description="What the steps' templates know as auth.NAME: user names as text, secrets as references."),
    ] = {}


class SigV4Auth(SigV4Details, _Auth):
    """AWS Signature Version 4: each request is signed."""

    type: Annotated[Literal["aws_sigv4"], Field(description=_TYPE)]
    access_key_id: Annotated[Value, Field(description="Access key: text, or a reference.")]
    secret_access_key: Annotated[SecretRef, Field(description="Its secret, as a reference; it is never sent.")]
    session_token: Annotated[SecretRef | None, Field(description="Token of temporary credentials, as a reference.")] = (
        None
    )


class HmacAuth(HmacDetails, _Auth):
    """A keyed hash (RFC 2104) of each request, in the form that the connector declares."""

    type: Annotated[Literal["hmac"], Field(description=_TYPE)]
    key: Annotated[SecretRef, Field(description="Key of the hash, as a reference; it is never sent.")]
    key_id: Annotated[str, Field(description="Name of the key, for templates as key_id.")] = ""


class HttpSignatureAuth(HttpSignatureDetails, _Auth):
    """HTTP message signatures (RFC 9421) with a digest of the content (RFC 9530)."""

    type: Annotated[Literal["http_signature"], Field(description=_TYPE)]
    key: Annotated[SecretRef, Field(description="Private key (PEM or JWK), or the base64 of a shared one for HMAC.")]
    key_id: Annotated[str, Field(min_length=1, description="Parameter keyid: the name that the API knows the key by.")]


class JwtAuth(JwtDetails, _Auth):
    """A self-signed JSON Web Token, sent as a bearer token."""

    type: Annotated[Literal["jwt"], Field(description=_TYPE)]
    key: Annotated[SecretRef, Field(description="Private key (PEM or JWK), or the text of a shared one for HS256.")]
    key_id: Annotated[str, Field(description="Header kid, where the API knows several keys.")] = ""
    issuer: Annotated[str, Field(description="Claim iss: who made the token.")] = ""
    subject: Annotated[str, Field(description="Claim sub: whom it is about.")] = ""


class MtlsAuth(_Auth):
    """A client certificate (TLS with mutual authentication), and nothing else."""

    type: Annotated[Literal["mtls"], Field(description=_TYPE)]
    username: Annotated[
        Value | None,
        Field(description="User name, for databases: the user that has to show the certificate, without a password."),
    ] = None


class SshAuth(_Auth):
    """A key pair for SSH (RFC 4252), as for SFTP; with a password alone, `basic` is used."""

    type: Annotated[Literal["ssh"], Field(description=_TYPE)]
    username: Annotated[Value, Field(description="User name: text, or a reference where it is secret too.")]
    private_key: Annotated[
        SecretRef, Field(description="The private key, as a reference: the text of the file that ssh-keygen writes.")
    ]
    passphrase: Annotated[SecretRef | None, Field(description="What the private key is sealed with, if it is.")] = None


Auth = Annotated[
    ApiKeyAuth
    | BasicAuth
    | BearerAuth
    | OAuth2Auth
    | OAuth1Auth
    | SessionAuth
    | SigV4Auth
    | HmacAuth
    | HttpSignatureAuth
    | JwtAuth
    | MtlsAuth
    | SshAuth,
    Field(discriminator="type"),
]


_T = TypeVar("_T")


class _Deferred(RootModel[_T], Generic[_T]):
    """A model that is built when first used, also where it is given its type."""

    model_config = ConfigDict(frozen=True, defer_build=True, hide_input_in_errors=True)


class AuthConfigSpec(_Deferred[Auth]):
    """Credentials of one account, by reference; `type` says which."""


def merged(auth: Auth, offer: AuthOffer | None) -> dict[str, Any]:
    """Every field by its name: what the AuthConfig sets, else what the connector declares, else the default."""
    found = {name: getattr(auth, name) for name in type(auth).model_fields}
    if offer is not None and offer.type == auth.type:
        declared = offer.model_fields_set - auth.model_fields_set
        found |= {name: getattr(offer, name) for name in declared}
    return found


def urls_of(auth: Auth, offer: AuthOffer | None) -> dict[str, str]:
    """Where credentials are sent and tokens are got, by the name of the field; templates aren't filled."""
    names = ("token_url", "authorization_url", "device_authorization_url", "revocation_url")
    values = merged(auth, offer)
    return {name: values[name] for name in names if values.get(name)}


def missing(values: dict[str, Any]) -> tuple[str, ...]:
    """Fields that merged values need and don't have, by their names in YAML."""
    needed: tuple[str, ...]
    match values["type"]:
        case "oauth2":
            needed = ("token_url", *_GRANTS[values["grant"]], *_CLIENTS.get(values["client_auth"], ()))
        case "oauth1":
            needed = ("private_key",) if values["signature_method"] == "RSA-SHA1" else ("consumer_secret",)
        case "session":
            needed = ("steps", "send")
        case "aws_sigv4":
            needed = ("service", "region")
        case "hmac":
            needed = ("canonical", "send")
        case "mtls":
            needed = ("certificate", "certificate_key")
        case _:
            needed = ()
    if values["certificate"] or values["certificate_key"]:
        needed = (*needed, "certificate", "certificate_key")
    camel = {name: info.alias or name for name, info in _MODELS[values["type"]].model_fields.items()}
    return tuple(dict.fromkeys(camel[name] for name in needed if not values[name]))


_GRANTS: dict[str, tuple[str, ...]] = {
    "client_credentials": (),
    "authorization_code": ("authorization_url",),
    "refresh_token": ("refresh_token",),
    "device_code": ("device_authorization_url",),
    "jwt_bearer": ("private_key",),
}
_CLIENTS: dict[str | None, tuple[str, ...]] = {
    "basic": ("client_secret",),
    "post": ("client_secret",),
    "client_secret_jwt": ("client_secret",),
    "private_key_jwt": ("private_key",),
    "tls": ("certificate", "certificate_key"),
}
_MODELS: dict[str, type[Spec]] = {
    "api_key": ApiKeyAuth,
    "basic": BasicAuth,
    "bearer": BearerAuth,
    "oauth2": OAuth2Auth,
    "oauth1": OAuth1Auth,
    "session": SessionAuth,
    "aws_sigv4": SigV4Auth,
    "hmac": HmacAuth,
    "http_signature": HttpSignatureAuth,
    "jwt": JwtAuth,
    "mtls": MtlsAuth,
    "ssh": SshAuth,
}


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
