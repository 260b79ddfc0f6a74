"""Verify an evidence bundle of Syncline's audit log, with nothing of Syncline: Python 3.9+ and `cryptography` only.

    python verify.py [FOLDER] [--key 'name+hash+key']

FOLDER is the unpacked bundle (default: where this file lies). The key in the bundle proves nothing about who wrote it:
compare it with the one you were given by another way, or pass that one. Exit status: 0 verified, 1 not, 2 usage.

The formats are C2SP signed-note, tlog-checkpoint, tlog-tiles and tlog-proof, over the hashes of RFC 6962.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key


class Refused(Exception):
    """The evidence does not hold; the message says where."""


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        pairs = [node(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[len(pairs) * 2 :]
    return hashes[0] if hashes else hashlib.sha256(b"").digest()


def read_key(text: str) -> tuple[str, bytes, bytes]:
    """Split a verifier key into name, key ID and public key (with its type before it)."""
    name, key_id, encoded = text.strip().split("+", 2)
    data = base64.b64decode(encoded, validate=True)
    named = {1: name.encode() + b"\n" + data, 2: data[1:]}.get(data[0])
    if named is None or hashlib.sha256(named).hexdigest()[:8] != key_id:
        raise Refused("the verifier key is damaged, or neither Ed25519 nor ECDSA")
    return name, bytes.fromhex(key_id), data


def check_signature(public: bytes, signature: bytes, message: bytes) -> None:
    """Check a signature of the public key's type: 1 is Ed25519, 2 ECDSA with SHA-256."""
    if public[0] == 1:
        Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature, message)
        return
    key = load_der_public_key(public[1:])
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Refused("the verifier key is not on P-256")
    key.verify(signature, message, ec.ECDSA(SHA256()))


def read_checkpoint(data: bytes, key: tuple[str, bytes, bytes]) -> tuple[int, bytes]:
    """Check a checkpoint's signature; return tree size and root."""
    name, key_id, public = key
    text, _, block = data.decode().rpartition("\n\n")
    text += "\n"
    for line in block.splitlines():
        dash, signer, encoded = line.split(" ")
        raw = base64.b64decode(encoded, validate=True)
        if (dash, signer, raw[:4]) != ("\u2014", name, key_id):
            continue
        if base64.b64encode(raw).decode() != encoded:
            raise Refused("the signature line of the checkpoint is not in canonical form")
        try:
            check_signature(public, raw[4:], text.encode())
        except InvalidSignature:
            raise Refused("the signature of the checkpoint does not verify") from None
        origin, size, digest = text.split("\n")[:3]
        if origin != name:
            raise Refused(f"this is a checkpoint of {origin!r}, not of {name!r}")
        return int(size), base64.b64decode(digest, validate=True)
    raise Refused(f"the checkpoint has no signature by {name}")


def tile_path(level: str, index: int, width: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{name}" + ("" if width == 256 else f".p/{width}")


def read_entries(folder: Path, size: int) -> list[bytes]:
    entries: list[bytes] = []
    for start in range(0, size, 256):
        path = tile_path("entries", start // 256, min(256, size - start))
        data, at = (folder / path).read_bytes(), 0
        while at < len(data):
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            if end > len(data):
                raise Refused(f"entry {len(entries)} is cut ({path})")
            entries.append(data[at + 2 : end])
            at = end
        if len(entries) != min(size, start + 256):
            raise Refused(f"{path} does not hold its {min(256, size - start)} entries, from number {start}")
    return entries


def check_tiles(folder: Path, leaves: list[bytes]) -> None:
    """Hold every tile against the hashes that follow from the entries; names the first bad entry at level 0."""
    level, hashes = 0, leaves
    while hashes:
        for start in range(0, len(hashes), 256):
            part = hashes[start : start + 256]
            path = tile_path(str(level), start // 256, len(part))
            data = (folder / path).read_bytes()
            if data != b"".join(part):
                at = next(i for i, one in enumerate(part) if data[i * 32 : i * 32 + 32] != one)
                where = f"entry {start + at} does not match its tile" if level == 0 else f"hash {at} is wrong"
                raise Refused(f"{where} ({path})")
        hashes = [root(hashes[i : i + 256]) for i in range(0, len(hashes) - 255, 256)]
        level += 1


def check_proof(data: bytes, leaves: list[bytes], key: tuple[str, bytes, bytes]) -> None:
    """Verify a tlog-proof of an entry."""
    head, _, checkpoint = data.partition(b"\n\n")
    lines = [line for line in head.decode().split("\n")[1:] if not line.startswith("extra ")]
    index = int(lines[0].split(" ")[1])
    size, want = read_checkpoint(checkpoint, key)
    at, last, result = index, size - 1, leaves[index]
    for line in lines[1:]:
        step = base64.b64decode(line, validate=True)
        if at & 1 or at == last:
            result = node(step, result)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            result = node(result, step)
        at, last = at >> 1, last >> 1
    if last or result != want or index >= size:
        raise Refused(f"the proof of entry {index} does not hold")


def verify(folder: Path, key_text: str) -> str:
    """Verify a bundle; returns a sentence about it, or raises `Refused`."""
    key = read_key(key_text)
    size, want = read_checkpoint((folder / "checkpoint").read_bytes(), key)
    entries = read_entries(folder, size)
    leaves = [leaf(entry) for entry in entries]
    check_tiles(folder, leaves)
    if root(leaves) != want:
        raise Refused("the entries do not give the root that was signed")
    if (folder / "entries.jsonl").read_bytes() != b"".join(entry + b"\n" for entry in entries):
        raise Refused("entries.jsonl is not the same as the entries of the log")
    proofs = sorted((folder / "proofs").glob("*.tlog-proof"))
    for path in proofs:
        check_proof(path.read_bytes(), leaves, key)
    return f"verified: {size} entries and {len(proofs)} proofs, signed by {key[0]}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an evidence bundle of Syncline's audit log.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument(
        "--key", help="the log's verifier key, from a source you trust (default: log.pub in the bundle)"
    )
    options = parser.parse_args()
    try:
        text = verify(options.folder, options.key or (options.folder / "log.pub").read_text())
    except Refused as error:
        print(f"NOT VERIFIED: {error}", file=sys.stderr)  # noqa: T201 - a script
        return 1
    except (OSError, ValueError, IndexError) as error:
        print(f"NOT VERIFIED: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - a script
        return 1
    print(text)  # noqa: T201 - a script
    return 0


if __name__ == "__main__":
    sys.exit(main())
