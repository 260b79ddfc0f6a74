"""Values made with a key of the tenant: hashes, tokens, and texts that keep their format."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING

from syncline.mapping.ff1 import Ff1
from syncline.mapping.protection import ALPHABETS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_SALT = b"syncline/protect/v1"
#: What tokens begin with.
_MARK = "tok_"


def keyed_hash(text: str, key: bytes) -> str:
    """The HMAC-SHA-256 of a text (RFC 2104), as 64 hex digits."""
    return hmac.digest(key, text.encode(), "sha256").hex()


def derived(key: bytes, purpose: str, size: int) -> bytes:
    """A key for one purpose (HKDF-SHA-256, RFC 5869): what is hashed with `key` itself can't be it."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), size, _SALT, purpose.encode()).derive(key)


class Tokens:
    """
    Reversible tokens: AES-SIV (RFC 5297, 512-bit key), in base64url after `tok_`, so that none begins with a sign that
    a shell or a spreadsheet takes for something else.

    A text has one token for each tenant, so that joins still work; who lacks the key can neither read nor make one.
    """

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        self._siv: AESSIV = AESSIV(derived(key, "token", 64))

    def token(self, text: str) -> str:
        """The token of a text."""
        # AES-SIV takes no empty text: a mark before it, which leaves room for another form as well.
        sealed = self._siv.encrypt(b"\1" + text.encode(), None)
        return _MARK + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def reveal(self, token: str) -> str:
        """The text of a token; ValueError where it isn't one of this key's."""
        from cryptography.exceptions import InvalidTag

        mark, text = token[: len(_MARK)], token[len(_MARK) :]
        try:
            if mark != _MARK:
                raise ValueError(mark)
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            sealed = base64.b64decode(padded, b"-_", validate=True)
            return self._siv.decrypt(sealed, None).removeprefix(b"\1").decode()
        except (InvalidTag, ValueError, OverflowError):
            raise ValueError("it isn't a token of this tenant's key") from None


class Preserving:
    """
    Encrypts the characters of an alphabet among themselves (FF1, NIST SP 800-38G); all others stay where they are.

    Not for several threads at once.
    """

    def __init__(self, key: bytes, alphabet: str) -> None:
        self._letters = ALPHABETS[alphabet]
        self._numerals = {letter: number for number, letter in enumerate(self._letters)}
        self._ff1 = Ff1(derived(key, f"preserve/{alphabet}", 32), len(self._letters))

    def preserve(self, text: str) -> str:
        """The text in the same format; ValueError where it has too few characters of the alphabet."""
        return self._put(text, self._ff1.encrypt(self._read(text)))

    def restore(self, text: str) -> str:
        """What it was made of."""
        return self._put(text, self._ff1.decrypt(self._read(text)))

    def _read(self, text: str) -> list[int]:
        return [self._numerals[character] for character in text if character in self._numerals]

    def _put(self, text: str, numerals: list[int]) -> str:
        others = iter(numerals)
        return "".join(self._letters[next(others)] if c in self._numerals else c for c in text)


def revealed(text: str, form: str, key: bytes) -> str:
    """What a token, or a text that kept its format by an alphabet, was made of; ValueError where it can't be told."""
    return Tokens(key).reveal(text) if form == "token" else Preserving(key, form).restore(text)
