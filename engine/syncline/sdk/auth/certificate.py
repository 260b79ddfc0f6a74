"""Client certificates (TLS with mutual authentication): of a connection, whatever its requests carry."""

from __future__ import annotations

import os
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from syncline.model.errors import Stalled

if TYPE_CHECKING:
    from syncline.sdk.source import Credentials


def present_certificate(context: ssl.SSLContext, credentials: Credentials) -> bool:
    """
    Adds the credentials' client certificate to a context; False where they have none. Raises `Stalled` for a bad one.

    >>> from syncline.sdk.source import Credentials
    >>> present_certificate(ssl.create_default_context(), Credentials())
    False
    """
    certificate, key = credentials.secrets.get("certificate"), credentials.secrets.get("certificate_key")
    if certificate is None and key is None:
        return False
    if certificate is None or key is None:
        raise _unusable("certificate and certificateKey belong together")
    # OpenSSL takes them from a file only: mode 0600, in memory where possible, and gone right after.
    descriptor, path = tempfile.mkstemp(prefix="syncline-", dir=_memory())
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{certificate.reveal().strip()}\n{key.reveal().strip()}\n")
        context.load_cert_chain(path, password=lambda: "")
    except (ssl.SSLError, ValueError, OSError):
        raise _unusable("certificate or key can't be read, or they don't belong together") from None
    finally:
        with suppress(OSError):
            Path(path).unlink()
    return True


def _memory() -> str | None:
    """A folder in memory, where the machine has one, so that the key never reaches a disk."""
    shm = "/dev/shm"  # noqa: S108 - mkstemp makes the name, mode 0600
    return shm if os.access(shm, os.W_OK | os.X_OK) else None


def _unusable(why: str) -> Stalled:
    return Stalled(
        f"the client certificate can't be used: {why}",
        code="SYN401",
        help="Give both as PEM, the key without a passphrase.",
    )
