"""Standard Webhooks 1.0: the signature of a message, as its sender makes it.

What is signed is `id.timestamp.body`; each key gives one `v1,BASE64` (HMAC-SHA256), and a receiver takes any that fits.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

from syncline.model.errors import Stalled
from syncline.model.secret import Secret

_PREFIX: Final = "whsec_"
#: Bytes of a key: the specification's bounds.
_SHORTEST, _LONGEST = 24, 64


def signed(id: str, timestamp: int, body: bytes, keys: Sequence[Secret]) -> dict[str, str]:  # noqa: A002 - the field's word
    """
    The headers of a message that say who sent it. `Stalled` (SYN735) for a key that isn't one.

    >>> key = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [key])["webhook-signature"]
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    content = f"{id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(_key(key), content, "sha256")).decode() for key in keys)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _key(secret: Secret) -> bytes:
    text = secret.reveal().strip()
    try:
        found = base64.b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else b""
    except (binascii.Error, ValueError):
        found = b""
    if not _SHORTEST <= len(found) <= _LONGEST:
        raise Stalled(
            f"the key of the webhook isn't {_PREFIX} and the base64 of {_SHORTEST} to {_LONGEST} bytes",
            code="SYN735",
            help=f"Make a random one, here and at the receiver: `echo {_PREFIX}$(openssl rand -base64 32)`.",
        )
    return found
