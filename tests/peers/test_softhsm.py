"""Keys in a token of SoftHSM 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Reference
from syncline.secrets.kek import Where
from syncline.secrets.provider import resolve
from syncline.secrets.rewrap import rotate
from syncline.secrets.ring import KeyRing
from syncline.secrets.window import accepted, finish, replace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.systems.softhsm import SoftHsm


def test_the_key_encryption_key_is_in_the_token(hsm: SoftHsm, tmp_path: Path):
    """A ring is moved into a token and rotated there; what was sealed opens, and the former keys are gone."""
    hsm.token("ring")
    folder = tmp_path / "keys"
    blob = KeyRing.open(folder).seal("acme", b"plain", "p")

    moved = rotate(Where(folder, hsm.environ), "pkcs11:ring")
    again = rotate(Where(folder, hsm.environ))

    assert not (folder / "kek").exists()
    assert moved.entry.place != again.entry.place
    ring = KeyRing.open(folder, hsm.environ)
    assert ring.unseal("acme", blob, "p") == b"plain"
    path = folder / "tenants/acme.key"
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(Stalled, match="damaged"):
            ring.envelope("acme")
    path.write_bytes(good)
    rotate(Where(folder, hsm.environ), "file")
    assert KeyRing.open(folder).unseal("acme", blob, "p") == b"plain"


def test_without_the_token_nothing_is_sealed(hsm: SoftHsm, tmp_path: Path):
    """Pulled out, with a wrong PIN, or never told of: a clear error each; plugged in again, it goes on."""
    hsm.token("gone")
    folder = tmp_path / "keys"
    blob = KeyRing.open(folder).seal("acme", b"plain", "p")
    rotate(Where(folder, hsm.environ), "pkcs11:gone")
    with pytest.raises(Stalled, match="SYNCLINE_PKCS11_MODULE is not set"):
        KeyRing.open(folder)
    with pytest.raises(Stalled, match="the PIN is wrong"):
        KeyRing.open(folder, {**hsm.environ, "SYNCLINE_PKCS11_PIN": "wrong-pin"})

    hsm.pull()
    try:
        with pytest.raises(Stalled, match="it isn't there|it has no such key|has 0 keys|it refused") as caught:
            KeyRing.open(folder, hsm.environ).unseal("acme", blob, "p")
    finally:
        hsm.plug()

    assert caught.value.code == "SYN821"
    assert hsm.pin not in str(caught.value)
    assert KeyRing.open(folder, hsm.environ).unseal("acme", blob, "p") == b"plain"


def test_a_secret_is_kept_in_the_token(hsm: SoftHsm, tmp_path: Path):
    """Written as a private object, read, replaced with a window, and gone when it is finished."""
    hsm.token("secrets")
    where, reference = Context(tmp_path, hsm.environ), Reference("pkcs11", "secrets/crm")
    with pytest.raises(Stalled) as caught:
        resolve(reference, where)
    assert caught.value.code == "SYN801"

    replace(reference, Secret("one"), where)
    replace(reference, Secret('{"a": "two"}'), where)

    assert [secret.reveal() for secret in accepted(reference, where)] == ['{"a": "two"}', "one"]
    assert resolve(Reference("pkcs11", "secrets/crm", "a"), where).reveal() == "two"
    assert finish(reference, where)
    assert len(accepted(reference, where)) == 1
