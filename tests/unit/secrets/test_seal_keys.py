"""Sealing keys: another seals once one is old enough, all open, and none outlives the tenant's data key."""

from __future__ import annotations

import datetime as dt

import pytest

from syncline.model.errors import Stalled
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.rewrap import rotate
from syncline.secrets.keys.ring import KeyRing

NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
YEAR = dt.timedelta(days=365)


def test_another_key_seals_by_age_and_all_open(tmp_path):
    """A key is made at first, then only once the newest is that old; blobs of each open, hashes stay what they are."""
    ring = KeyRing.open(tmp_path)
    hashed = ring.tenant_hash_key("acme")
    blobs = [ring.seal("acme", b"zero", "a")]
    assert ring.renew("acme", YEAR, NOW)
    blobs.append(ring.seal("acme", b"one", "a"))
    assert not ring.renew("acme", YEAR, NOW + dt.timedelta(days=364))
    assert ring.renew("acme", YEAR, NOW + YEAR)
    blobs.append(ring.seal("acme", b"two", "a"))
    assert len({blob[4:12] for blob in blobs}) == 3
    again = KeyRing.open(tmp_path)
    assert [again.unseal("acme", blob, "a") for blob in blobs] == [b"zero", b"one", b"two"]
    assert again.tenant_hash_key("acme") == hashed
    rotate(Where(tmp_path, {}))
    assert [KeyRing.open(tmp_path).unseal("acme", blob, "a") for blob in blobs] == [b"zero", b"one", b"two"]


def test_none_outlives_the_data_key(tmp_path):
    """Once the tenant's key is destroyed, what each of them sealed says when; a key of that name later opens none."""
    ring = KeyRing.open(tmp_path)
    ring.renew("acme", YEAR, NOW)
    blob = ring.seal("acme", b"one", "a")
    assert ring.destroy("acme")
    assert not (tmp_path / "seals" / "acme").exists()
    with pytest.raises(Stalled, match="was destroyed on") as raised:
        ring.unseal("acme", blob, "a")
    assert raised.value.code == "SYN823"


def test_a_key_of_another_tenant_is_none(tmp_path):
    """A file that was moved between tenants, renamed or changed is refused."""
    ring = KeyRing.open(tmp_path)
    ring.renew("acme", YEAR, NOW)
    ring.renew("globex", YEAR, NOW)
    (mine,) = (tmp_path / "seals" / "acme").iterdir()
    (yours,) = (tmp_path / "seals" / "globex").iterdir()
    data = mine.read_bytes()
    mine.write_bytes(yours.read_bytes())
    with pytest.raises(Stalled, match="another tenant's"):
        ring.envelope("acme")
    for at in (0, 5, 20, len(data) - 1):
        mine.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(Stalled):
            ring.envelope("acme")
    mine.write_bytes(data)
    ring.envelope("acme")
