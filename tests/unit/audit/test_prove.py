from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from syncline.audit.export import export
from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log import AuditLog
from syncline.audit.malformed import Malformed
from syncline.audit.prove import HEADER, Proof, prove_entry, verify_entry
from syncline.audit.signer import FileSigner
from syncline.model.errors import Invalid
from tests.flips import flips, refusal, script

ORIGIN = "syncline.test/log"


@pytest.fixture
def reader(log: AuditLog) -> DirectoryFetcher:
    """The read side of a log of 300 entries."""
    log.append_entries([b'{"number":%d}' % number for number in range(300)])
    return DirectoryFetcher(log.directory)


def test_every_entry_has_a_proof_that_verifies_offline(reader: DirectoryFetcher, signer: FileSigner):
    """The proof of each entry, as text, verifies with nothing but the entry and the log's key."""
    for index in (0, 1, 2, 254, 255, 256, 298, 299):
        entry, proof = prove_entry(reader, index)

        assert entry == b'{"number":%d}' % index
        assert verify_entry(proof.encode(), entry, ORIGIN, [signer.verifier]).size == 300
        assert Proof.parse(proof.encode()) == proof


def test_the_text_is_the_format_of_the_specification(reader: DirectoryFetcher):
    """Header, index, hashes, blank line, and the checkpoint verbatim."""
    proof = prove_entry(reader, 256)[1]
    lines = proof.encode().decode().split("\n")

    assert lines[:2] == [HEADER, "index 256"]
    assert lines[2 + len(proof.steps)] == ""
    assert "\n".join(lines[3 + len(proof.steps) :]).encode() == reader.fetch("checkpoint")


def test_a_proof_holds_for_its_entry_only(reader: DirectoryFetcher, signer: FileSigner):
    """Another entry, another index or any flipped bit of the proof is refused."""
    entry, proof = prove_entry(reader, 77)
    data = proof.encode()

    with pytest.raises(Malformed, match="not number 77"):
        verify_entry(data, entry + b" ", ORIGIN, [signer.verifier])
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ (1 << (at % 8))]) + data[at + 1 :]
        with pytest.raises(Malformed):
            verify_entry(changed, entry, ORIGIN, [signer.verifier])


def test_extra_data_travels_along(reader: DirectoryFetcher, signer: FileSigner):
    """The optional extra line is written and read."""
    entry, proof = prove_entry(reader, 5)
    data = Proof(proof.index, proof.steps, proof.note, b"context").encode()

    assert data.split(b"\n")[1] == b"extra Y29udGV4dA=="
    assert Proof.parse(data).extra == b"context"
    assert verify_entry(data, entry, ORIGIN, [signer.verifier])


@pytest.mark.parametrize(
    "data",
    [b"", b"c2sp.org/tlog-proof@v2\nindex 0\n\n", f"{HEADER}\n\nx".encode(), f"{HEADER}\nindex 01\n\nx".encode(),
     f"{HEADER}\nindex 0\nAAAA\n\nx".encode(), f"{HEADER}\nindex 0\n*\n\nx".encode(), f"{HEADER}\nindex 0".encode(),
     f"{HEADER}\nindex ٠\n\nx".encode(), HEADER.encode() + b"\nindex 0" + b"\n" + b"\n".join([b"A" * 43 + b"="] * 65) + b"\n\nx"],
)  # fmt: skip
def test_other_texts_are_no_proof(data: bytes):
    """The reader accepts the one form of a proof."""
    with pytest.raises(Malformed):
        Proof.parse(data)


def test_there_is_no_proof_of_an_entry_that_is_not_there(reader: DirectoryFetcher):
    """Asking beyond the end says which entries there are."""
    with pytest.raises(Invalid, match="from 0 to 299"):
        prove_entry(reader, 300)


# --- evidence bundles ------------------------------------------------------------------------------------------------


def _bundle(reader: DirectoryFetcher, signer: FileSigner, proofs=(3, 256)) -> bytes:
    out = io.BytesIO()
    export(reader, signer.verifier, out, proofs)
    return out.getvalue()


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-I", str(folder / "verify.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_a_bundle_is_reproducible(reader: DirectoryFetcher, signer: FileSigner):
    """The same log and selection give the same bytes."""
    assert _bundle(reader, signer) == _bundle(reader, signer)


def test_a_bundle_verifies_with_its_own_script(reader: DirectoryFetcher, signer: FileSigner, tmp_path: Path):
    """Unpacked elsewhere, the bundle's script verifies it, also against a key given by hand."""
    with zipfile.ZipFile(io.BytesIO(_bundle(reader, signer))) as bundle:
        bundle.extractall(tmp_path / "evidence")
    folder = tmp_path / "evidence"

    done = _run(folder)
    assert (done.returncode, done.stdout) == (0, f"verified: 300 entries and 2 proofs, signed by {ORIGIN}\n")
    assert _run(folder, "--key", str(signer.verifier)).returncode == 0
    assert "syncline" not in [
        line.split()[1] for line in (folder / "verify.py").read_text().split("\n") if line.startswith("import ")
    ]
    assert (folder / "entries.jsonl").read_text().splitlines()[256] == '{"number":256}'
    other = FileSigner.create(tmp_path / "other", ORIGIN)
    assert _run(folder, "--key", str(other.verifier)).returncode == 1


@pytest.mark.parametrize(
    ("path", "at", "message"),
    [
        ("tile/entries/000", 100, "entry 7 does not match its tile (tile/0/000)"),
        ("tile/entries/001.p/44", 3, "entry 256 does not match its tile (tile/0/001.p/44)"),
        ("tile/0/001.p/44", 40, "entry 257 does not match its tile (tile/0/001.p/44)"),
        ("tile/1/000.p/1", 0, "hash 0 is wrong (tile/1/000.p/1)"),
        ("checkpoint", 20, "does not verify"),
        ("entries.jsonl", 20, "entries.jsonl is not the same"),
        ("proofs/3.tlog-proof", 60, "proof of entry 3 does not hold"),
        ("log.pub", 20, "damaged"),
    ],
)
def test_a_changed_bundle_is_refused_by_its_script(
    reader: DirectoryFetcher, signer: FileSigner, tmp_path: Path, path: str, at: int, message: str
):
    """A flipped byte anywhere in the evidence is refused and its place named."""
    with zipfile.ZipFile(io.BytesIO(_bundle(reader, signer))) as bundle:
        bundle.extractall(tmp_path / "evidence")
    file = tmp_path / "evidence" / path
    data = file.read_bytes()
    file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

    done = _run(tmp_path / "evidence")

    assert done.returncode == 1
    assert message in done.stderr


def test_no_byte_of_a_bundle_can_change(reader: DirectoryFetcher, signer: FileSigner, tmp_path: Path):
    """Each byte of each file, by samples of long ones, is refused by an auditor's own script with a sentence. Only what is
    for people to read isn't evidence: the page that says how to verify, and the script in the bundle.
    """
    with zipfile.ZipFile(io.BytesIO(_bundle(reader, signer))) as bundle:
        bundle.extractall(tmp_path / "evidence")
    files = [path for path in (tmp_path / "evidence").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"checkpoint", "log.pub", "entries.jsonl", "3.tlog-proof", "verify.py"}

    for path in files:
        if path.name in {"README.txt", "verify.py"}:
            continue
        data = path.read_bytes()
        for _, changed in flips(data, len(data) // 50 | 1):
            path.write_bytes(changed)
            refusal(tmp_path / "evidence")
        path.write_bytes(data)
    assert script(tmp_path / "evidence")[0] == 0
