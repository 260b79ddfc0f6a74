"""Open what is encrypted with age, for X25519 identities: `pyrage`, held to the specification where it is lenient.

age-encryption.org/v1: each stanza of a header ends with a line that isn't full, an empty one if need be; an armored
file may have blanks before and after it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any, Final

_ARMOR: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
_BASE64: Final = rb"[A-Za-z0-9+/]"
_HEADER: Final = re.compile(
    rb"age-encryption\.org/v1\n(?:-> [^\n]+\n(?:%b{64}\n)*%b{0,63}\n)+--- " % (_BASE64, _BASE64)
)  # fmt: skip


def decrypt(data: bytes, identities: Sequence[Any]) -> bytes:
    """The text of an age file, in armor or as it is. ValueError for one that isn't for the identities, or is damaged.

    `identities` as `pyrage.x25519.Identity` makes them.
    """
    import pyrage  # type: ignore[import-untyped]  # the wheel has no stubs

    armored = data.strip().startswith(_ARMOR)
    if armored:
        data = data.strip()
    try:
        plain = bytes(pyrage.decrypt(data, identities))
    except pyrage.DecryptError as error:
        raise ValueError(str(error)) from None
    if not _HEADER.match(base64.b64decode(b"".join(data.splitlines()[1:-1])) if armored else data):
        raise ValueError("a stanza of its header doesn't end")
    return plain
