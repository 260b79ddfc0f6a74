"""FF1 against NIST's published samples, and what every format-preserving encryption must do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.mapping.ff1 import Ff1
from tests.examples import examples

#: The key of the samples; shorter ones are its beginning.
KEY = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94")
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
#: https://csrc.nist.gov/projects/cryptographic-standards-and-guidelines/example-values, FF1: samples 1 to 9, as
#: (bytes of the key, radix, tweak, plaintext, ciphertext).
SAMPLES = [
    (16, 10, "", "0123456789", "2433477484"),
    (16, 10, "39383736353433323130", "0123456789", "6124200773"),
    (16, 36, "3737373770717273373737", "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (24, 10, "", "0123456789", "2830668132"),
    (24, 10, "39383736353433323130", "0123456789", "2496655549"),
    (24, 36, "3737373770717273373737", "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (32, 10, "", "0123456789", "6657667009"),
    (32, 10, "39383736353433323130", "0123456789", "1001623463"),
    (32, 36, "3737373770717273373737", "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
]


@pytest.mark.parametrize(("size", "radix", "tweak", "plain", "cipher"), SAMPLES)
def test_the_samples_of_nist_are_met(size: int, radix: int, tweak: str, plain: str, cipher: str) -> None:
    """Every published sample is met in both directions."""
    ff1 = Ff1(KEY[:size], radix, bytes.fromhex(tweak))
    encrypted = ff1.encrypt([LETTERS.index(letter) for letter in plain])

    assert "".join(LETTERS[numeral] for numeral in encrypted) == cipher
    assert "".join(LETTERS[numeral] for numeral in ff1.decrypt(encrypted)) == plain


@settings(max_examples=examples(200), deadline=None)
@given(st.data(), st.integers(2, 65536), st.binary(max_size=40))
def test_what_is_encrypted_is_decrypted(data: st.DataObject, radix: int, tweak: bytes) -> None:
    """For any radix, tweak and length that is allowed, numerals stay numerals, as many, and come back."""
    ff1 = Ff1(KEY, radix, tweak)
    fewest = next(n for n in range(2, 21) if ff1.fits(n))
    numerals = data.draw(st.lists(st.integers(0, radix - 1), min_size=fewest, max_size=fewest + 30))
    encrypted = ff1.encrypt(numerals)

    assert len(encrypted) == len(numerals)
    assert all(0 <= numeral < radix for numeral in encrypted)
    assert ff1.decrypt(encrypted) == numerals


def test_it_is_a_permutation() -> None:
    """No two of a thousand neighbours meet."""
    ff1 = Ff1(KEY, 10)
    found = {tuple(ff1.encrypt([int(digit) for digit in f"{number:06d}"])) for number in range(1_000)}

    assert len(found) == 1_000


@pytest.mark.parametrize("numerals", [[1] * 5, [1], [], [10] * 6, [-1] * 6, [0] * 4097])
def test_a_domain_that_is_too_small_and_numerals_that_are_none_are_refused(numerals: list[int]) -> None:
    """Fewer than a million possible values could be guessed one by one (SP 800-38G revision 1)."""
    with pytest.raises(ValueError, match="radix"):
        Ff1(KEY, 10).encrypt(numerals)
