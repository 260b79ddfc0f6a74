from __future__ import annotations

import gc
import multiprocessing
import os
import time
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.model.errors import Invalid, Stalled
from syncline.secrets.keys.envelope import Envelope
from syncline.secrets.keys.ring import KeyRing


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    """A fresh key folder."""
    return KeyRing.open(tmp_path / "keys")


@pytest.fixture(scope="module")
def shared_ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    """One key folder for properties that are tried many times."""
    return KeyRing.open(tmp_path_factory.mktemp("ring") / "keys")


def test_what_was_sealed_opens_again(ring: KeyRing, tmp_path: Path):
    """Also by another process's view of the folder, for a tenant and for what is shared."""
    for tenant in ("acme", ""):
        blob = ring.seal(tenant, b"plain", "runs/1")

        assert KeyRing.open(tmp_path / "keys").unseal(tenant, blob, "runs/1") == b"plain"
        assert b"plain" not in blob
        assert blob != ring.seal(tenant, b"plain", "runs/1")


@given(data=st.binary(max_size=100), flip=st.data())
def test_any_changed_bit_is_noticed(shared_ring: KeyRing, data: bytes, flip):
    """A blob with any bit changed, or cut anywhere, does not open, and the message holds no data."""
    blob = bytearray(shared_ring.seal("acme", data, "path"))
    at = flip.draw(st.integers(0, len(blob) - 1))
    cut = bytes(blob[:at])
    blob[at] ^= 1 << flip.draw(st.integers(0, 7))

    for changed in (bytes(blob), cut):
        with pytest.raises(Stalled) as caught:
            shared_ring.unseal("acme", changed, "path")
        assert caught.value.code == "SYN806"
        assert "path" in str(caught.value)


def test_a_blob_belongs_to_one_place_and_one_tenant(ring: KeyRing):
    """Moved to another path or given to another tenant it does not open."""
    blob = ring.seal("acme", b"x", "runs/1/rejects/0")

    with pytest.raises(Stalled, match="belongs elsewhere"):
        ring.unseal("acme", blob, "runs/2/rejects/0")
    with pytest.raises(Stalled, match="destroyed or replaced"):
        ring.unseal("beta", blob, "runs/1/rejects/0")


def test_destroying_a_key_erases_what_it_sealed(ring: KeyRing, tmp_path: Path):
    """After its key is destroyed a tenant's data can't be read, even if the name gets a new key; others' still can."""
    blob, other = ring.seal("acme", b"x", "p"), ring.seal("beta", b"y", "p")
    hash_key = ring.tenant_hash_key("acme")
    wrapped = (tmp_path / "keys/tenants/acme.key").read_bytes()

    assert ring.destroy("acme")
    assert not ring.exists("acme")
    assert not ring.destroy("acme")
    with pytest.raises(Stalled, match="was destroyed on 20") as caught:
        KeyRing.open(tmp_path / "keys").unseal("acme", blob, "p")
    assert caught.value.code == "SYN823"
    assert ring.unseal("beta", other, "p") == b"y"
    assert ring.tenant_hash_key("acme") != hash_key
    assert wrapped[4:] not in (tmp_path / "keys/tenants/acme.key").read_bytes()


def test_a_ring_keeps_nothing_of_a_key_that_it_destroyed(ring: KeyRing):
    """Neither the key nor what was made of it is in its memory any more."""

    def held() -> list[Envelope]:
        return [one for one in gc.get_objects() if isinstance(one, Envelope) and one.tenant == "gone"]

    ring.envelope("gone")
    assert held()

    ring.destroy("gone")

    assert not held()


def test_every_byte_of_an_envelope_counts(ring: KeyRing):
    """Each byte of a blob in turn, with one bit of it changed, keeps it from being opened, and the message says why."""
    blob = ring.seal("acme", b"plain", "runs/1")

    for at in range(len(blob)):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        with pytest.raises(Stalled, match="not sealed data|key that sealed it is not here|was changed") as caught:
            ring.unseal("acme", changed, "runs/1")
        assert caught.value.code == "SYN806"


def test_every_byte_of_a_wrapped_key_counts(ring: KeyRing, tmp_path: Path):
    """The same of the files of a tenant's and of a part's key: nothing is sealed or opened with a changed one."""
    ring.seal("acme", b"x", "p")
    ring.envelope("acme", "person 1")
    for path in (tmp_path / "keys").rglob("*.key"):
        good = path.read_bytes()
        for at in range(len(good)):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            with pytest.raises(Stalled, match="damaged") as caught:
                KeyRing.open(tmp_path / "keys").envelope("acme", "person 1")
            assert caught.value.code == "SYN805"
        path.write_bytes(good)
    assert KeyRing.open(tmp_path / "keys").envelope("acme", "person 1")


def test_destroying_the_key_of_a_part_erases_that_part(ring: KeyRing, tmp_path: Path):
    """What was sealed for one part goes with its key, or with the tenant's; other parts stay; no file tells a name."""
    person, other = ring.envelope("acme", "anna@example.com"), ring.envelope("acme", "ben@example.com")
    blobs = person.seal(b"a", "p"), other.seal(b"b", "p"), ring.seal("acme", b"c", "p")
    saved = {path: path.read_bytes() for path in (tmp_path / "keys/parts").rglob("*.key")}

    assert ring.exists("acme", "anna@example.com")
    assert ring.destroy("acme", "anna@example.com")
    assert not ring.exists("acme", "anna@example.com")
    with pytest.raises(Stalled, match="was destroyed on 20"):
        ring.envelope("acme", "anna@example.com").open(blobs[0], "p")
    assert ring.envelope("acme", "ben@example.com").open(blobs[1], "p") == b"b"
    assert ring.unseal("acme", blobs[2], "p") == b"c"
    assert not any("anna" in str(path) for path in (tmp_path / "keys").rglob("*"))
    assert b"anna" not in b"".join(p.read_bytes() for p in (tmp_path / "keys").rglob("*") if p.is_file())

    ring.destroy("acme")
    for path, data in saved.items():  # as from a backup of these files
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)
    with pytest.raises(Stalled):
        KeyRing.open(tmp_path / "keys").envelope("acme", "ben@example.com").open(blobs[1], "p")


def test_the_hash_key_of_a_tenant_is_stable_and_its_own(ring: KeyRing, tmp_path: Path):
    """32 bytes, the same at every opening, another for every tenant."""
    keys = {tenant: ring.tenant_hash_key(tenant) for tenant in ("acme", "beta", "")}

    assert len(set(keys.values())) == 3
    assert {len(key) for key in keys.values()} == {32}
    again = KeyRing.open(tmp_path / "keys")
    assert {tenant: again.tenant_hash_key(tenant) for tenant in keys} == keys


def test_key_files_are_private(ring: KeyRing, tmp_path: Path):
    """All files have mode 0600 and nothing else is left in the folder; data keys are wrapped."""
    ring.seal("acme", b"x", "p")
    files = {str(path.relative_to(tmp_path)): path for path in (tmp_path / "keys").rglob("*") if path.is_file()}

    assert sorted(files) == ["keys/kek", "keys/tenants/acme.key"]
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    files["keys/kek"].chmod(0o640)
    with pytest.raises(Stalled, match="0640"):
        KeyRing.open(tmp_path / "keys")


def test_lost_or_damaged_keys_are_not_replaced(ring: KeyRing, tmp_path: Path):
    """A missing, cut, exchanged or changed key is Stalled; a new one would hide the loss."""
    ring.seal("acme", b"x", "p")
    ring.seal("beta", b"x", "p")
    kek, acme, beta = (tmp_path / "keys" / name for name in ("kek", "tenants/acme.key", "tenants/beta.key"))
    saved = kek.read_bytes(), acme.read_bytes()

    kek.unlink()
    with pytest.raises(Stalled, match="kek is missing"):
        KeyRing.open(tmp_path / "keys")
    for data in (b"", saved[0][:-1], os.urandom(32)):
        kek.write_bytes(data)
        kek.chmod(0o600)
        with pytest.raises(Stalled, match="damaged"):
            KeyRing.open(tmp_path / "keys").envelope("acme")
    kek.write_bytes(saved[0])
    for data in (b"", saved[1][:-1], beta.read_bytes(), bytes([saved[1][0] ^ 1]) + saved[1][1:]):
        acme.write_bytes(data)
        with pytest.raises(Stalled, match="damaged"):
            KeyRing.open(tmp_path / "keys").envelope("acme")


@pytest.mark.parametrize("tenant", ["../x", "a/b", ".", "a b", "a\n", "_shared", "x" * 200, "é"])
def test_a_name_cannot_lead_out_of_the_folder(ring: KeyRing, tenant: str):
    """Names that are no file names are Invalid."""
    with pytest.raises(Invalid):
        ring.envelope(tenant)


def _hash_key(directory: Path, results) -> None:
    results.put(KeyRing.open(directory).tenant_hash_key("acme"))


def test_processes_that_start_at_once_agree_on_the_keys(tmp_path: Path):
    """Four processes on an empty folder make one key-encryption key and one data key."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_hash_key, args=(tmp_path / "keys", results)) for _ in range(4)]
    for process in processes:
        process.start()
    keys = {results.get(timeout=300) for _ in processes}
    for process in processes:
        process.join()

    assert len(keys) == 1


def test_an_envelope_does_not_show_its_key(ring: KeyRing):
    """Printing an envelope shows the tenant only."""
    assert repr(ring.envelope("acme")) == "Envelope(tenant='acme')"


def test_sealing_is_fast(ring: KeyRing):
    """Sealing 10 MB, and opening them, is work of the order of hashing them: no step is per byte (best of five)."""
    data, envelope = os.urandom(10_000_000), ring.envelope("acme")
    times = []
    for _ in range(5):
        moments = [time.process_time()]
        blob = envelope.seal(data, "p")
        moments.append(time.process_time())
        envelope.open(blob, "p")
        moments.append(time.process_time())
        sha256(data)
        moments.append(time.process_time())
        times.append([after - before for before, after in pairwise(moments)])

    sealing, opening, hashing = map(min, zip(*times, strict=True))
    assert max(sealing, opening) < 20 * hashing
