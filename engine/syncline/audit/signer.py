"""A signing key in a file: a PKCS#8 PEM of mode 0600 whose first line is a comment with the key's name.

`hsm_signer.py` has keys in an HSM.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from syncline.audit.key_file import place_key, read_key_file
from syncline.audit.malformed import Malformed
from syncline.audit.note import VerifierKey
from syncline.model.errors import Stalled

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_NAME = b"# name: "


@dataclass(frozen=True, slots=True)
class FileSigner:
    """An Ed25519 key from a file. The private half stays in the crypto library and is never shown."""

    verifier: VerifierKey
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message`."""
        return self._private.sign(message)

    @classmethod
    def create(cls, path: Path, name: str) -> FileSigner:
        """Make a new key at `path`, readable by the owner only; Stalled when one is there already."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        private = Ed25519PrivateKey.generate()
        verifier = VerifierKey(name, private.public_key().public_bytes_raw())
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        place_key(path, _NAME + name.encode() + b"\n" + pem)
        return cls(verifier, private)

    @classmethod
    def load(cls, path: Path) -> FileSigner:
        """Read a key; Stalled when it is missing, readable by others or damaged."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        data = read_key_file(path)
        first, _, pem = data.partition(b"\n")
        try:
            private = load_pem_private_key(pem, password=None)
            if not isinstance(private, Ed25519PrivateKey) or not first.startswith(_NAME):
                raise Malformed("not an Ed25519 key with a name")
            name = first.removeprefix(_NAME).decode()
            return cls(VerifierKey(name, private.public_key().public_bytes_raw()), private)
        except (ValueError, TypeError):
            raise Stalled(
                f"the signing key {path} is damaged", code="SYN901", help="Restore it from a backup."
            ) from None

    @classmethod
    def open(cls, path: Path, name: str) -> FileSigner:
        """Load the key at `path`, or create it when there is none."""
        if not path.exists():
            try:
                return cls.create(path, name)
            except Stalled:
                if not path.exists():
                    raise
        return cls.load(path)
