"""Sigstore bundles (v0.3) of DSSE envelopes, with an entry of our log as their transparency log entry.

Pure. The entry is an event of the log that is an entry of Rekor's type `dsse` 0.0.1 as well: hashes of payload and
envelope, and the signature with its key. Verifiers of Sigstore bundles check the signature of the envelope, that the
entry is about it, the inclusion proof, and the log's signature of the checkpoint, given the log's key.
"""

from __future__ import annotations

import base64
import hashlib
import textwrap
from collections.abc import Mapping
from typing import Any, Final

from syncline.audit import canonical_json
from syncline.audit.dsse import Envelope, key_id
from syncline.audit.note import EcdsaKey, VerifierKey
from syncline.audit.prove import Proof

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
KIND: Final = {"kind": "dsse", "version": "0.0.1"}


def rekor_body(envelope: Envelope, key: VerifierKey) -> dict[str, Any]:
    """What makes an event of the log an entry of Rekor's type `dsse` 0.0.1 about an envelope of one signature."""
    ((_, signature),) = envelope.signatures
    return {
        "apiVersion": KIND["version"],
        "kind": KIND["kind"],
        "spec": {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(envelope.encode()).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(envelope.payload).hexdigest()},
            "signatures": [{"signature": _encode(signature), "verifier": _encode(pem(key))}],
        },
    }


def bundle(envelope: Envelope, key: VerifierKey, entry: bytes, proof: Proof, size: int, root: bytes) -> dict[str, Any]:
    """The bundle of an envelope whose `entry` in a tree of `size` and `root` is proved by `proof`."""
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {
            "publicKey": {"hint": key_id(key)},
            "tlogEntries": [
                {
                    "logIndex": str(proof.index),
                    "logId": {"keyId": _encode(log_id(key))},
                    "kindVersion": KIND,
                    "integratedTime": "0",
                    "inclusionProof": {
                        "logIndex": str(proof.index),
                        "rootHash": _encode(root),
                        "treeSize": str(size),
                        "hashes": [_encode(step) for step in proof.steps],
                        "checkpoint": {"envelope": proof.note.decode()},
                    },
                    "canonicalizedBody": _encode(entry),
                }
            ],
        },
        "dsseEnvelope": envelope.to_json(),
    }


def encode(made: Mapping[str, Any]) -> bytes:
    """A bundle as canonical JSON."""
    return canonical_json.dumps(made)


def trusted_root(*keys: VerifierKey) -> dict[str, Any]:
    """What a verifier of bundles has to trust: the log with its keys, in the form of Sigstore's trusted root (v0.1)."""
    return {
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [_instance(key) for key in keys],
        "certificateAuthorities": [],
        "ctlogs": [],
        "timestampAuthorities": [],
    }


def _instance(key: VerifierKey) -> dict[str, Any]:
    return {
        "baseUrl": key.name,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": _encode(spki(key)), "keyDetails": _details(key), "validFor": {"start": _BEGINNING}},
        "logId": {"keyId": _encode(log_id(key))},
    }


_BEGINNING: Final = "2020-01-01T00:00:00Z"


def log_id(key: VerifierKey) -> bytes:
    """The log's ID, whose first four bytes are the key ID of the log's signed notes."""
    named = b"" if isinstance(key, EcdsaKey) else key.name.encode() + b"\n" + bytes([key.KIND])
    return hashlib.sha256(named + key.public).digest()


def spki(key: VerifierKey) -> bytes:
    """A key as SubjectPublicKeyInfo (RFC 5480, RFC 8410), DER."""
    return key.public if isinstance(key, EcdsaKey) else bytes.fromhex("302a300506032b6570032100") + key.public


def pem(key: VerifierKey) -> bytes:
    """A key as PEM."""
    lines = "\n".join(textwrap.wrap(_encode(spki(key)), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n".encode()


def _details(key: VerifierKey) -> str:
    return "PKIX_ECDSA_P256_SHA_256" if isinstance(key, EcdsaKey) else "PKIX_ED25519"


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
