"""Secrets in the keyring of a desktop, by the Secret Service that GNOME's keyring has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.peers.systems.gnome_keyring import GnomeKeyring, gnome_keyring

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-7d10"
BEGIN = """
from pathlib import Path
from syncline.model.errors import SynclineError
from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Reference
from syncline.secrets.provider import resolve, writer
from syncline.secrets.window import accepted, finish, replace
where, crm = Context(Path.cwd(), {}), Reference("keyring", "crm/robot")
def tried(act, *given):
    try:
        return act(*given)
    except SynclineError as error:
        return f"{error.code} {error}"
"""


@pytest.fixture
def keyring(tmp_path: Path) -> GnomeKeyring:
    """A person who has no keyring yet."""
    return gnome_keyring(tmp_path)


def told(keyring: GnomeKeyring, code: str, *, password: str | None, bus: bool = True) -> str:
    """What the code prints."""
    done = keyring.run(BEGIN + code, password=password, bus=bus)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_secret_is_kept_and_replaced(keyring: GnomeKeyring):
    """It is there in the next session, replaced with a window, and encrypted on disk; after its end the new one counts."""
    kept = told(keyring, f'print(tried(resolve, crm, where)); replace(crm, Secret("{CANARY}"), where)', password="pw")
    later = 'print(resolve(crm, where).reveal()); replace(crm, Secret("two"), where)'
    read = told(keyring, later + "; print([s.reveal() for s in accepted(crm, where)])", password="pw")
    ended = told(keyring, "finish(crm, where); print([s.reveal() for s in accepted(crm, where)])", password="pw")

    assert kept.startswith("SYN801")
    assert read.splitlines() == [CANARY, f"['two', '{CANARY}']"]
    assert ended == "['two']"
    assert CANARY.encode() not in keyring.files()


@pytest.mark.parametrize("password", [None, "another"])
def test_a_locked_keyring_gives_nothing(keyring: GnomeKeyring, password: str | None):
    """Locked, or unlocked by another password: nobody is asked for one, nothing is given or stored, and that is said."""
    told(keyring, f'replace(crm, Secret("{CANARY}"), where)', password="pw")
    code = 'print(tried(resolve, crm, where)); print(tried(replace, crm, Secret("two"), where))'
    locked = told(keyring, code, password=password)
    after = told(keyring, "print(resolve(crm, where).reveal())", password="pw")

    assert [line[:6] for line in locked.splitlines()] == ["SYN825", "SYN825"]
    assert CANARY not in locked
    assert after == CANARY


def test_without_a_session_there_is_none(keyring: GnomeKeyring):
    """Where nobody is logged in there is no keyring to ask, which is said; nothing is written to a file instead."""
    code = f'print(tried(resolve, crm, where)); print(tried(replace, crm, Secret("{CANARY}"), where))'
    alone = told(keyring, code, password=None, bus=False)

    assert [line[:6] for line in alone.splitlines()] == ["SYN825", "SYN825"]
    assert CANARY.encode() not in keyring.files()
