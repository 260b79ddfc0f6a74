from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from syncline.audit import checkpoint as checkpoints
from syncline.audit import note, tree
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.malformed import Malformed
from syncline.audit.note import EcdsaKey, VerifierKey
from syncline.audit.signer import FileSigner

# The example of the Go package golang.org/x/mod/sumdb/note, which the format comes from.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
SUM_GOLANG_ORG = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def test_the_published_note_verifies():
    """A note that another implementation signed is accepted with its key, and its text comes back."""
    found = note.verify(GO_NOTE, [VerifierKey.parse(GO_KEY)])

    assert found.text.startswith("If you think")
    assert found.signatures[0].name == "PeterNeumann"


@pytest.mark.parametrize("text", [GO_KEY, SUM_GOLANG_ORG])
def test_published_verifier_keys_read_back(text: str):
    """The key ID that others computed is the one that we compute."""
    assert str(VerifierKey.parse(text)) == text


def test_no_byte_of_a_note_can_change():
    """Every flipped bit of the published note is refused."""
    key = VerifierKey.parse(GO_KEY)

    for at in range(len(GO_NOTE)):
        for bit in range(8):
            changed = GO_NOTE[:at] + bytes([GO_NOTE[at] ^ (1 << bit)]) + GO_NOTE[at + 1 :]
            with pytest.raises(Malformed):
                note.verify(changed, [key])


@pytest.mark.parametrize(
    "data",
    [b"", b"\n\n", b"text\n", b"text\n\n", b"text\n\nno dash\n", b"te\txt\n\n" + GO_NOTE.split(b"\n\n")[1],
     GO_NOTE[:-1], GO_NOTE + b"\n", GO_NOTE.replace("—".encode(), b"-"), GO_NOTE.replace(b"\n", b"\r\n"),
     b"\xff" + GO_NOTE, GO_NOTE.replace(b"x08g", b"x08"), GO_NOTE.replace(b" x08", b"  x08"), b"a" * 1_000_001],
)  # fmt: skip
def test_bytes_that_are_no_note_are_refused(data: bytes):
    """The reader accepts the one form of a note and nothing near it."""
    with pytest.raises(Malformed):
        note.verify(data, [VerifierKey.parse(GO_KEY)])


def test_unknown_signatures_are_ignored_and_known_ones_must_hold(tmp_path: Path):
    """A note by two keys verifies with either; a key that shares only the name is not trusted."""
    one = FileSigner.create(tmp_path / "one", "example.com/one")
    two = FileSigner.create(tmp_path / "two", "example.com/two")
    twin = FileSigner.create(tmp_path / "twin", "example.com/one")
    signed = note.sign("hello\n", [one, two])

    assert note.verify(signed, [one.verifier]).text == "hello\n"
    assert note.verify(signed, [two.verifier, twin.verifier]).text == "hello\n"
    with pytest.raises(Malformed, match="no signature by example.com/one"):
        note.verify(signed, [twin.verifier])
    with pytest.raises(Malformed, match="no signature"):
        note.verify(signed, [])


def test_a_text_may_hold_blank_lines(tmp_path: Path):
    """The signatures begin after the last blank line."""
    signer = FileSigner.create(tmp_path / "key", "example.com/one")

    assert note.verify(note.sign("a\n\nb\n\n", [signer]), [signer.verifier]).text == "a\n\nb\n\n"


@pytest.mark.parametrize("text", ["no newline", "tab\there\n", ""])
def test_a_text_that_is_no_note_is_not_signed(tmp_path: Path, text: str):
    """Signing refuses what reading would refuse."""
    with pytest.raises(Malformed):
        note.sign(text, [FileSigner.create(tmp_path / "key", "k")])


@pytest.mark.parametrize(
    "text",
    ["", "a+b", GO_KEY.replace("c74f20a3", "c74f20a4"), GO_KEY.replace("c74f20a3", "C74F20A3"), GO_KEY + "\n",
     GO_KEY.replace("+ARpc", "+AhpC"), "sp ace+00000000+AAAA", "x+00000000+" + base64.b64encode(b"\x01" + b"\x00" * 32).decode()],
)  # fmt: skip
def test_other_verifier_keys_are_refused(text: str):
    """A verifier key has one form, and its ID must be that of its key."""
    with pytest.raises(Malformed):
        VerifierKey.parse(text)


def test_ed25519_edge_cases(shared: Path):
    """C2SP/CCTV: keys of low order or not in canonical form are refused as keys; of the rest, exactly the signatures
    that hold without the cofactor and whose R is in canonical form are accepted.
    """
    cases = json.loads((shared / "vectors/ed25519-cctv/ed25519/ed25519vectors.json").read_text())
    verdicts = {"key": 0, "signature": 0, "accepted": 0}

    for case in cases:
        flags = set(case["flags"] or ())
        try:
            key = VerifierKey("k", bytes.fromhex(case["key"]))
        except Malformed:
            assert flags & {"low_order_A", "non_canonical_A"}
            verdicts["key"] += 1
            continue
        assert not flags & {"low_order_A", "non_canonical_A"}
        accepted = key.verifies(case["msg"].encode(), bytes.fromhex(case["sig"]))
        assert accepted == (not flags & {"low_order_residue", "non_canonical_R"})
        verdicts["accepted" if accepted else "signature"] += 1

    assert len(cases) == 914
    assert min(verdicts.values()) > 0


def test_a_checkpoint_reads_as_the_specification_shows_it():
    """The example of tlog-checkpoint gives its origin, size and root, and is written back the same."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    found = Checkpoint.parse(text)

    assert (found.origin, found.size, found.root.hex()[:8]) == ("example.com/behind-the-sofa", 20_852_163, "0ac5186a")
    assert found.text == text


ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


@pytest.mark.parametrize(
    "text",
    [f"o\n01\n{ROOT}\n", f"o\n-1\n{ROOT}\n", f"o\n 1\n{ROOT}\n", f"o\n١\n{ROOT}\n", f"\n1\n{ROOT}\n", f"o\n1\n{ROOT}",
     f"o\n1\n{ROOT}\n\nx\n", "o\n1\nAAAA\n", f"o\n1\n{ROOT[:-2]}J=\n", "o\n1\n", f"o\n{'9' * 21}\n{ROOT}\n"],
)  # fmt: skip
def test_other_checkpoints_are_refused(text: str):
    """Leading zeros, other digits, missing lines and short roots are no checkpoint."""
    with pytest.raises(Malformed):
        Checkpoint.parse(text)


def test_a_checkpoint_belongs_to_one_log(signer: FileSigner):
    """The right key does not help when the origin is another log's."""
    signed = checkpoints.sign(Checkpoint("other", 0, tree.EMPTY_ROOT, ("extension",)), [signer])

    assert checkpoints.verify(signed, "other", [signer.verifier]).extensions == ("extension",)
    with pytest.raises(Malformed, match="not of 'mine'"):
        checkpoints.verify(signed, "mine", [signer.verifier])


def _ecdsa(name: str = "example.com/hsm") -> tuple[EcdsaKey, ec.EllipticCurvePrivateKey]:
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return EcdsaKey(name, public), private


def test_an_ecdsa_key_verifies_its_signatures_only():
    """Of the text that was signed, by that key; in text form it reads back as what it is, and its ID is of the key alone."""
    key, private = _ecdsa()
    other, _ = _ecdsa()
    signature = private.sign(b"text", ec.ECDSA(SHA256()))

    assert key.verifies(b"text", signature)
    assert not key.verifies(b"texts", signature)
    assert not other.verifies(b"text", signature)
    assert note.read_verifier(str(key)) == key
    assert key.key_id == sha256(key.public).digest()[:4] == EcdsaKey("another", key.public).key_id
    for at in range(len(signature)):
        assert not key.verifies(b"text", signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :])


def test_only_p256_in_canonical_form_is_an_ecdsa_key():
    """Other curves, other kinds of keys, and points in another form are refused."""
    p384 = ec.generate_private_key(ec.SECP384R1()).public_key()
    p256 = ec.generate_private_key(ec.SECP256R1()).public_key()
    ed = Ed25519PrivateKey.generate().public_key()
    spki = PublicFormat.SubjectPublicKeyInfo
    for public in (
        p384.public_bytes(Encoding.DER, spki),
        ed.public_bytes(Encoding.DER, spki),
        p256.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        p256.public_bytes(Encoding.DER, spki)[:-1],
        b"",
    ):
        with pytest.raises(Malformed):
            EcdsaKey("k", public)
