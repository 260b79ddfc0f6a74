"""What a connector declares about a way of authenticating, so that its users give secrets only.

The same fields stand in an AuthConfig, which has the last word: what it sets itself is used, else what the connector
declares, else the default. Texts with `{{ config.NAME }}` are filled from the integration's settings.
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from syncline.kinds.base import Duration, Identifier, Jmespath, Spec, Template

#: Algorithms of JSON Web Signatures that are emitted (RFC 7518, RFC 8037; Ed25519 is EdDSA's name of RFC 9864).
JwsAlgorithm = Literal["EdDSA", "Ed25519", "ES256", "RS256", "PS256", "HS256"]

#: An absolute URL, or a template that becomes one.
Url = Annotated[str, Field(pattern=r"^(https?://|\{\{)")]

#: Fields that are templates over config alone; those that know more are filled where they are used.
TEMPLATES = frozenset({
    "token_url", "authorization_url", "device_authorization_url", "revocation_url", "audience", "resource",
    "parameters", "authorization_parameters", "authorization_issuer", "assertion_audience", "assertion_claims",
    "service", "region",
})  # fmt: skip

_TYPE = "Way of authenticating; it decides which other fields there are."
_SEND = "What is sent, by its place (headers.NAME, query.NAME, cookies.NAME), as templates"


class ApiKeyDetails(Spec):
    """Where an API key is sent."""

    location: Annotated[
        Literal["header", "query", "cookie", "body"],
        Field(alias="in", description="Part of the request that carries the key; body: a member of its JSON object."),
    ] = "header"
    name: Annotated[str, Field(min_length=1, description="Name of the header, parameter, cookie or member.")] = (
        "X-API-Key"
    )
    prefix: Annotated[str, Field(description="Text put before the key, with its space: 'Token '.")] = ""


class OAuth2Details(Spec):
    """Endpoints and customs of an authorization server (RFC 6749)."""

    token_url: Annotated[Url | None, Field(description="URL that gives access tokens; credentials are sent there.")] = (
        None
    )
    authorization_url: Annotated[
        Url | None, Field(description="URL at which a person consents; for authorization_code.")
    ] = None
    device_authorization_url: Annotated[
        Url | None, Field(description="URL that gives the code which a person types elsewhere (RFC 8628).")
    ] = None
    revocation_url: Annotated[
        Url | None, Field(description="URL that ends a token (RFC 7009), which `syncline auth logout` asks.")
    ] = None
    client_auth: Annotated[
        Literal["basic", "post", "client_secret_jwt", "private_key_jwt", "tls", "none"] | None,
        Field(description="How the client proves who it is; absent: basic where it has a secret, else none."),
    ] = None
    scopes: Annotated[tuple[str, ...], Field(description="Scopes asked for; empty: the server's default.")] = ()
    audience: Annotated[Template, Field(description="API that the token is for, where the server wants its name.")] = ""
    resource: Annotated[Template, Field(description="URI of the API that the token is for (RFC 8707).")] = ""
    dpop: Annotated[
        bool, Field(description="Whether tokens are bound to a key of this client, proven in each request (RFC 9449).")
    ] = False
    parameters: Annotated[
        dict[str, Template], Field(description="Further parameters of the requests for tokens, as templates.")
    ] = {}
    assertion_audience: Annotated[
        Template, Field(description="Claim aud of assertions, for servers that want another than the token URL.")
    ] = ""
    assertion_claims: Annotated[
        dict[str, JsonValue],
        Field(description="Further claims of the assertion of jwt_bearer, such as scope; texts are templates."),
    ] = {}
    authorization_parameters: Annotated[
        dict[str, Template], Field(description="Further parameters of the page at which a person consents.")
    ] = {}
    authorization_issuer: Annotated[
        Url | None,
        Field(
            description="Issuer identifier of the server: the answer to a login must carry it as iss (RFC 9207). "
            "For servers whose metadata says authorization_response_iss_parameter_supported."
        ),
    ] = None
    redirect_uri: Annotated[
        str,
        Field(
            pattern=r"^http://(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?(/.*)?$",
            description="Loopback address that a login comes back to (RFC 8252); without a port, a free one is taken.",
        ),
    ] = "http://127.0.0.1/callback"
    timeout: Annotated[Duration, Field(description="Longest time in all to get or renew a token, at most 2m.")] = "20s"


class OAuth1Details(Spec):
    """How requests are signed by OAuth 1.0 (RFC 5849)."""

    signature_method: Annotated[
        Literal["HMAC-SHA1", "HMAC-SHA256", "RSA-SHA1"],
        Field(description="Method of the signature; PLAINTEXT isn't offered: it sends the secrets."),
    ] = "HMAC-SHA1"
    realm: Annotated[str, Field(description="Realm in the Authorization header, where the API wants one.")] = ""


class LoginStep(Spec):
    """One request of a login: exactly one of get, post, put; values that it takes are there for what comes after."""

    get: Annotated[Template | None, Field(description="Path under the base URL, or a URL, asked with GET.")] = None
    post: Annotated[Template | None, Field(description="Path under the base URL, or a URL, asked with POST.")] = None
    put: Annotated[Template | None, Field(description="Path under the base URL, or a URL, asked with PUT.")] = None
    query: Annotated[
        dict[str, Template], Field(description="Parameters of the URL; secrets don't belong here: URLs are logged.")
    ] = {}
    headers: Annotated[
        dict[str, Template], Field(description="Headers of the request; those of http aren't sent.")
    ] = {}
    body: Annotated[JsonValue, Field(description="JSON to send; its texts are templates over auth and config.")] = None
    form: Annotated[
        dict[str, Template], Field(description="Fields to send as a form (application/x-www-form-urlencoded).")
    ] = {}
    take: Annotated[
        dict[Identifier, Jmespath],
        Field(description="Values to keep by name: JMESPath over {status, headers, cookies, body}; a null is refused."),
    ] = {}


class SessionDetails(Spec):
    """A login by requests, and what of it later requests carry."""

    steps: Annotated[
        tuple[LoginStep, ...], Field(description="Requests of the login, in order; usually one that gives a token.")
    ] = ()
    send: Annotated[
        dict[str, Template],
        Field(description=f"{_SEND} over what the steps took; body.NAME is a member of a JSON body."),
    ] = {}
    lifetime: Annotated[
        Duration | None, Field(description="How long a login holds; absent: until the API refuses it.")
    ] = None
    timeout: Annotated[Duration, Field(description="Longest time that all steps of a login may take, at most 2m.")] = (
        "20s"
    )


class SigV4Details(Spec):
    """What a signature of AWS (Signature Version 4) is for."""

    service: Annotated[Template, Field(description="Name of the service in the signature, such as s3.")] = ""
    region: Annotated[Template, Field(description="Region in the signature, such as eu-west-1.")] = ""


class HmacDetails(Spec):
    """A keyed hash of the request, in a form that the API chose."""

    canonical: Annotated[
        Template,
        Field(description="Text that is signed, a template over method, path, query, body, timestamp, key_id, …."),
    ] = ""
    algorithm: Annotated[Literal["sha1", "sha256", "sha512"], Field(description="Hash function of the HMAC.")] = (
        "sha256"
    )
    encoding: Annotated[
        Literal["hex", "base64", "base64url"], Field(description="How the signature is written as text.")
    ] = "hex"
    key_encoding: Annotated[
        Literal["text", "hex", "base64"], Field(description="How the key is written in its secret.")
    ] = "text"
    timestamp: Annotated[
        Literal["unix", "unix_ms", "iso8601", "http"], Field(description="How the time of signing is written.")
    ] = "unix"
    send: Annotated[dict[str, Template], Field(description=f"{_SEND} over signature, timestamp, nonce, key_id.")] = {}


class HttpSignatureDetails(Spec):
    """What an HTTP message signature covers (RFC 9421)."""

    algorithm: Annotated[
        Literal[
            "ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha512", "rsa-v1_5-sha256", "hmac-sha256"
        ],
        Field(description="Algorithm of the signature, as RFC 9421 names it; the key must be of its kind."),
    ] = "ed25519"
    components: Annotated[
        tuple[str, ...],
        Field(
            description="What is signed, in order: @method, @target-uri, …, or names of headers; with `;sf` a header "
            "in its strict form, with `;key=NAME` one member of a dictionary, with `;bs` its bytes."
        ),
    ] = ("@method", "@target-uri", "content-digest")
    structures: Annotated[
        dict[str, Literal["item", "list", "dictionary"]],
        Field(description="What headers are as structured fields (RFC 9651), for `;sf`; registered ones are known."),
    ] = {}
    label: Annotated[str, Field(pattern=r"^[a-z*][a-z0-9_.*-]*$", description="Name of the signature.")] = "sig1"
    tag: Annotated[str, Field(description="Tag of the application that it is for, where the API wants one.")] = ""
    digest: Annotated[
        Literal["sha-256", "sha-512"], Field(description="Hash function of Content-Digest (RFC 9530).")
    ] = "sha-256"
    expires: Annotated[
        Duration | None, Field(description="How long the signature holds after it is made; absent: it doesn't say.")
    ] = None
    nonce: Annotated[bool, Field(description="Whether each signature carries a random value of its own.")] = False


class JwtDetails(Spec):
    """A JSON Web Token (RFC 7519) that the client signs itself, and sends as a bearer token."""

    algorithm: Annotated[
        JwsAlgorithm, Field(description="Algorithm of the signature; the key must be of its kind.")
    ] = "RS256"
    audience: Annotated[Template, Field(description="Claim aud: who the token is for.")] = ""
    lifetime: Annotated[
        Duration, Field(description="Time from iat to exp, such as 10m; a token is made anew in time.")
    ] = "5m"
    claims: Annotated[dict[str, JsonValue], Field(description="Further claims, as they are; texts are templates.")] = {}
    header: Annotated[str, Field(min_length=1, description="Header that carries the token.")] = "Authorization"
    prefix: Annotated[str, Field(description="Text in front of the token, with its space.")] = "Bearer "


class ApiKeyOffer(ApiKeyDetails):
    """An API key, and where it goes."""

    type: Annotated[Literal["api_key"], Field(description=_TYPE)]


class OAuth2Offer(OAuth2Details):
    """OAuth 2.0, and where its tokens are got."""

    type: Annotated[Literal["oauth2"], Field(description=_TYPE)]


class OAuth1Offer(OAuth1Details):
    """OAuth 1.0, and how it signs."""

    type: Annotated[Literal["oauth1"], Field(description=_TYPE)]


class SessionOffer(SessionDetails):
    """A login, and what it gives."""

    type: Annotated[Literal["session"], Field(description=_TYPE)]


class SigV4Offer(SigV4Details):
    """AWS signatures, and what for."""

    type: Annotated[Literal["aws_sigv4"], Field(description=_TYPE)]


class HmacOffer(HmacDetails):
    """A keyed hash, and of what."""

    type: Annotated[Literal["hmac"], Field(description=_TYPE)]


class HttpSignatureOffer(HttpSignatureDetails):
    """HTTP message signatures, and of what."""

    type: Annotated[Literal["http_signature"], Field(description=_TYPE)]


class JwtOffer(JwtDetails):
    """A self-signed token, and what it says."""

    type: Annotated[Literal["jwt"], Field(description=_TYPE)]


AuthOffer = Annotated[
    ApiKeyOffer | OAuth2Offer | OAuth1Offer | SessionOffer | SigV4Offer | HmacOffer | HttpSignatureOffer | JwtOffer,
    Field(discriminator="type"),
]
