"""Format-preserving encryption: FF1 of NIST SP 800-38G (2016, with the changes of its revision 1), over numerals.

A number of digits becomes another of as many digits: that of a card stays one of sixteen. The mode is a Feistel network
of ten rounds around AES in CBC-MAC form. Names of variables follow the specification's algorithms 5 to 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

#: The smallest domain that revision 1 allows: radix to the power of the length.
SMALLEST: Final = 1_000_000
#: The longest text; the specification allows 2**32.
LONGEST: Final = 4096
_ROUNDS: Final = 10


class Ff1:
    """FF1 under one AES key, radix and tweak. A key has 16, 24 or 32 bytes."""

    def __init__(self, key: bytes, radix: int, tweak: bytes = b"") -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        if not 2 <= radix <= 2**16:
            msg = f"a radix of {radix} is not one of 2 to 65536"
            raise ValueError(msg)
        # With AES the block is what CBC-MAC chains by itself: one context that is never reset gives each block's image.
        self._block: CipherContext = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
        self._radix = radix
        self._tweak = tweak

    def encrypt(self, numerals: Sequence[int]) -> list[int]:
        """As many numerals, each below the radix; ValueError where there are too few or too many of them."""
        return self._walk(numerals, range(_ROUNDS), 1)

    def decrypt(self, numerals: Sequence[int]) -> list[int]:
        """What was encrypted."""
        return self._walk(numerals, range(_ROUNDS - 1, -1, -1), -1)

    def fits(self, length: int) -> bool:
        """Whether a text of that length can be encrypted."""
        return 2 <= length <= LONGEST and self._radix**length >= SMALLEST

    def _walk(self, numerals: Sequence[int], rounds: Sequence[int], sign: int) -> list[int]:
        n, radix = len(numerals), self._radix
        if not self.fits(n):
            msg = f"{n} numerals of radix {radix} are too few, or more than {LONGEST}"
            raise ValueError(msg)
        if not all(0 <= numeral < radix for numeral in numerals):
            msg = f"a numeral is not below the radix {radix}"
            raise ValueError(msg)
        u, v = n // 2, n - n // 2
        a, b = self._number(numerals[:u]), self._number(numerals[u:])
        width = ((radix**v - 1).bit_length() + 7) // 8
        d = 4 * ((width + 3) // 4) + 4
        tweak = self._tweak
        head = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([10, u % 256])
        head += n.to_bytes(4, "big") + len(tweak).to_bytes(4, "big")
        padded = tweak + bytes(-(len(tweak) + width + 1) % 16)
        moduli = radix**u, radix**v
        start = self._mac(bytes(16), head)
        for i in rounds:
            modulus = moduli[i % 2]
            if sign > 0:
                y = self._round(start, padded + bytes([i]) + b.to_bytes(width, "big"), d)
                a, b = b, (a + y) % modulus
            else:
                y = self._round(start, padded + bytes([i]) + a.to_bytes(width, "big"), d)
                a, b = (b - y) % modulus, a
        return self._numerals(a, u) + self._numerals(b, v)

    def _round(self, start: bytes, q: bytes, d: int) -> int:
        r = self._mac(start, q)
        s = r
        for j in range(1, (d + 15) // 16):
            s += self._block.update(_xor(r, j.to_bytes(16, "big")))
        return int.from_bytes(s[:d], "big")

    def _mac(self, chained: bytes, data: bytes) -> bytes:
        for at in range(0, len(data), 16):
            chained = self._block.update(_xor(chained, data[at : at + 16]))
        return chained

    def _number(self, numerals: Sequence[int]) -> int:
        value = 0
        for numeral in numerals:
            value = value * self._radix + numeral
        return value

    def _numerals(self, value: int, length: int) -> list[int]:
        found = []
        for _ in range(length):
            value, numeral = divmod(value, self._radix)
            found.append(numeral)
        return found[::-1]


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(16, "big")
