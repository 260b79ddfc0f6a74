"""Private keys as secrets hold them: PEM (PKCS#8, PKCS#1, SEC1) or a JSON Web Key (RFC 7517)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from syncline.model.errors import Stalled

if TYPE_CHECKING:
    from syncline.model.secret import Secret


def jwk(secret: Secret, what: str = "private key") -> Any:
    """A key for signing, from PEM or from a JWK. Raises `Stalled` for what is neither, or is a key for encryption.

    Example: `jwk(credentials.secrets["key"]).key_type` is `RSA`, `EC`, `OKP` or `oct`.
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey, import_key

    text = secret.reveal().strip()
    try:
        if text.startswith("{"):
            import json

            return _for_signing(import_key(json.loads(text)))
        for kind in (RSAKey, ECKey, OKPKey):
            try:
                return kind.import_key(text)
            except (ValueError, TypeError, AttributeError, AssertionError, JoseError):
                continue
    except (ValueError, TypeError, KeyError, JoseError):
        del text
    del OctKey
    raise Stalled(
        f"the {what} is neither PEM nor a JSON Web Key",
        code="SYN401",
        help="Give an unencrypted private key, from `-----BEGIN` to `-----END`.",
    )


def _for_signing(key: Any) -> Any:
    """The key, if its `use` (RFC 7517, section 4.2) doesn't keep it for encryption."""
    if key.get("use", "sig") != "sig":
        raise Stalled(
            f"the key is for another use than signing: its use is {key.get('use')!r}",
            code="SYN401",
            help="Give a key whose `use` is `sig`, or that has none.",
        )
    return key


def private_key(secret: Secret, kind: str = "") -> Any:
    """The key as `cryptography` has it. Raises `Stalled` for one of another kind than `RSA`, `EC` or `OKP`.

    Example: `private_key(secret, "RSA").sign(data, padding, hash)`.
    """
    found = jwk(secret)
    if not found.is_private or (kind and found.key_type != kind):
        raise Stalled(
            f"the key is not a private one of type {kind or 'RSA, EC or OKP'}",
            code="SYN401",
            help="Give the key that belongs to the declared algorithm.",
        )
    return found.private_key
