"""Rotation of the key-encryption key, with a real kill at every step that reaches the disk."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path

import pytest

from syncline.model.errors import Invalid, Stalled
from syncline.secrets.keys import ring_file
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.rewrap import rotate, unfinished
from syncline.secrets.keys.ring import KeyRing

TENANTS = ("acme", "beta", "")


def sealed(folder: Path) -> dict[str, bytes]:
    """A folder of keys, and a blob of each tenant."""
    ring = KeyRing.open(folder)
    ring.envelope("acme", "person")
    return {tenant: ring.seal(tenant, b"plain", "p") for tenant in TENANTS}


def opens(folder: Path, blobs: dict[str, bytes]) -> bool:
    return all(KeyRing.open(folder).unseal(tenant, blob, "p") == b"plain" for tenant, blob in blobs.items())


def test_a_rotation_wraps_keys_anew_and_rewrites_no_data(tmp_path: Path):
    """What was sealed before opens after, hashes stay, every data key names the new key, and the old one is gone."""
    folder = tmp_path / "keys"
    blobs = sealed(folder)
    old = (folder / "kek").read_bytes()
    ring = KeyRing.open(folder)  # a process that goes on meanwhile
    hashes = ring.tenant_hash_key("acme")

    done = rotate(Where(folder, {}))

    assert (done.count, done.resumed, done.remains) == (3, False, ())
    assert opens(folder, blobs)
    assert ring.unseal("acme", blobs["acme"], "p") == b"plain"
    assert ring.tenant_hash_key("acme") == hashes
    assert {kek for _, kek in ring.tenants()} == {done.entry.id}
    assert not (folder / "kek").exists()
    assert old not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert ring.seal("new", b"x", "p")
    assert {kek for _, kek in ring.tenants()} == {done.entry.id}
    assert rotate(Where(folder, {})).entry.id != done.entry.id
    assert opens(folder, blobs)


def test_a_folder_from_before_key_rings_is_read(tmp_path: Path):
    """Data keys of the first form open, and are of the new form after a rotation."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    folder = tmp_path / "keys"
    ring = KeyRing.open(folder)
    kek = AESGCM((folder / "kek").read_bytes())
    path = folder / "tenants" / "acme.key"
    path.parent.mkdir()
    path.write_bytes(b"SYK1" + bytes(12) + kek.encrypt(bytes(12), b"k" * 32, b"SYK1acme"))
    path.chmod(0o600)
    blob = ring.seal("acme", b"plain", "p")

    rotate(Where(folder, {}))

    assert path.read_bytes()[:4] == b"SYK2"
    assert KeyRing.open(folder).unseal("acme", blob, "p") == b"plain"


def test_a_damaged_key_stops_a_rotation_and_loses_nothing(tmp_path: Path):
    """The old key stays until every data key is wrapped anew; once the file is restored the rotation is finished."""
    folder = tmp_path / "keys"
    blobs = sealed(folder)
    path = folder / "tenants" / "beta.key"
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))

    with pytest.raises(Stalled, match="beta.key is damaged"):
        rotate(Where(folder, {}))

    assert unfinished(folder)
    assert opens(folder, {"acme": blobs["acme"], "": blobs[""]})
    path.write_bytes(good)
    assert rotate(Where(folder, {})).resumed
    assert not unfinished(folder)
    assert opens(folder, blobs)


@pytest.mark.parametrize("place", ["dropbox", "", "vault:", "pkcs11:"])
def test_a_place_that_is_none_changes_nothing(tmp_path: Path, place: str):
    """A misspelt place is refused, and the next rotation is free to go elsewhere."""
    folder = tmp_path / "keys"
    blobs = sealed(folder)

    with pytest.raises((Invalid, Stalled)):
        rotate(Where(folder, {}), place or "?")

    assert not unfinished(folder)
    assert opens(folder, blobs)


def test_every_byte_of_the_list_of_keys_counts(tmp_path: Path):
    """A changed list is refused as damaged, whatever byte of it was changed."""
    folder = tmp_path / "keys"
    sealed(folder)
    rotate(Where(folder, {}))
    path = folder / ring_file.NAME
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(Stalled, match="damaged"):
            KeyRing.open(folder)


def _deaths(root: Path, results) -> None:
    """Rotates in a child that is killed at its n-th call to the system, for every n; then looks, and rotates again."""
    try:
        blobs = sealed(root / "template")
        at, killed = 0, True
        while killed:
            at += 1
            folder = root / "keys"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(root / "template", folder)
            child = os.fork()
            if not child:
                _die_at(at)
                rotate(Where(folder, {}))
                os._exit(0)
            killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
            assert opens(folder, blobs), f"unreadable after a kill at {at}"
            rotate(Where(folder, {}))
            assert opens(folder, blobs), f"unreadable after a kill at {at} and another rotation"
            assert not unfinished(folder)
            assert not list(folder.rglob(".*")), f"a draft is left after a kill at {at}"
            assert len(list(folder.glob("keks/*"))) == 1, f"an old key is left after a kill at {at}"
        results.put(at - 1)
    except BaseException:
        results.put(traceback.format_exc())
        sys.exit(1)


def _die_at(number: int) -> None:
    calls = 0

    def dying(function):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    for name in ("fsync", "rename", "link", "unlink", "open", "mkdir"):
        setattr(os, name, dying(getattr(os, name)))


@pytest.mark.slow
def test_a_kill_at_any_point_loses_nothing(tmp_path: Path):
    """Killed (SIGKILL) before any call that opens, writes or moves a file: all opens, and the next rotation ends it."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_deaths, args=(tmp_path, results))
    process.start()
    points = results.get(timeout=300)
    process.join()

    assert isinstance(points, int), points
    assert points >= 50


def test_a_rotation_leaves_the_files_of_others_alone(tmp_path: Path):
    """It destroys what a kill left of its own, and no draft of the log's signing key, which is in the same folder."""
    folder = tmp_path / "keys"
    blobs = sealed(folder)
    ours = [folder / name for name in (".kek.0a", ".ring.json.0a", "tenants/.acme.key.0a")]
    others = [folder / name for name in (".audit.pem.123", ".gitignore", "tenants/.nfs01")]
    for path in (*ours, *others):
        path.write_bytes(b"draft")

    rotate(Where(folder, {}))

    assert not [path for path in ours if path.exists()]
    assert {path.read_bytes() for path in others} == {b"draft"}
    assert opens(folder, blobs)
