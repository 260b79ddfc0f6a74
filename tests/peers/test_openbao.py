"""Keys and secrets in a real server of Vault's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from syncline.model.errors import Again, Stalled
from syncline.secrets.kek import Where
from syncline.secrets.rewrap import rotate, unfinished
from syncline.secrets.ring import KeyRing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.systems.openbao import OpenBao


def test_the_key_encryption_key_is_in_transit(openbao: OpenBao, tmp_path: Path):
    """A ring is moved there, rotated there, and back into a file; what was sealed before opens at every stage."""
    folder = tmp_path / "keys"
    environ = openbao.role("ring")
    blob = KeyRing.open(folder).seal("acme", b"plain", "p")

    moved = rotate(Where(folder, environ), "vault:transit/syncline")

    assert not (folder / "kek").exists()
    assert moved.entry.place == "vault:transit/syncline"
    assert b"vault:v1:" in (folder / "tenants/acme.key").read_bytes()
    assert KeyRing.open(folder, environ).unseal("acme", blob, "p") == b"plain"

    again = rotate(Where(folder, environ))

    assert again.entry.id != moved.entry.id
    assert b"vault:v2:" in (folder / "tenants/acme.key").read_bytes()
    assert KeyRing.open(folder, environ).unseal("acme", blob, "p") == b"plain"

    back = rotate(Where(folder, environ), "file")

    assert "min_decryption_version" in back.remains[0]
    assert KeyRing.open(folder).unseal("acme", blob, "p") == b"plain"


def test_every_byte_of_a_key_wrapped_by_transit_counts(openbao: OpenBao, tmp_path: Path):
    """A file with any byte changed is refused as damaged, as is one of another tenant under this name."""
    folder = tmp_path / "keys"
    environ = openbao.role("bytes")
    ring = KeyRing.open(folder)
    ring.seal("acme", b"x", "p")
    ring.seal("beta", b"x", "p")
    rotate(Where(folder, environ), "vault:transit/bytes")
    path = folder / "tenants/acme.key"
    good = path.read_bytes()
    ring = KeyRing.open(folder, environ)
    changed = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(len(good))]
    for data in (*changed, (folder / "tenants/beta.key").read_bytes()):
        path.write_bytes(data)
        with pytest.raises(Stalled, match="is damaged|can't be|refused") as caught:
            ring.envelope("acme")
        assert caught.value.code in {"SYN805", "SYN822"}
    path.write_bytes(good)
    assert ring.envelope("acme")


def test_without_the_server_nothing_is_sealed(openbao: OpenBao, tmp_path: Path):
    """A server that isn't there is tried again later; one that refuses us is a person's matter. Nothing is made anew."""
    folder = tmp_path / "keys"
    environ = openbao.role("gone")
    blob = KeyRing.open(folder).seal("acme", b"x", "p")
    rotate(Where(folder, environ), "vault:transit/gone")

    with pytest.raises(Again) as gone:
        KeyRing.open(folder, {**environ, "VAULT_ADDR": "https://127.0.0.1:1"}).unseal("acme", blob, "p")
    with pytest.raises(Stalled) as refused:
        KeyRing.open(folder, {**environ, "VAULT_SECRET_ID": "wrong"}).unseal("acme", blob, "p")
    with pytest.raises(Stalled) as plain:
        KeyRing.open(folder, {**environ, "VAULT_ADDR": "http://vault.example"}).unseal("acme", blob, "p")
    with pytest.raises(Again, match="certificate"):
        KeyRing.open(folder, {k: v for k, v in environ.items() if k != "VAULT_CACERT"}).unseal("acme", blob, "p")

    assert [e.value.code for e in (gone, refused, plain)] == ["SYN820", "SYN822", "SYN822"]
    assert KeyRing.open(folder, environ).unseal("acme", blob, "p") == b"x"


def test_a_rotation_to_where_we_may_not_go_changes_nothing(openbao: OpenBao, tmp_path: Path):
    """Refused by the server's policy, the rotation isn't begun, and the ring goes on with its key."""
    folder = tmp_path / "keys"
    blob = KeyRing.open(folder).seal("acme", b"x", "p")

    with pytest.raises(Stalled, match="permission denied"):
        rotate(Where(folder, openbao.role("poor")), "vault:elsewhere/key")

    assert not unfinished(folder)
    assert KeyRing.open(folder).unseal("acme", blob, "p") == b"x"
