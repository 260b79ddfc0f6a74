"""JSON Web Tokens that a client signs itself (RFC 7519): as bearer tokens, as assertions, as proofs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from syncline.model import units
from syncline.model.errors import Stalled
from syncline.sdk.auth.bearer import forms
from syncline.sdk.auth.scheme import filled, need, with_header

if TYPE_CHECKING:
    from syncline.model.secret import Secret
    from syncline.sdk.http import Request
    from syncline.sdk.source import Credentials

#: What is emitted, and the type of key that each needs.
ALGORITHMS = {"EdDSA": "OKP", "Ed25519": "OKP", "ES256": "EC", "RS256": "RSA", "PS256": "RSA", "HS256": "oct"}


def signing_key(secret: Secret, algorithm: str) -> Any:
    """The key for an algorithm: a shared secret as it is for HS256, a private key for all others. Raises `Stalled`.

    >>> from syncline.model.secret import Secret
    >>> signing_key(Secret("a shared secret of at least 32 bytes"), "HS256").key_type
    'oct'
    """
    from joserfc.jwk import OctKey

    from syncline.sdk.auth.keys import jwk

    kind = ALGORITHMS.get(algorithm)
    if kind is None:
        raise Stalled(f"tokens are not signed with {algorithm}", code="SYN441", help=f"Use {', '.join(ALGORITHMS)}.")
    if kind == "oct" and not secret.reveal().lstrip().startswith("{"):
        return OctKey.import_key(secret.reveal())
    key = jwk(secret)
    if key.key_type != kind or not key.is_private:
        raise Stalled(
            f"the key is of type {key.key_type}, and {algorithm} needs a private one of type {kind}",
            code="SYN401",
            help="Give the key that belongs to the algorithm, or name another algorithm.",
        )
    return key


def signed(claims: Mapping[str, Any], key: Any, algorithm: str, header: Mapping[str, Any] | None = None) -> str:
    """A token in the compact form of RFC 7515.

    >>> from syncline.model.secret import Secret
    >>> key = signing_key(Secret("a shared secret of at least 32 bytes"), "HS256")
    >>> signed({"sub": "ada"}, key, "HS256").count(".")
    2
    """
    import orjson
    from joserfc import jws
    from joserfc.errors import JoseError

    class Registry(jws.JWSRegistry):
        """`ALGORITHMS` decides: RFC 9864 renames EdDSA to Ed25519, and servers know one name or both."""

        def get_alg(self, name: str) -> Any:
            return self.algorithms[name]

    protected = {"typ": "JWT", **(header or {}), "alg": algorithm}
    try:
        return jws.serialize_compact(protected, orjson.dumps(claims), key, registry=Registry(strict_check_header=False))
    except (JoseError, ValueError, TypeError) as error:
        raise Stalled(
            f"a token can't be signed with {algorithm}: {type(error).__name__}",
            code="SYN401",
            help="Look at the key: is it of the declared algorithm, and long enough?",
        ) from None


@dataclass(frozen=True, slots=True)
class SelfSigned:
    """A token made anew for each request: it costs less than to look whether an older one still holds.

    `claims` are templates over config where they are text. Example: `SelfSigned(key, "ES256", {"iss": "app"})`.
    """

    key: Any = field(repr=False)
    algorithm: str
    claims: Mapping[str, Any]
    lifetime: float = 300.0
    key_id: str = ""
    header: str = "Authorization"
    prefix: str = "Bearer "
    hidden: tuple[Secret, ...] = ()
    sensitive: frozenset[str] = frozenset()
    fresh: bool = True

    def sign(self, request: Request, now: float) -> Request:
        claims = {**self.claims, "iat": int(now), "exp": int(now + self.lifetime)}
        token = signed(claims, self.key, self.algorithm, {"kid": self.key_id} if self.key_id else {})
        return with_header(request, self.header, self.prefix + token)


def self_signed(credentials: Credentials) -> SelfSigned:
    """From the settings `algorithm`, `issuer`, `subject`, `audience`, `lifetime`, `claims`, `header`, `prefix`.

    >>> from syncline.model.secret import Secret
    >>> from syncline.sdk.source import Credentials
    >>> secrets = {"key": Secret("a shared secret of at least 32 bytes")}
    >>> self_signed(Credentials("jwt", {"algorithm": "HS256", "issuer": "app"}, secrets)).claims
    {'iss': 'app'}
    """
    found = credentials.settings
    algorithm = str(found.get("algorithm") or "RS256")
    variables = {"config": found.get("config") or {}}
    named = {"iss": found.get("issuer"), "sub": found.get("subject"), "aud": found.get("audience")}
    claims = {name: value for name, value in named.items() if value}
    for name, value in (found.get("claims") or {}).items():
        claims[name] = filled(value, variables) if isinstance(value, str) else value
    return SelfSigned(
        signing_key(need(credentials, "key"), algorithm),
        algorithm,
        claims,
        units.duration(str(found.get("lifetime") or "5m")),
        str(found.get("key_id") or ""),
        str(found.get("header") or "Authorization"),
        str(found["prefix"]) if "prefix" in found else "Bearer ",
        forms(need(credentials, "key")),
    )
