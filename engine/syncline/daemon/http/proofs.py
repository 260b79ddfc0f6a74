"""Proofs that a delivery was made by somebody who knows a secret. Compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from email.message import Message

    from syncline.kinds.schedule import Hmac

#: Seconds by which the time of a signed delivery may differ from ours (Standard Webhooks).
TOLERANCE: Final = 300
_WHSEC: Final = "whsec_"


def standard(headers: Message, body: bytes, secret: str, now: float) -> bool:
    """Standard Webhooks 1.0: `v1,BASE64` of `id.timestamp.body`, one of several; the timestamp is near."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    message, when, signatures = (one(headers, name) for name in names)
    if not (message and signatures and when.isascii() and when.isdecimal() and len(when) < 12):
        return False
    try:
        encoded = secret.removeprefix(_WHSEC)
        key = base64.b64decode(encoded, validate=True) if secret.startswith(_WHSEC) else secret.encode()
    except binascii.Error:
        return False
    signed = f"{message}.{when}.".encode(errors="surrogateescape") + body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    near = abs(now - int(when)) <= TOLERANCE
    return any(same(given, expected) for given in signatures.split(" ")[:10]) and near


def signed_body(headers: Message, body: bytes, secret: str, declared: Hmac) -> bool:
    """HMAC-SHA256 of the body, in the header and form that are declared."""
    found = hmac.digest(secret.encode(), body, "sha256")
    text = found.hex() if declared.encoding == "hex" else base64.b64encode(found).decode()
    return same(one(headers, declared.header), declared.prefix + text)


def one(headers: Message, name: str) -> str:
    """A header that is there once; '' otherwise."""
    values = headers.get_all(name, [])
    return str(values[0]).strip() if len(values) == 1 else ""


def same(given: str, expected: str) -> bool:
    """Whether two texts are the same, without telling by the time it takes how much of them is; '' is nothing."""
    return hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode()) and bool(expected)
