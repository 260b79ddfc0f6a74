"""Signatures by SSH keys (SSHSIG), made and checked by `ssh-keygen`, for what people approve.

Who may sign is in a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS), as Git uses it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import Final

from msgspec import Struct

from syncline.model.errors import Stalled

#: What the signatures are for: one made for a commit, or for another program, doesn't count.
NAMESPACE: Final = "syncline-approval"
#: Seconds that checking one may take; signing waits for a person.
_TIMEOUT: Final = 20.0
_GOOD: Final = re.compile(rf'Good "{NAMESPACE}" signature for (?P<who>\S+) with \S+ key (?P<key>SHA256:\S+)')
_ARMOUR: Final = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\s+(?P<body>[A-Za-z0-9+/=\s]+?)\s+-----END SSH SIGNATURE-----\s*"
)
_MAGIC: Final = b"SSHSIG"


class Signer(Struct, frozen=True):
    """Who signed, by the names of the file of signers, and the fingerprint of the key."""

    names: tuple[str, ...]
    key: str


def signed_by(data: bytes, signature: Path, signers: Path) -> Signer | None:
    """
    Who of those in a file signed the data; None where nobody of them did, or the signature is none.

    A name with wildcards names nobody. `Stalled` (SYN724) where it can't be checked.
    """
    if not os.access(signers, os.R_OK):
        raise Stalled(f"the file of approvers {signers} can't be read", code="SYN724")
    found = _run(["find-principals", "-s", str(signature.resolve()), "-f", str(signers.resolve())], b"")
    if found.returncode:
        return None
    names: list[str] = []
    key = ""
    for name in dict.fromkeys(
        n for line in found.stdout.decode(errors="replace").splitlines() for n in line.split(",")
    ):
        if not name or any(c in name for c in "*?! "):
            continue
        how = ["verify", "-f", str(signers.resolve()), "-I", name, "-n", NAMESPACE, "-s", str(signature.resolve())]
        done = _run(how, data)
        good = _GOOD.search(done.stdout.decode(errors="replace"))
        if not done.returncode and good is not None and good["who"] == name:
            names.append(name)
            key = good["key"]
    return Signer(tuple(names), key) if names else None


def sign(data: bytes, key: Path) -> bytes:
    """
    The signature of data by a private key, or by the agent's key of a public one. `Stalled` (SYN723) without.

    ssh-keygen asks for a passphrase on the terminal itself.
    """
    done = _run(["sign", "-f", str(key), "-n", NAMESPACE], data, None)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Stalled(
            f"ssh-keygen can't sign with {key}: {said[-1] if said else 'it gives no reason'}",
            code="SYN723",
            help="Give --key the file of a private SSH key, or of a public one whose private part the agent has.",
        )
    return done.stdout


def key_of(signature: bytes) -> str:
    """Sixteen hex digits of the SHA-256 of the public key in a signature; ValueError for what is none."""
    match = _ARMOUR.fullmatch(signature)
    if match is None:
        raise ValueError("it isn't an SSH signature")
    try:
        blob = base64.b64decode(b"".join(match["body"].split()), validate=True)
    except binascii.Error:
        raise ValueError("it isn't an SSH signature") from None
    at = len(_MAGIC) + 4
    size = int.from_bytes(blob[at : at + 4], "big")
    public = blob[at + 4 : at + 4 + size]
    if not blob.startswith(_MAGIC) or not public or len(public) != size:
        raise ValueError("it isn't an SSH signature")
    return hashlib.sha256(public).hexdigest()[:16]


def _run(arguments: list[str], data: bytes, timeout: float | None = _TIMEOUT) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", "-Y", *arguments], input=data, capture_output=True, timeout=timeout, check=False
        )
    except FileNotFoundError:
        raise Stalled(
            "there is no ssh-keygen on this machine", code="SYN724", help="Install OpenSSH 8.9 or later."
        ) from None
    except subprocess.TimeoutExpired:
        raise Stalled(f"ssh-keygen took more than {_TIMEOUT:g} s", code="SYN724") from None
