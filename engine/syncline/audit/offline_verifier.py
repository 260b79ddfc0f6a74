"""Verify evidence of Syncline's audit log, with nothing of Syncline: Python 3.9+ and `cryptography` only.

    python verify.py [FOLDER] [--key KEY] [--witnesses FILE] [--since CHECKPOINT] [--changes FILE]
    python verify.py FILE --key KEY [--changes FILE] [--since CHECKPOINT]

FOLDER is the unpacked bundle (default: where this file lies). The key in the bundle proves nothing about who wrote it:
compare it with the one you were given by another way, or pass that one. Exit status: 0 verified, 1 not, 2 usage.

What is checked: the signature of the checkpoint; all entries and hashes against its root; proofs of single entries;
cosignatures, against the policy that you pass or that lies in the folder; that the log continues a checkpoint that you
kept; attestations of runs; and, where there is `evidence.dsse.json`, that every file is the one that was signed.
The key may be any that signed the log: each change of it, which an entry tells of, must be signed by the former key.
For a single file, and of changes made after a folder was, --changes has them: what `syncline audit key -o changes`
prints. What a later key says of entries from before a change isn't proved by a single file, which is then refused.
FILE is an attestation (*.sigstore.json, *.dsse.json) or a proof: that a run wrote a record (*.record.json), or that
the log continues a checkpoint (*.consistency, for which --since is needed).

The formats are C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-proof, tlog-cosignature, tlog-witness and
tlog-policy, over the hashes of RFC 6962; DSSE, in-toto Statement v1, and Sigstore bundle v0.3.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

IN_TOTO = "application/vnd.in-toto+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
KEY_CHANGE = "syncline/key-change/v1"
CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


class Refused(Exception):
    """The evidence does not hold; the message says where."""


# --- hashes (RFC 6962) and proofs (RFC 9162) -------------------------------------------------------------------------


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        pairs = [node(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[len(pairs) * 2 :]
    return hashes[0] if hashes else hashlib.sha256(b"").digest()


def included(index: int, size: int, result: bytes, steps: list[bytes], want: bytes) -> bool:
    """Whether the steps lead from a leaf hash to the root that is wanted."""
    at, last = index, size - 1
    for step in steps:
        if last == 0:
            return False
        if at & 1 or at == last:
            result = node(step, result)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            result = node(result, step)
        at, last = at >> 1, last >> 1
    return 0 <= index < size and last == 0 and result == want


def root_before(index: int, size: int, steps: list[bytes]) -> bytes:
    """The root of the entries before an index, of which the proof of that entry has all parts."""
    at, last, found = index, size - 1, b""
    for step in steps:
        if at & 1 or at == last:
            found = node(step, found) if found else step
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    return found or root([])


def continues(old: tuple[int, bytes], new: tuple[int, bytes], steps: list[bytes]) -> bool:
    """Whether the steps show that the tree of the new size and root begins with the old one."""
    (size, want), (larger, now) = old, new
    if size in {0, larger} or size > larger:
        return not steps and (want == now if size == larger else size == 0 and want == root([]))
    at, last = size - 1, larger - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if at:
        if not steps:
            return False
        first, steps = steps[0], steps[1:]
    else:
        first = want
    inner = outer = first
    for step in steps:
        if last == 0:
            return False
        if at & 1 or at == last:
            inner, outer = node(step, inner), node(step, outer)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            outer = node(outer, step)
        at, last = at >> 1, last >> 1
    return last == 0 and inner == want and outer == now


# --- keys, notes and checkpoints -------------------------------------------------------------------------------------


def base64_of(text: str) -> bytes:
    """Decode base64 in its one canonical form."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise Refused(f"{text[:40]!r} is not base64 in canonical form")
    return raw


def hex_of(text: str) -> bytes:
    """Decode hexadecimal digits in their one canonical form."""
    raw = bytes.fromhex(text)
    if raw.hex() != text:
        raise Refused(f"{text[:40]!r} is not hexadecimal in canonical form")
    return raw


class Key:
    """A verifier key: of a log (type 1 is Ed25519, 2 is ECDSA on P-256 with SHA-256) or of a witness (type 4)."""

    def __init__(self, text: str, kinds: tuple[int, ...] = (1, 2)) -> None:
        self.text = text.strip()
        self.name, key_id, encoded = self.text.split("+", 2)
        data = base64_of(encoded)
        self.kind, self.public = data[0], data[1:]
        named = self.public if self.kind == 2 else self.name.encode() + b"\n" + data
        self.log_id = hashlib.sha256(named).digest()
        self.key_id = self.log_id[:4]
        if self.kind not in kinds or self.key_id.hex() != key_id:
            raise Refused("the verifier key is damaged, or neither Ed25519 nor ECDSA")
        self.hint = f"{self.name}+{key_id}"

    def signed(self, message: bytes, signature: bytes) -> bool:
        if self.kind == 4:
            time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            message = b"cosignature/v1\ntime %d\n" % time + message
        try:
            if self.kind == 2:
                key = load_der_public_key(self.public)
                if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
                    raise Refused("the verifier key is not on P-256")
                key.verify(signature, message, ec.ECDSA(SHA256()))
            else:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> str:
        der = self.public if self.kind == 2 else bytes.fromhex("302a300506032b6570032100") + self.public
        text = base64.b64encode(der).decode()
        lines = [text[i : i + 64] for i in range(0, len(text), 64)]
        return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def signers(data: bytes, keys: list[Key]) -> tuple[str, list[Key]]:
    """The text of a note, and which of these keys signed it; a wrong signature of one of them is refused."""
    text, blank, block = data.decode().rpartition("\n\n")
    if not blank or not block.endswith("\n") or CONTROL.search(text + block):
        raise Refused("the checkpoint is not a signed note")
    text, found = text + "\n", []
    for line in block[:-1].split("\n"):
        dash, name, encoded = line.split(" ")
        raw = base64_of(encoded)
        if dash != "\u2014":
            raise Refused("the checkpoint has a line that is no signature")
        for key in keys:
            if (key.name, key.key_id) == (name, raw[:4]):
                if not key.signed(text.encode(), raw[4:]):
                    raise Refused(f"the signature of the checkpoint by {name} does not verify")
                found.append(key)
    return text, found


def head_of(text: str) -> tuple[str, int, bytes, list[str]]:
    """Origin, size, root and extension lines of a checkpoint, in their one form."""
    origin, number, digest, *more = text.rstrip("\n").split("\n")
    size = int(number)
    if str(size) != number or size < 0 or len(base64_of(digest)) != 32 or not all([origin, *more]):
        raise Refused("the checkpoint is not written as it has to be")
    if text != "\n".join([origin, number, digest, *more]) + "\n":
        raise Refused("the checkpoint is not written as it has to be")
    return origin, size, base64_of(digest), more


class Keys:
    """The keys that signed a log one after the other: the one that is trusted, and those that changes lead to."""

    def __init__(self, trusted: Key, changes: list[bytes]) -> None:
        self.keys: list[Key] = []
        self.heads: list[tuple[int, bytes]] = []
        for data in changes:
            origin, size, digest, more = head_of(signers(data, [])[0])
            word, former, following = more[0].split(" ") if len(more) == 1 else ("", "", "")
            pair = [Key(former), Key(following)] if word == KEY_CHANGE else []
            lines = data.decode().rpartition("\n\n")[2].count("\n")
            if not pair or lines != 2 or len({key.text for key in signers(data, pair)[1]}) != 2:
                raise Refused(f"the change of keys after {size} entries is not signed by both keys")
            if {one.name for one in pair} != {origin} or pair[0].text == pair[1].text:
                raise Refused(f"the change of keys after {size} entries is of another log")
            if self.keys and (self.keys[-1].text != pair[0].text or self.heads[-1][0] >= size):
                raise Refused(f"the change of keys after {size} entries is not made by the key that signed until then")
            self.keys += pair if not self.keys else pair[1:]
            self.heads.append((size, digest))
        self.keys, self.trusted = self.keys or [trusted], trusted
        if trusted.text not in {key.text for key in self.keys}:
            raise Refused(f"the keys that signed this log do not lead to the one that is trusted, {trusted.text}")

    @property
    def newest(self) -> Key:
        return self.keys[-1]

    def at(self, size: int) -> Key:
        """The key that signs the log's checkpoint of this size."""
        return self.keys[sum(changed < size for changed, _ in self.heads)]

    def named(self, hint: str) -> Key:
        """The key of this name, of any time."""
        return next((key for key in self.keys if key.hint == hint), self.newest)

    def check_alone(self, index: int, size: int) -> None:
        """Refuse an entry from before a change whose proof is of a later key, unless that one is trusted itself."""
        crossed = [changed for changed, _ in self.heads if index < changed < size]
        if crossed and self.at(size).text != self.trusted.text:
            raise Refused(
                f"entry {index} is from before the change of keys after {crossed[0]} entries, and is proved by a later "
                "key alone: verify the whole log (`syncline audit export`)"
            )

    def check(self, leaves: list[bytes]) -> None:
        """Hold the changes against the entries that come before each."""
        for size, want in self.heads:
            if size <= len(leaves) and root(leaves[:size]) != want:
                raise Refused(f"the change of keys after {size} entries is of another log")


def changes_in(entries: list[bytes]) -> list[bytes]:
    """The changes of keys that a log tells of."""
    found = []
    for index, entry in enumerate(entries):
        event = json.loads(entry) if b"key.rotate" in entry else {}
        if event and event["metadata"]["event_code"] == "key.rotate":
            details = event["unmapped"]["details"]
            if details.get("purpose") == "audit":
                found.append(base64_of(details["change"]))
                if head_of(signers(found[-1], [])[0])[1] != index:
                    raise Refused(f"entry {index} tells of a change of keys that belongs elsewhere")
    return found


def with_later(found: list[bytes], given: list[bytes], size: int) -> list[bytes]:
    """The changes that a log of this size tells of, and of those that were given the ones made after it."""
    later = [note for note in given if note not in found]
    for note in later:
        if head_of(signers(note, [])[0])[1] < size:
            raise Refused("a change of keys that was given should be in this log, and isn't")
    return found + later


def read_checkpoint(data: bytes, keys: Keys) -> tuple[int, bytes]:
    """Check a checkpoint's signature; return tree size and root."""
    origin, size, digest, _ = head_of(signers(data, [])[0])
    key = keys.at(size)
    if not signers(data, [key])[1]:
        raise Refused(f"the checkpoint has no signature by {key.text if keys.heads else key.name}")
    if origin != key.name:
        raise Refused(f"this is a checkpoint of {origin!r}, not of {key.name!r}")
    return size, digest


# --- the log ---------------------------------------------------------------------------------------------------------


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
                at = next((i for i, one in enumerate(part) if data[i * 32 : i * 32 + 32] != one), len(part))
                where = f"entry {start + at} does not match its tile" if level == 0 else f"hash {at} is wrong"
                raise Refused(f"{where} ({path})")
        hashes = [root(hashes[i : i + 256]) for i in range(0, len(hashes) - 255, 256)]
        level += 1


def check_proof(data: bytes, leaves: list[bytes], keys: Keys) -> None:
    """Verify a tlog-proof of an entry."""
    head, _, checkpoint = data.partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    lines = [line for line in lines if not line.startswith("extra ")]
    word, number = lines[0].split(" ")
    if (first, word) != ("c2sp.org/tlog-proof@v1", "index"):
        raise Refused("this is no tlog-proof")
    size, want = read_checkpoint(checkpoint, keys)
    index = int(number)
    if index >= len(leaves) or not included(index, size, leaves[index], [base64_of(s) for s in lines[1:]], want):
        raise Refused(f"the proof of entry {index} does not hold")


def check_consistency(data: bytes, old: tuple[int, bytes], keys: Keys) -> str:
    """Verify a proof that a checkpoint continues an earlier one (the body of a request to a witness)."""
    head, _, checkpoint = data.partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    new = read_checkpoint(checkpoint, keys)
    if first != f"old {old[0]}" or not continues(old, new, [base64_of(line) for line in lines]):
        raise Refused(f"{new[0]} entries are not proved to continue the checkpoint of {old[0]}")
    said = [f"verified: {new[0]} entries continue the checkpoint of {old[0]}, signed by {keys.newest.name}"]
    for size, want in keys.heads:
        if size in {old[0], new[0]} and want != (old if size == old[0] else new)[1]:
            raise Refused(f"the change of keys after {size} entries is of another log")
        if old[0] < size < new[0]:
            said.append(f"not proved by this: that entries {old[0]} to {size - 1} are those that the former key signed")
    return "\n".join(said)


def check_history(old: tuple[int, bytes], leaves: list[bytes], what: str) -> None:
    if old[0] > len(leaves):
        raise Refused(f"the log has {len(leaves)} entries, and {what} is of {old[0]}: it went back, or was cut")
    if root(leaves[: old[0]]) != old[1]:
        raise Refused(f"the log does not continue {what} of {old[0]} entries: it was forked")


# --- witnesses -------------------------------------------------------------------------------------------------------


class Policy:
    """Which witnesses must have cosigned (tlog-policy)."""

    def __init__(self, text: str, log: Keys) -> None:
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum = ""
        logs: list[str] = []
        for line in text.replace("\t", " ").split("\n"):
            words = [word for word in line.split(" ") if word]
            if not words or words[0].startswith("#"):
                continue
            if CONTROL.search(line) or "\x7f" in line or not self.took(words, logs):
                raise Refused(f"{line[:80]!r} is no line that this witness policy can have")
        if not self.quorum:
            raise Refused("the witness policy has no quorum")
        if logs and not {key.text for key in log.keys} & set(logs):
            raise Refused(f"the witness policy is about other logs than that of {log.newest.name}")

    def took(self, words: list[str], logs: list[str]) -> bool:
        """Whether a line is right; no witness counts twice, and no name stands for two."""
        (what, name), known = words[:2], {"none", *self.witnesses, *self.groups}
        if what == "log":
            key, others = Key(name), [Key(other).public for other in logs]
            logs.append(name)
            return key.public not in others
        if what == "quorum":
            first, self.quorum = not self.quorum, name
            return first and name in known
        if what == "witness":
            key, others = Key(words[2], (4,)), [other.public for other in self.witnesses.values()]
            self.witnesses[name] = key
            return key.public not in others and name not in known
        members, used = words[3:], {one for _, group in self.groups.values() for one in group}
        least = {"any": 1, "all": len(members)}.get(words[2]) or int(words[2])
        self.groups[name] = (least, members)
        free = set(members) & known - used - {"none"}
        return what == "group" and name not in known and 1 <= least <= len(members) == len(free)

    def met(self, names: list[str]) -> bool:
        def counts(name: str) -> bool:
            least, members = self.groups.get(name, (0, []))
            return sum(map(counts, members)) >= least if name in self.groups else name in names

        return self.quorum == "none" or counts(self.quorum)


def check_cosigned(folder: Path, policy: Policy, leaves: list[bytes], keys: Keys) -> str:
    path = folder / "cosigned"
    if not path.exists():
        if policy.met([]):
            return ""
        raise Refused("no witness has cosigned the log, and the policy demands it")
    data = path.read_bytes()
    size, want = read_checkpoint(data, keys)
    check_history((size, want), leaves, "the cosigned checkpoint")
    _, found = signers(data, list(policy.witnesses.values()))
    names = [name for name, witness in policy.witnesses.items() if witness in found]
    if not policy.met(names):
        raise Refused(f"the log is cosigned by {', '.join(names) or 'nobody'}, and the policy demands {policy.quorum}")
    return f"cosigned up to entry {size - 1} by {', '.join(names)}"


# --- attestations ----------------------------------------------------------------------------------------------------


def canonical(value: object) -> bytes:
    """JSON as RFC 8785 has it, for values without fractions whose names are ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def opened(envelope: dict[str, Any], key: Key) -> bytes:
    """The payload of a DSSE envelope that this key signed."""
    payload = base64_of(envelope["payload"])
    ((signature),) = envelope["signatures"]
    kind = envelope["payloadType"]
    if set(envelope) != {"payload", "payloadType", "signatures"} or set(signature) != {"keyid", "sig"}:
        raise Refused("the envelope has members that it should not have")
    message = b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)
    if kind != IN_TOTO or signature["keyid"] != key.hint or not key.signed(message, base64_of(signature["sig"])):
        raise Refused("the signature of the envelope does not verify")
    return payload


def check_bundle(found: dict[str, Any], keys: Keys, leaves: list[bytes] | None) -> bytes:
    """The payload of a Sigstore bundle whose log entry is proved; everything else in it must be as it follows."""
    (entry,) = found["verificationMaterial"]["tlogEntries"]
    # Who signed it is the one who signed the log when it was noted there.
    envelope, key = found["dsseEnvelope"], keys.at(int(entry["logIndex"]) + 1)
    payload = opened(envelope, key)
    proof, body = entry["inclusionProof"], base64_of(entry["canonicalizedBody"])
    size, want = read_checkpoint(proof["checkpoint"]["envelope"].encode(), keys)
    index, steps = int(entry["logIndex"]), [base64_of(step) for step in proof["hashes"]]
    if not included(index, size, leaf(body), steps, want):
        raise Refused("the entry of the log is not proved")
    if leaves is None:
        keys.check_alone(index, size)
    if leaves is not None and (index >= len(leaves) or leaves[index] != leaf(body)):
        raise Refused(f"entry {index}, which notes the attestation, is another one in the log")
    about = {
        "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(canonical(envelope)).hexdigest()},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
        "signatures": [
            {"signature": envelope["signatures"][0]["sig"], "verifier": base64.b64encode(key.pem().encode()).decode()},
        ],
    }
    if json.loads(body).get("spec") != about:
        raise Refused("the entry of the log is about another envelope")
    kind = {"kind": "dsse", "version": "0.0.1"}
    right = {
        "logIndex": str(index),
        "logId": {"keyId": base64.b64encode(key.log_id).decode()},
        "kindVersion": kind,
        "integratedTime": "0",
        "inclusionProof": {
            "logIndex": str(index),
            "rootHash": base64.b64encode(want).decode(),
            "treeSize": str(size),
            "hashes": proof["hashes"],
            "checkpoint": {"envelope": proof["checkpoint"]["envelope"]},
        },
        "canonicalizedBody": entry["canonicalizedBody"],
    }
    material = {"publicKey": {"hint": key.hint}, "tlogEntries": [right]}
    if found != {"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}:
        raise Refused("the bundle has members that do not follow from what is signed")
    return payload


def check_attestation(
    data: bytes, keys: Keys, leaves: list[bytes] | None = None, key: Key | None = None
) -> dict[str, Any]:
    """
    The statement of an attestation. With the log's leaves, the entries that it names must be these. An envelope without
    a proof is signed by `key`, or by any that signed the log: it has no time.
    """
    found = json.loads(data)
    if canonical(found) != data:
        raise Refused("the attestation is not JSON in canonical form")
    if "mediaType" in found:
        payload = check_bundle(found, keys, leaves)
    else:
        payload = opened(found, key or keys.named(found["signatures"][0]["keyid"]))
    statement: dict[str, Any] = json.loads(payload)
    if statement.get("_type") != "https://in-toto.io/Statement/v1":
        raise Refused("the envelope holds no in-toto Statement")
    if leaves is not None:
        for one in statement["predicate"].get("log", {}).get("entries", []):
            if one["index"] >= len(leaves) or leaves[one["index"]].hex() != one["leafHash"]:
                raise Refused(f"entry {one['index']}, which the attestation names, is another one in the log")
    return statement


def check_files(folder: Path, keys: Keys, size: int) -> int:
    """Hold every file of a folder against the list of them that was signed, by the key that signed so many entries."""
    statement = check_attestation((folder / "evidence.dsse.json").read_bytes(), keys, key=keys.at(size))
    listed = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {"evidence.dsse.json"}
    for name in sorted(there ^ set(listed)):
        raise Refused(f"{name} is {'missing' if name in listed else 'a file that was not signed'}")
    for name, digest in listed.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise Refused(f"{name} is not the file that was signed")
    return len(listed)


# --- records ---------------------------------------------------------------------------------------------------------


def climb(index: int, size: int, result: bytes, steps: list[bytes]) -> bytes:
    """The root that the steps lead to from a leaf hash at an index."""
    low, high, sides = 0, size, []
    while high - low > 1:
        middle = low + (1 << ((high - low - 1).bit_length() - 1))
        sides.append(index >= middle)
        low, high = (middle, high) if index >= middle else (low, middle)
    if not 0 <= index < size or len(sides) != len(steps):
        raise Refused("the proof does not fit the record's place")
    for step in steps:
        result = node(step, result) if sides.pop() else node(result, step)
    return result


def check_record(data: bytes, keys: Keys) -> dict[str, Any]:
    """The event of the run that a proof shows to have written its record."""
    found = json.loads(data)
    if canonical(found) != data:
        raise Refused("the proof is not JSON in canonical form")
    row = hashlib.blake2b(found["record"].encode(), key=hex_of(found["nonce"]), digest_size=32).digest()
    batch = climb(found["row"], found["rows"], leaf(row), [hex_of(step) for step in found["steps"]])
    batch = leaf(found["rows"].to_bytes(8, "big") + batch)
    run = climb(found["batch"], found["batches"], batch, [hex_of(step) for step in found["batchSteps"]])
    run = leaf(found["batches"].to_bytes(8, "big") + run)
    entry = base64_of(found["entry"])
    event: dict[str, Any] = json.loads(entry)
    details = event["unmapped"]["details"]
    told = (event["metadata"]["event_code"], details["run"], details["records_root"])
    if run.hex() != found["root"] or told != ("run.finish", found["run"], found["root"]):
        raise Refused("the record is not proved to be one of those that the run wrote")
    head, _, checkpoint = base64_of(found["proof"]).partition(b"\n\n")
    first, place, *steps = head.decode().split("\n")
    size, want = read_checkpoint(checkpoint, keys)
    index, hashes = int(place.split(" ")[1]), [base64_of(step) for step in steps]
    if first != "c2sp.org/tlog-proof@v1" or place != f"index {index}":
        raise Refused("the proof of the entry is no tlog-proof")
    if not included(index, size, leaf(entry), hashes, want):
        raise Refused("the entry of the run is not proved to be in the log")
    keys.check_alone(index, size)
    members = {"version", "run", "record", "nonce", "row", "rows", "steps", "batch", "batches", "batchSteps", "root"}
    if set(found) != members | {"entry", "proof"} or found["version"] != "syncline/record-proof/v1":
        raise Refused("the proof has members that it should not have")
    return event


# --- part of a log --------------------------------------------------------------------------------------------------


def verify_part(folder: Path, trusted: Key, given: list[bytes]) -> str:
    """Verify what was exported of one party: every file as it was signed, and every entry as one of the log."""
    with (folder / "audit" / "entries.jsonl").open(encoding="utf-8") as lines:
        parts = [json.loads(line) for line in lines]
    changes: dict[bytes, dict[str, Any]] = {}
    for part in parts:
        part["hash"] = leaf(part["entry"].encode())
        event = json.loads(part["entry"])
        details = event["unmapped"]["details"]
        if event["metadata"]["event_code"] == "key.rotate" and details.get("purpose") == "audit":
            changes[base64_of(details["change"])] = part
    checkpoint = (folder / "audit" / "checkpoint").read_bytes()
    keys = Keys(trusted, with_later(list(changes), given, head_of(signers(checkpoint, [])[0])[1]))
    size, want = read_checkpoint(checkpoint, keys)
    count = check_files(folder, keys, size)
    for part in parts:
        if not included(part["index"], size, part["hash"], [base64_of(step) for step in part["steps"]], want):
            raise Refused(f"entry {part['index']} is not proved to be in the log")
    for number, part in enumerate(changes.values()):
        changed, root_then = keys.heads[number]
        steps = [base64_of(step) for step in part["steps"]]
        if part["index"] != changed or root_before(changed, size, steps) != root_then:
            raise Refused(f"the change of keys after {changed} entries is of another log")
    by = keys.newest.name
    return f"verified: {count} files as they were signed, {len(parts)} entries of the log of {size}, signed by {by}"


# --- all of it -------------------------------------------------------------------------------------------------------


def verify(folder: Path, trusted: Key, policy: Path | None, kept: Path | None, given: list[bytes]) -> str:
    """Verify a bundle; returns a sentence about it, or raises `Refused`."""
    if (folder / "audit" / "entries.jsonl").exists():
        return verify_part(folder, trusted, given)
    checkpoint = (folder / "checkpoint").read_bytes()
    entries = read_entries(folder, head_of(signers(checkpoint, [trusted])[0])[1])
    leaves = [leaf(entry) for entry in entries]
    keys = Keys(trusted, with_later(changes_in(entries), given, len(entries)))
    _, want = read_checkpoint(checkpoint, keys)
    check_tiles(folder, leaves)
    keys.check(leaves)
    if root(leaves) != want:
        raise Refused("the entries do not give the root that was signed")
    if (folder / "entries.jsonl").read_bytes() != b"".join(entry + b"\n" for entry in entries):
        raise Refused("entries.jsonl is not the same as the entries of the log")
    proofs = sorted((folder / "proofs").glob("*.tlog-proof"))
    for path in proofs:
        check_proof(path.read_bytes(), leaves, keys)
    attestations = sorted((folder / "attestations").glob("*.json"))
    for path in attestations:
        check_attestation(path.read_bytes(), keys, leaves)
    said = [f"verified: {len(entries)} entries and {len(proofs)} proofs, signed by {trusted.name}"]
    if keys.heads:
        said.append(f"{len(keys.keys)} keys one after the other, each named by the one before; now {keys.newest.hint}")
    if attestations:
        said.append(f"{len(attestations)} attestations of runs")
    if (folder / "evidence.dsse.json").exists():
        said.append(f"{check_files(folder, keys, len(entries))} files as they were signed")
    if kept is not None:
        since = read_checkpoint(kept.read_bytes(), keys)
        check_history(since, leaves, "the checkpoint that you kept,")
        said.append(f"continues the checkpoint of {since[0]} entries")
    if policy is None and (folder / "witnesses.policy").exists():
        policy = folder / "witnesses.policy"
    if policy is not None and (
        cosigned := check_cosigned(folder, Policy(policy.read_bytes().decode(), keys), leaves, keys)
    ):
        said.append(cosigned)
    return "\n".join(said)


def verify_file(path: Path, keys: Keys, kept: Path | None) -> str:
    """Verify one file that stands alone."""
    if path.name.endswith(".consistency"):
        if kept is None:
            raise Refused("a proof of consistency needs --since: the earlier checkpoint")
        return check_consistency(path.read_bytes(), read_checkpoint(kept.read_bytes(), keys), keys)
    if kept is not None:
        raise Refused("--since is for a folder or a proof of consistency")
    if path.name.endswith(".record.json"):
        event = check_record(path.read_bytes(), keys)
        run, about = event["unmapped"]["details"]["run"], event["unmapped"]["object"]
        by = keys.newest.name
        return f"verified: run {run} of {about}, ended {event['time_dt']}, wrote this record; signed by {by}"
    statement = check_attestation(path.read_bytes(), keys)
    about = statement["predicate"]
    what = f"run {about['run']} of {about['object']}" if "run" in about else statement["predicateType"]
    if "tenant" in about and "outcome" in about:
        what += f" of {about['tenant']}: {about['outcome']}"
    return f"verified: attestation of {what}, signed by {keys.newest.name}"


def told(error: Exception) -> str:
    """What is wrong with evidence that isn't of the form it should have."""
    match error:
        case OSError():
            return f"{error.filename} can't be read: {error.strerror}"
        case KeyError():
            return f"there is no {error} where one belongs"
        case UnicodeDecodeError():
            return f"what should be text is none at byte {error.start}"
        case ValueError():
            return f"it isn't of the form that it should have: {error}"
        case _:
            return "it isn't of the form that it should have: a part is missing, of another kind, or nested too deeply"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify evidence of Syncline's audit log.")
    parser.add_argument("path", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument(
        "--key", help="the log's verifier key, from a source you trust (default: log.pub in the bundle)"
    )
    parser.add_argument("--witnesses", type=Path, help="the policy that says who must have cosigned the log")
    parser.add_argument("--changes", type=Path, help="changes of the log's key that the evidence doesn't have")
    parser.add_argument("--since", type=Path, help="a checkpoint that you kept, which the log must continue")
    options = parser.parse_args(arguments)
    path = options.path
    try:
        key = Key(options.key or ((path if path.is_dir() else path.parent) / "log.pub").read_text())
        given = [note.encode() for note in json.loads(options.changes.read_bytes())] if options.changes else []
        if path.is_dir():
            said = verify(path, key, options.witnesses, options.since, given)
        elif options.witnesses is not None:
            raise Refused("--witnesses is for a folder: a single file has no cosigned checkpoint")
        else:
            said = verify_file(path, Keys(key, given), options.since)
    except Refused as error:
        print(f"NOT VERIFIED: {error}", file=sys.stderr)  # noqa: T201 - a script
        return 1
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        print(f"NOT VERIFIED: {told(error)}", file=sys.stderr)  # noqa: T201 - a script
        return 1
    print(said)  # noqa: T201 - a script
    return 0


if __name__ == "__main__":
    sys.exit(main())
