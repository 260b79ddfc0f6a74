"""Rotation of the key that signs the audit log.

    the next key is made → both sign the change, and the next one the entry of it → the former is destroyed

Each arrow is one step that is done or not. After a kill anywhere, the log goes on with the key that signed it last, and
the next rotation finishes what was begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.audit.hsm_signer import destroy_key
from syncline.audit.log_signer import (
    FILE,
    HSM,
    NEXT_FILE,
    NEXT_HSM,
    key_files,
    next_key,
    open_key,
    place_of,
    refuse_file,
)
from syncline.executor.services.facilities import audit_origin, open_facilities
from syncline.secrets.keys import key_file
from syncline.secrets.keys.folder import alone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from syncline.audit.note import Signer, VerifierKey
    from syncline.settings import Settings


class SignerRotated(Struct, frozen=True):
    """The key that signs now and where it is, and whether the rotation was begun before."""

    verifier: VerifierKey
    place: str
    resumed: bool


def unfinished(settings: Settings) -> bool:
    """Whether a rotation was begun and not finished."""
    return any((settings.keys / name).exists() for name in (NEXT_FILE, NEXT_HSM))


def rotate_signer(settings: Settings, to: str = "") -> SignerRotated:
    """
    Has another key sign the audit log, made where `to` says (`file`, `pkcs11:TOKEN/ed25519`, `pkcs11:TOKEN/p256`; by
    default where the present one is); finishes a rotation that was begun before, wherever that one goes.

    `Invalid` where the next key would be in a file and the environment demands an HSM: the former isn't touched then.
    `Stalled` where a token can't be used: then the key is the former one, or the next rotation goes on.
    """
    with open_facilities(settings) as facilities, alone(settings.keys):
        return _rotate(settings, audit_origin(facilities.store.lineage), to, facilities.recorder.change_signer)


def _rotate(settings: Settings, origin: str, to: str, change: Callable[[Signer], object]) -> SignerRotated:
    resumed = unfinished(settings)
    if not resumed:
        next_key(settings, to, origin)
    signs, *others = key_files(settings)
    if not _is_next(signs):
        signs, others = next(path for path in others if _is_next(path)), [signs]
        if signs.name == NEXT_FILE:
            refuse_file(settings)  # of a rotation that was begun before the variable was set
        change(open_key(settings, signs))
    for path in others:
        _destroy(settings, path)
    final = settings.keys / (FILE if signs.name == NEXT_FILE else HSM)
    key_file.move(signs, final)
    return SignerRotated(open_key(settings, final).verifier, place_of(final), resumed)


def _is_next(path: Path) -> bool:
    return path.name in {NEXT_FILE, NEXT_HSM}


def _destroy(settings: Settings, path: Path) -> None:
    if path.suffix == ".json":
        destroy_key(path, settings.environ)  # a file that is half destroyed is of a key that was
    key_file.destroy(path)
