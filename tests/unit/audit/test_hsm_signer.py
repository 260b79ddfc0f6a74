"""Points as tokens give them. Signing with a real token is in `tests/peers`."""

from __future__ import annotations

import pytest

from syncline.audit.hsm_signer import _octets
from syncline.audit.malformed import Malformed


@pytest.mark.parametrize("point", [b"\x04\x3f" + b"x" * 63, b"\x04" * 65, b"\x04\x1e" + b"x" * 30])
def test_a_point_is_read_in_both_forms(point: bytes):
    """As it is, also where it begins as an octet string of just its length would, and as an octet string."""
    assert _octets(point) == point
    assert _octets(bytes([4, len(point)]) + point) == point


def test_what_is_no_point_is_refused():
    """Other lengths are no point of either curve."""
    with pytest.raises(Malformed):
        _octets(b"x" * 33)
