"""An archive that is written part by part, signed as a whole, and sealed for who is to read it.

A zip with `evidence.dsse.json` in it, which names every other member with its digest. So much memory is needed as the
list of members takes.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from syncline.audit import attestation, dsse
from syncline.audit.durable import sync_folder
from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.audit.note import Signer

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
SIGNED: Final = "evidence.dsse.json"


class Archive:
    """A zip that is being written; see `writing`."""

    def __init__(self, bundle: zipfile.ZipFile) -> None:
        self._bundle = bundle
        self._digests: dict[str, str] = {}

    def write(self, name: str, parts: Iterable[bytes]) -> int:
        """Writes a member part by part; how many parts it had."""
        member = zipfile.ZipInfo(name, _EPOCH)
        member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        hashed, count = hashlib.sha256(), 0
        with self._bundle.open(member, "w", force_zip64=True) as file:
            for part in parts:
                hashed.update(part)
                file.write(part)
                count += 1
        self._digests[name] = hashed.hexdigest()
        return count

    def lines(self, name: str, rows: Iterable[dict[str, Any]]) -> int:
        """Writes a member of one JSON object a line; how many there are."""
        return self.write(name, (json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n" for row in rows))

    def sign(self, kind: str, predicate: dict[str, Any], key: Signer) -> None:
        """Writes the last member: every other with its digest, and what they are, signed."""
        subject = [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(self._digests.items())]
        statement = {
            "_type": attestation.STATEMENT,
            "subject": subject,
            "predicateType": kind,
            "predicate": predicate,
        }
        envelope = dsse.sign(attestation.PAYLOAD, attestation.encode(statement), key)
        self._bundle.writestr(zipfile.ZipInfo(SIGNED, _EPOCH), envelope.encode())


@contextmanager
def writing(path: Path, recipients: tuple[str, ...]) -> Iterator[Archive]:
    """
    A new archive, in place and on disk when the block ends, and not there at all when it raises.

    With recipients (age public keys), it is sealed for them, and for nobody else. Nobody but us may read it. What a
    process that was killed left beside it is overwritten.
    """
    known = _recipients(recipients)
    clear, sealed = path.with_name(f".{path.name}.clear"), path.with_name(f".{path.name}.sealed")
    try:
        with _private(clear) as descriptor, os.fdopen(descriptor, "w+b", closefd=False) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
                yield Archive(bundle)
            file.flush()
            os.fsync(descriptor)
            if known:
                file.seek(0)
                _seal(file, sealed, known)
        (sealed if known else clear).replace(path)
        sync_folder(str(path.parent))
    finally:
        clear.unlink(missing_ok=True)
        sealed.unlink(missing_ok=True)


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recipients(texts: tuple[str, ...]) -> list[Any]:
    import pyrage  # type: ignore[import-untyped]  # the wheel has no stubs

    try:
        return [pyrage.x25519.Recipient.from_str(text) for text in texts]
    except pyrage.RecipientError:
        raise Invalid(
            "a recipient isn't a public key of age",
            code="SYN863",
            help="It begins with age1; `age-keygen -y` prints it.",
        ) from None


def _seal(file: Any, path: Path, recipients: list[Any]) -> None:
    import pyrage

    with _private(path) as descriptor, os.fdopen(descriptor, "wb", closefd=False) as out:
        pyrage.encrypt_io(file, out, recipients)
        out.flush()
        os.fsync(descriptor)


@contextmanager
def _private(path: Path) -> Iterator[int]:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
