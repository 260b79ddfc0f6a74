"""Test vectors that others publish: each folder is read by tests, or stands here with the reason why none reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ENGINE = TESTS.parent / "engine"

#: Folders for things that the program doesn't do, and a word that its code would have if it did.
NOT_DONE = {
    "openlineage": ("events of lineage aren't emitted", "openlineage"),
    "oprf-rfc9497": ("nothing is compared with a party that mustn't see it", "oprf"),
    "sd-jwt": ("no credentials are issued or verified", "sd-jwt"),
    "sd-jwt-vc": ("no credentials are issued or verified", "sd-jwt"),
    "vc-data-model": ("no credentials are issued or verified", "verifiablecredential"),
    "vc-di-bbs": ("no credentials are issued or verified", "dataintegrityproof"),
    "vc-di-ecdsa": ("no credentials are issued or verified", "dataintegrityproof"),
    "vc-di-eddsa": ("no credentials are issued or verified", "dataintegrityproof"),
    "bbs-signature": ("no credentials are issued or verified", "bls12"),
    "bitstring-status-list": ("there are no credentials whose revocation could be looked up", "statuslist"),
    "token-status-list": ("there are no credentials whose revocation could be looked up", "status_list"),
}


def _text(folder: Path) -> str:
    """All Python in a folder, but for this file."""
    return "".join(path.read_text() for path in folder.rglob("*.py") if path != Path(__file__))


def test_every_folder_is_read_or_says_why_not(shared: Path):
    """A folder of vectors is opened by a test, or is listed above; none is both."""
    tests = _text(TESTS)
    folders = {path.name for path in (shared / "vectors").iterdir() if path.is_dir()}
    read = {name for name in folders if f"vectors/{name}/" in tests or f'vectors/{name}"' in tests}

    assert folders - read == set(NOT_DONE)


@pytest.mark.parametrize("name", NOT_DONE)
def test_what_is_not_done_is_not_in_the_code(name: str):
    """Where the program has no word of a thing, there is nothing that its vectors could prove."""
    _, word = NOT_DONE[name]

    assert word not in _text(ENGINE).lower()
