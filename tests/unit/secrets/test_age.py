from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # the wheel has no stubs
import pytest

# Where the library differs from the test kit. None of it matters for SOPS files: the header is authenticated, so what is
# lenient here was written by someone who knew the file key; and SOPS writes its armor without blank lines around.
KNOWN = {
    "armor_whitespace_outside": "refused",  # may be accepted
    "stanza_missing_body": "decrypted",  # should be refused
    "stanza_missing_final_line": "decrypted",  # should be refused
}


def _read(data: bytes) -> tuple[dict[str, list[str]], bytes]:
    """Split a test file of the age test kit into its description and the age file."""
    head, _, body = data.partition(b"\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.decode().split("\n"):
        name, _, value = line.partition(": ")
        fields.setdefault(name, []).append(value)
    return fields, zlib.decompress(body) if fields.get("compressed") == ["zlib"] else body


def _outcome(fields: dict[str, list[str]], body: bytes) -> str:
    """Decrypt as `sops.py` does, with X25519 identities."""
    try:
        keys = [pyrage.x25519.Identity.from_str(text) for text in fields.get("identity", [])]
        plain = pyrage.decrypt(body, keys)
    except (pyrage.IdentityError, pyrage.DecryptError, ValueError):
        return "refused"
    if "payload" in fields and [hashlib.sha256(plain).hexdigest()] != fields["payload"]:
        return "other text"
    return "decrypted"


def test_the_age_library_keeps_to_the_test_kit(shared: Path):
    """C2SP/CCTV: files for X25519 that must be decrypted are, the others are refused, and none gives other text.

    Hybrid identities, which the library does not know, have a test of their own; passphrases are not used by SOPS.
    """
    surprises = {}
    count = 0
    for path in sorted((shared / "vectors/age-testkit/age/testdata").iterdir()):
        fields, body = _read(path.read_bytes())
        if "passphrase" in fields or "hybrid" in path.name:
            continue
        count += 1
        expected = "decrypted" if fields["expect"] == ["success"] else "refused"
        if (found := _outcome(fields, body)) != expected:
            surprises[path.name] = found

    assert count > 90
    assert surprises == KNOWN


@pytest.mark.parametrize("name", ["hybrid", "hybrid_and_x25519"])
def test_hybrid_identities_are_refused_cleanly(shared: Path, name: str):
    """A post-quantum identity, which the library does not know, is an error and not a crash."""
    fields, body = _read((shared / "vectors/age-testkit/age/testdata" / name).read_bytes())

    assert _outcome(fields, body) in {"decrypted", "refused"}
