"""What wraps keys of parts and goes when somebody is erased: copies of the key folder, kills, and other processes."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import threading
import traceback
from pathlib import Path

import pytest

from syncline.model.errors import Stalled
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.rewrap import rotate
from syncline.secrets.keys.ring import KeyRing
from tests.unit.secrets.test_rewrap import _die_at

PARTS = ("rejects/1/0", "rejects/2/0", "images/1")


def sealed(folder: Path) -> dict[str, bytes]:
    """A folder of keys, and a blob of each part of a tenant."""
    ring = KeyRing.open(folder)
    return {part: ring.envelope("acme", part).seal(part.encode(), "p") for part in PARTS}


def opens(folder: Path, blobs: dict[str, bytes]) -> bool:
    ring = KeyRing.open(folder)
    return all(ring.opening("acme", part).open(blob, "p") == part.encode() for part, blob in blobs.items())


def without_kek(source: Path, to: Path) -> None:
    """A copy of a folder of keys as it should be made where these are files: its key-encryption keys are elsewhere."""
    shutil.copytree(source, to, ignore=shutil.ignore_patterns("kek", "keks", "*.kek"))


def test_a_part_put_back_from_a_copy_does_not_open(tmp_path: Path):
    """
    The file of a destroyed key, and its cover's, are put back into the folder that lives on, as a thief or a restore
    would: it says that it was destroyed. The other parts open as before, and so does what is sealed from then on.
    """
    folder, copy = tmp_path / "keys", tmp_path / "copy"
    blobs = sealed(folder)
    without_kek(folder, copy)
    ring = KeyRing.open(folder)

    assert ring.destroy("acme", PARTS[0])
    assert ring.renew_parts("acme") == ()
    left = {part: blob for part, blob in blobs.items() if part != PARTS[0]}
    assert opens(folder, left)
    for path in [*copy.rglob("parts/*/*.key"), *copy.rglob("covers/*/*.key")]:
        if not (back := folder / path.relative_to(copy)).exists():
            shutil.copy2(path, back)

    assert opens(folder, left)
    with pytest.raises(Stalled, match="isn't there any more") as caught:
        KeyRing.open(folder).opening("acme", PARTS[0]).open(blobs[PARTS[0]], "p")
    assert caught.value.code == "SYN823"
    for path in copy.rglob("covers/*/*.key"):
        (folder / path.relative_to(copy)).unlink(missing_ok=True)
    with pytest.raises(Stalled, match="its cover was destroyed") as caught:
        KeyRing.open(folder).opening("acme", PARTS[0]).open(blobs[PARTS[0]], "p")
    assert caught.value.code == "SYN823"


def test_a_copy_with_its_key_encryption_keys_is_as_good_as_the_folder(tmp_path: Path):
    """Where these are files, a copy that has them opens what it opened: nothing here can reach it. It has to be destroyed."""
    folder, copy = tmp_path / "keys", tmp_path / "copy"
    blobs = sealed(folder)
    shutil.copytree(folder, copy)
    ring = KeyRing.open(folder)
    ring.destroy("acme", PARTS[0])
    ring.renew_parts("acme")

    assert opens(copy, blobs)


def test_parts_from_before_covers_get_one(tmp_path: Path):
    """A key of the first form opens, and has a cover once somebody is erased; its former file is of no use then."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from syncline.secrets.keys.envelope import derive

    folder = tmp_path / "keys"
    ring = KeyRing.open(folder)
    tenant = ring._data_key("acme")
    path = ring._parts("acme", tenant).path("old")
    path.parent.mkdir(parents=True)
    cipher = AESGCM(derive(tenant, b"part wrap"))
    path.write_bytes(b"SYP1" + bytes(12) + cipher.encrypt(bytes(12), b"k" * 32, b"SYP1" + path.stem.encode()))
    path.chmod(0o600)
    blob = ring.envelope("acme", "old").seal(b"x", "p")

    ring.renew_parts("acme")

    assert path.read_bytes()[:4] == b"SYP2"
    assert KeyRing.open(folder).opening("acme", "old").open(blob, "p") == b"x"


def test_destroying_a_tenant_takes_its_covers_along(tmp_path: Path):
    """Nothing of them is left, nor of what encrypts them."""
    folder = tmp_path / "keys"
    sealed(folder)
    ring = KeyRing.open(folder)
    ring.destroy("acme")

    assert ring.remains("acme") == 0
    assert not [path for path in folder.rglob("*") if path.is_file() and "covers" in path.parts]


def test_a_rotation_of_the_ring_leaves_parts_as_they_are(tmp_path: Path):
    """A key-encryption key that takes over has nothing to do with parts, and their cover goes on."""
    folder = tmp_path / "keys"
    blobs = sealed(folder)
    rotate(Where(folder, {}))

    assert opens(folder, blobs)


def test_parts_that_are_made_meanwhile_are_not_lost(tmp_path: Path):
    """Other processes make keys of parts while covers change, one after the other: every one of them opens."""
    folder = tmp_path / "keys"
    blobs = sealed(folder)
    ring, failed = KeyRing.open(folder), []

    def making(who: int) -> None:
        own = KeyRing.open(folder)
        try:
            for number in range(12):
                part = f"rejects/{who}-{number}/0"
                blobs[part] = own.envelope("acme", part).seal(part.encode(), "p")
                assert own.opening("acme", PARTS[1]).open(blobs[PARTS[1]], "p")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=making, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        ring.renew_parts("acme")
    for thread in threads:
        thread.join()

    assert failed == []
    assert opens(folder, blobs)
    ring.renew_parts("acme")
    assert opens(folder, blobs)
    assert len(list(folder.glob("covers/acme/*"))) == 2


def _deaths(root: Path, results) -> None:
    """Destroys a part and changes the cover in a child that is killed at its n-th call to the system, for every n."""
    try:
        blobs = sealed(root / "template")
        copy = root / "copy"
        without_kek(root / "template", copy)
        left = {part: blob for part, blob in blobs.items() if part != PARTS[0]}
        at, killed = 0, True
        while killed:
            at += 1
            folder = root / "keys"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(root / "template", folder)
            child = os.fork()
            if not child:
                _die_at(at)
                ring = KeyRing.open(folder)
                ring.destroy("acme", PARTS[0])
                ring.renew_parts("acme")
                os._exit(0)
            killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
            assert opens(folder, left), f"unreadable after a kill at {at}"
            ring = KeyRing.open(folder)
            ring.destroy("acme", PARTS[0])
            ring.renew_parts("acme")
            assert opens(folder, left), f"unreadable after a kill at {at} and another call"
            assert len(list(folder.glob("covers/acme/*.key"))) == 1
            for path in copy.rglob("parts/*/*.key"):
                if not (back := folder / path.relative_to(copy)).exists():
                    shutil.copy2(path, back)
            with pytest.raises(Stalled) as caught:
                KeyRing.open(folder).opening("acme", PARTS[0]).open(blobs[PARTS[0]], "p")
            assert caught.value.code == "SYN823", f"after a kill at {at}: {caught.value}"
        results.put(at - 1)
    except BaseException:
        results.put(traceback.format_exc())
        sys.exit(1)


def test_a_kill_at_any_point_loses_nothing_and_keeps_nothing(tmp_path: Path):
    """Killed (SIGKILL) before any call that opens, writes or moves a file: the rest opens, and another call ends it."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_deaths, args=(tmp_path, results))
    process.start()
    points = results.get(timeout=300)
    process.join()

    assert isinstance(points, int), points
    assert points >= 20
