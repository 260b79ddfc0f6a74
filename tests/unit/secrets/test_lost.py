"""Keys that are lost: found by what is there, set aside as a whole, and never guessed of keys that are elsewhere."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from syncline.model.errors import SynclineError
from syncline.secrets.keys import ring_file
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.lost import Lost, find_lost, note_lost, set_aside
from syncline.secrets.keys.ring import KeyRing
from syncline.secrets.keys.ring_file import Entry

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)


@pytest.fixture
def where(tmp_path: Path) -> Where:
    """Two tenants with keys, one with a part's and a sealing key besides."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    ring = KeyRing.open(folder)
    for tenant in ("acme", "beta", ""):
        ring.seal(tenant, b"x", "p")
    ring.envelope("acme", "rejects/1/0")
    ring.renew("acme", dt.timedelta(0), NOW)
    return Where(folder, {})


def test_nothing_is_lost_where_all_is_there(where: Where) -> None:
    """Keys that open are told of nobody, and nothing is moved."""
    assert find_lost(where) == Lost((), ())
    assert set_aside(where, Lost((), ()), NOW) is None


def test_what_a_lost_key_wrapped_is_lost_with_it(where: Where) -> None:
    """All data keys go with the key-encryption key; set aside, new ones are made, and the old can be put back."""
    blob = KeyRing.open(where.folder).seal("acme", b"x", "p")
    saved = (where.folder / "kek").read_bytes()
    (where.folder / "kek").unlink()
    lost = find_lost(where)
    assert lost == Lost(("file:kek",), ("_shared", "acme", "beta"))
    aside = set_aside(where, lost, NOW)
    assert aside is not None
    assert sorted(p.relative_to(aside).parts[0] for p in aside.glob("*/*")) == [
        "covers",
        "parts",
        "seals",
        *["tenants"] * 3,
    ]
    assert find_lost(where) == Lost((), ())
    assert KeyRing.open(where.folder).seal("acme", b"y", "p")

    for path in (where.folder / "tenants").glob("*"):
        path.unlink()
    for folder in ("tenants", "parts", "seals", "covers"):
        for path in (aside / folder).glob("*"):
            path.rename(where.folder / folder / path.name)
    (where.folder / "kek").write_bytes(saved)
    assert KeyRing.open(where.folder).unseal("acme", blob, "p") == b"x"


def test_one_damaged_data_key_is_lost_alone(where: Where) -> None:
    """A file that doesn't unwrap is that tenant's loss, and others keep theirs."""
    path = where.folder / "tenants" / "acme.key"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert find_lost(where) == Lost((), ("acme",))
    set_aside(where, find_lost(where), NOW)
    assert sorted(p.stem for p in (where.folder / "tenants").glob("*.key")) == ["_shared", "beta"]
    assert (where.folder / "kek").exists()


def test_a_data_key_that_is_missing_is_not_made_anew(where: Where) -> None:
    """Where others hang on it, it was there: nothing is sealed with another, until what hangs on it is set aside."""
    (where.folder / "tenants" / "acme.key").unlink()
    with pytest.raises(SynclineError, match="is missing") as caught:
        KeyRing.open(where.folder).tenant_hash_key("acme")
    assert caught.value.code == "SYN805"
    assert find_lost(where) == Lost((), ("acme",))
    set_aside(where, find_lost(where), NOW)
    assert find_lost(where) == Lost((), ())
    assert KeyRing.open(where.folder).tenant_hash_key("acme")


def test_a_key_elsewhere_that_does_not_answer_is_not_lost(where: Where) -> None:
    """It is waited for, unless somebody says that it is gone for good."""
    ring_file.write(where.folder, (Entry("a" * 16, "vault:transit/syncline"),))
    with pytest.raises(SynclineError) as caught:
        find_lost(where)
    assert "--gone vault:transit/syncline" in caught.value.help
    lost = find_lost(where, ["vault:transit/syncline"])
    assert lost == Lost(("vault:transit/syncline",), ("_shared", "acme", "beta"))
    set_aside(where, lost, NOW)
    assert KeyRing.open(where.folder).seal("acme", b"y", "p")


def test_a_key_that_is_noted_counts_as_destroyed(where: Where) -> None:
    """What it sealed says so (SYN823), and what another key sealed still doesn't."""
    ring = KeyRing.open(where.folder)
    blob, other = ring.seal("beta", b"x", "p"), ring.seal("", b"x", "p")
    note_lost(where, "beta", [blob[4:12]], NOW)
    for sealed, code in ((blob, "SYN823"), (other, "SYN806")):
        with pytest.raises(SynclineError) as caught:
            ring.unseal("acme", sealed, "p")
        assert caught.value.code == code
