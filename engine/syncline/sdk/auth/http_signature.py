"""HTTP message signatures (RFC 9421): what each request covers is signed, by a private or shared key."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets as random
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from syncline.model import units
from syncline.model.errors import Stalled
from syncline.sdk.auth.bearer import forms
from syncline.sdk.auth.scheme import need, with_header
from syncline.sdk.auth.signature_base import Message, Value, content_digest, name_of, signature_base, signature_params

if TYPE_CHECKING:
    from syncline.model.secret import Secret
    from syncline.sdk.http import Request
    from syncline.sdk.source import Credentials
    from syncline.sdk.structured_fields import Structure

Sign = Callable[[bytes], bytes]

#: Left out of the covered components where a request has no content.
_OF_CONTENT = frozenset({"content-digest", "content-length", "content-type"})
_KINDS = {"ed25519": "OKP", "ecdsa-p256-sha256": "EC", "ecdsa-p384-sha384": "EC"}


class HttpSignature(Struct, frozen=True):
    """A key and what its signatures cover. `sign_with` makes a signature of bytes, as `signer` gives.

    >>> from syncline.sdk.http import Request
    >>> scheme = HttpSignature("k", lambda data: b"!", ("@method", "@path"))
    >>> sent = scheme.sign(Request("GET", "https://api.example.com/me"), now=1618884473.0)
    >>> sent.headers["Signature-Input"]
    'sig1=("@method" "@path");created=1618884473;keyid="k"'
    >>> sent.headers["Signature"]
    'sig1=:IQ==:'
    """

    key_id: str
    sign_with: Sign
    components: Sequence[str]
    label: str = "sig1"
    tag: str = ""
    digest: str = "sha-256"
    expires: float = 0.0
    nonce: Callable[[], str] | None = None
    hidden: tuple[Secret, ...] = ()
    sensitive: frozenset[str] = frozenset()
    fresh: bool = True
    structures: Mapping[str, Structure] = field(default_factory=dict)

    def sign(self, request: Request, now: float) -> Request:
        components = [c for c in self.components if request.body or name_of(c) not in _OF_CONTENT]
        names = {name.lower() for name in request.headers}
        if "date" in {name_of(c) for c in components} and "date" not in names:
            request = with_header(request, "Date", formatdate(int(now), usegmt=True))
        if "content-digest" in {name_of(c) for c in components} and "content-digest" not in names:
            request = with_header(request, "Content-Digest", content_digest(request.body, self.digest))
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers.setdefault("content-length", str(len(request.body)))
        parameters: dict[str, Value] = {"created": int(now)}
        if self.expires:
            parameters["expires"] = int(now + self.expires)
        parameters["keyid"] = self.key_id
        if self.nonce is not None:
            parameters["nonce"] = self.nonce()
        if self.tag:
            parameters["tag"] = self.tag
        params = signature_params(components, parameters)
        base = signature_base(
            Message(headers, request.method, request.url, structures=self.structures), components, params
        )
        signature = base64.b64encode(self.sign_with(base.encode())).decode()
        request = with_header(request, "Signature-Input", f"{self.label}={params}")
        return with_header(request, "Signature", f"{self.label}=:{signature}:")


def signer(algorithm: str, key: Secret) -> Sign:
    """A function that signs, of an algorithm of RFC 9421 (section 3.3). Raises `Stalled` for a key of another kind.

    >>> from syncline.model.secret import Secret
    >>> len(signer("hmac-sha256", Secret("a2V5"))(b"text"))
    32
    """
    if algorithm == "hmac-sha256":
        try:
            shared = base64.b64decode(key.reveal().strip(), validate=True)
        except (ValueError, binascii.Error):
            raise Stalled("the shared key is not base64", code="SYN401", help="Encode its bytes in base64.") from None
        return lambda data: hmac.digest(shared, data, "sha256")
    from syncline.sdk.auth.keys import private_key

    return _asymmetric(algorithm, private_key(key, _KINDS.get(algorithm, "RSA")))


def _asymmetric(algorithm: str, key: Any) -> Sign:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    def ecdsa(digest: hashes.HashAlgorithm, curve: type[ec.EllipticCurve]) -> Sign:
        if not isinstance(key.curve, curve):
            raise _wrong(algorithm)
        size = key.key_size // 8

        def made(data: bytes) -> bytes:
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")

        return made

    match algorithm:
        case "ed25519":
            if not isinstance(key, ed25519.Ed25519PrivateKey):
                raise _wrong(algorithm)
            return key.sign
        case "ecdsa-p256-sha256":
            return ecdsa(hashes.SHA256(), ec.SECP256R1)
        case "ecdsa-p384-sha384":
            return ecdsa(hashes.SHA384(), ec.SECP384R1)
        case "rsa-v1_5-sha256":
            return lambda data: bytes(key.sign(data, padding.PKCS1v15(), hashes.SHA256()))
        case "rsa-pss-sha512":
            pss = padding.PSS(padding.MGF1(hashes.SHA512()), salt_length=64)
            return lambda data: bytes(key.sign(data, pss, hashes.SHA512()))
        case _:
            raise _wrong(algorithm)


def _wrong(algorithm: str) -> Stalled:
    return Stalled(
        f"the key can't sign with {algorithm}", code="SYN401", help="Give the key that belongs to the algorithm."
    )


def http_signature(credentials: Credentials) -> HttpSignature:
    """From `algorithm`, `key_id`, `components`, `label`, `tag`, `digest`, `expires`, `nonce`, `structures`; and the
    secret `key`.

    >>> from syncline.model.secret import Secret
    >>> from syncline.sdk.source import Credentials
    >>> settings = {"algorithm": "hmac-sha256", "key_id": "k", "components": ["@method"]}
    >>> http_signature(Credentials("http_signature", settings, {"key": Secret("a2V5")})).label
    'sig1'
    """
    found, key = credentials.settings, need(credentials, "key")
    return HttpSignature(
        str(found["key_id"]),
        signer(str(found.get("algorithm") or "ed25519"), key),
        tuple(found.get("components") or ("@method", "@target-uri", "content-digest")),
        str(found.get("label") or "sig1"),
        str(found.get("tag") or ""),
        str(found.get("digest") or "sha-256"),
        units.duration(found["expires"]) if found.get("expires") else 0.0,
        (lambda: random.token_urlsafe(16)) if found.get("nonce") else None,
        forms(key),
        structures={name.lower(): structure for name, structure in (found.get("structures") or {}).items()},
    )
