"""Who signs a home's audit log: a key in a file, or one in an HSM where SYNCLINE_AUDIT_SIGNER asked for it at first.

The variable counts when the first key is made; what it says later must fit, and `syncline audit rotate` changes it. The
file of a key that is to take over lies beside that of the present one. Which of the two signs isn't noted anywhere: it
is the one that signed the log's checkpoint, so that a rotation happens in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncline.audit import note, tiles
from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.hsm_signer import HsmSigner, place_in, verifier_in
from syncline.audit.malformed import Malformed
from syncline.audit.signer import FileSigner
from syncline.model.errors import Invalid, Stalled

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.audit.note import Signer, VerifierKey
    from syncline.settings import Settings

#: The files that say which key it is, in the folder of keys.
FILE: Final = "audit.pem"
HSM: Final = "audit.hsm.json"
#: Those of a key that takes over.
NEXT_FILE: Final = "audit.next.pem"
NEXT_HSM: Final = "audit.next.hsm.json"
VARIABLE: Final = "SYNCLINE_AUDIT_SIGNER"


def key_files(settings: Settings) -> tuple[Path, ...]:
    """The files of keys that there are, that of the one that signs first; more than one during a rotation only."""
    there = tuple(path for name in (FILE, HSM, NEXT_FILE, NEXT_HSM) if (path := settings.keys / name).exists())
    if len(there) < 2:
        return there
    try:
        checkpoint = DirectoryFetcher(settings.audit).fetch(tiles.CHECKPOINT)
    except FileNotFoundError:
        return there
    signs = next((path for path in there if _signed(checkpoint, path)), there[0])
    return (signs, *(path for path in there if path != signs))


def next_key(settings: Settings, to: str, origin: str) -> Signer:
    """
    Makes the key that is to take over, where `to` says: `file`, `pkcs11:TOKEN/ed25519` or `pkcs11:TOKEN/p256`; by
    default where the present one is.
    """
    place = to or place_of(key_files(settings)[0])
    if place == "file":
        refuse_file(settings)
        return FileSigner.create(settings.keys / NEXT_FILE, origin)
    if not place.startswith("pkcs11:"):
        raise Invalid(
            f"{place!r} is no place for the key that signs the log",
            code="SYN830",
            help="Give file, pkcs11:TOKEN/ed25519 or pkcs11:TOKEN/p256.",
        )
    return HsmSigner.create(settings.keys / NEXT_HSM, place, origin, settings.environ)


def refuse_file(settings: Settings) -> None:
    """`Invalid` where the environment asks for a key in an HSM: with one in a file, nothing could be signed then."""
    if settings.environ.get(VARIABLE):
        raise Invalid(
            f"{VARIABLE} asks for a key in an HSM, and the next key of the log would be in a file",
            code="SYN830",
            help="Leave the variable out, here and for every daemon, and rotate then.",
        )


def open_key(settings: Settings, path: Path) -> Signer:
    """The key that a file is, or names."""
    return HsmSigner.load(path, settings.environ) if _in_hsm(path) else FileSigner.load(path)


def place_of(path: Path) -> str:
    """Where the key of a file is, as `next_key` takes it."""
    return place_in(path) if _in_hsm(path) else "file"


def load_signer(settings: Settings) -> Signer:
    """The key that signs this log; `Stalled` when there is none, or it can't be used: then nothing may be done."""
    path = next(iter(key_files(settings)), settings.keys / FILE)
    signer = open_key(settings, path)
    if settings.environ.get(VARIABLE) and not _in_hsm(path):
        raise Stalled(
            f"{VARIABLE} asks for a key in an HSM, and this log is signed by one in a file",
            code="SYN901",
            help="Leave the variable out, and have `syncline audit rotate --to pkcs11:TOKEN/ed25519` change the key.",
        )
    return signer


def open_signer(settings: Settings, origin: str) -> tuple[Signer, bool]:
    """The key that signs this log, made at first use; and whether it was made now."""
    if key_files(settings):
        return load_signer(settings), False
    if wanted := settings.environ.get(VARIABLE):
        return HsmSigner.create(settings.keys / HSM, wanted, origin, settings.environ), True
    return FileSigner.create(settings.keys / FILE, origin), True


def log_verifier(settings: Settings) -> VerifierKey:
    """The public half of the key that signs this log. An HSM isn't asked for it."""
    return _verifier(next(iter(key_files(settings)), settings.keys / FILE))


def _verifier(path: Path) -> VerifierKey:
    return verifier_in(path) if _in_hsm(path) else FileSigner.load(path).verifier


def _signed(checkpoint: bytes, path: Path) -> bool:
    try:
        note.verify(checkpoint, [_verifier(path)])
    except (Malformed, Stalled):  # of a file that is damaged, or half destroyed
        return False
    return True


def _in_hsm(path: Path) -> bool:
    return path.suffix == ".json"
