"""Who signs a home's audit log: a key in a file, or one in an HSM where SYNCLINE_AUDIT_SIGNER asked for it at first.

A log is signed by one key for life. The variable counts when that key is made; what it says later must fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from syncline.audit.hsm_signer import HsmSigner, verifier_in
from syncline.audit.note import Signer, VerifierKey
from syncline.audit.signer import FileSigner
from syncline.model.errors import Stalled

if TYPE_CHECKING:
    from syncline.settings import Settings

#: The files that say which key it is, in the folder of keys; there is one of them.
FILE: Final = "audit.pem"
HSM: Final = "audit.hsm.json"
VARIABLE: Final = "SYNCLINE_AUDIT_SIGNER"


def load_signer(settings: Settings) -> Signer:
    """The key that signs this log; `Stalled` when there is none, or it can't be used: then nothing may be done."""
    pointer, wanted = settings.keys / HSM, settings.environ.get(VARIABLE, "")
    if pointer.exists():
        return HsmSigner.load(pointer, settings.environ)
    signer = FileSigner.load(settings.keys / FILE)
    if wanted:
        raise Stalled(
            f"{VARIABLE} asks for a key in an HSM, and this log is signed by one in a file",
            code="SYN901",
            help="A log is signed by one key for life: leave the variable out, or begin another home with it.",
        )
    return signer


def open_signer(settings: Settings, origin: str) -> tuple[Signer, bool]:
    """The key that signs this log, made at first use; and whether it was made now."""
    if (settings.keys / HSM).exists() or (settings.keys / FILE).exists():
        return load_signer(settings), False
    if wanted := settings.environ.get(VARIABLE):
        return HsmSigner.create(settings.keys / HSM, wanted, origin, settings.environ), True
    return FileSigner.create(settings.keys / FILE, origin), True


def log_verifier(settings: Settings) -> VerifierKey:
    """The public half of the key that signs this log. An HSM isn't asked for it."""
    pointer = settings.keys / HSM
    return verifier_in(pointer) if pointer.exists() else FileSigner.load(settings.keys / FILE).verifier
