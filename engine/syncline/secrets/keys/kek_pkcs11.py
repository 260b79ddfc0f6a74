"""A key-encryption key in an HSM: an AES-256 key that is made there and never leaves it, used as AES-256-GCM.

Tried with SoftHSM 2. Nonces are ours, since a token need not make any.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from msgspec import Struct

from syncline import hsm
from syncline.model.errors import Invalid, Stalled

if TYPE_CHECKING:
    import pkcs11

    from syncline.secrets.keys.kek_where import Where

_NONCE: Final = 12
_TAG_BITS: Final = 128


class Pkcs11Kek(Struct, frozen=True):
    """`pkcs11:TOKEN/LABEL`: the token's label and the key's."""

    name: ClassVar[str] = "pkcs11"
    token: hsm.Token
    label: str

    def wrap(self, key: bytes, about: bytes) -> bytes:
        nonce = os.urandom(_NONCE)

        def encrypt(session: pkcs11.Session) -> bytes:
            from pkcs11 import Mechanism

            return bytes(
                self._key(session).encrypt(key, mechanism=Mechanism.AES_GCM, mechanism_param=_gcm(nonce, about))
            )

        return nonce + self.token.use(encrypt)

    def unwrap(self, wrapped: bytes, about: bytes) -> bytes:
        nonce, sealed = wrapped[:_NONCE], wrapped[_NONCE:]

        def decrypt(session: pkcs11.Session) -> bytes | None:
            from pkcs11 import Mechanism, exceptions

            key = self._key(session)
            try:
                return bytes(key.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=_gcm(nonce, about)))
            except (
                exceptions.GeneralError,  # SoftHSM's word for a tag that doesn't fit
                exceptions.EncryptedDataInvalid,
                exceptions.EncryptedDataLenRange,
                exceptions.SignatureInvalid,
            ):
                return None

        found = self.token.use(decrypt)
        if found is None:
            raise ValueError("it was changed, or was wrapped by another key")
        return found

    def close(self) -> None:
        """The token's session is the process's, and stays."""

    def _key(self, session: pkcs11.Session) -> Any:
        return _find(session, self.label)

    @classmethod
    def open(cls, where: Where, at: str) -> Self:
        token, _, label = at.partition("/")
        opened = cls(hsm.token(token, where.environ), label)
        opened.token.use(opened._key)
        return opened

    @classmethod
    def make(cls, where: Where, wanted: str, id: str) -> str:  # noqa: A002 - the field's word
        token = wanted.partition("/")[0]
        if not token:
            raise Invalid("no token is named", code="SYN824", help="Give its label: pkcs11:TOKEN.")
        label = f"syncline-kek-{id}"

        def generate(session: pkcs11.Session) -> None:
            from pkcs11 import Attribute, KeyType

            if _all(session, label):
                return
            hidden = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
            session.generate_key(KeyType.AES, 256, label=label, store=True, template=hidden)

        hsm.token(token, where.environ).use(generate)
        return f"{token}/{label}"

    @classmethod
    def make_beside(cls, where: Where, at: str, file: str, id: str) -> str:  # noqa: A002 - the field's word
        del file
        return cls.make(where, at.partition("/")[0], id)

    @classmethod
    def has(cls, where: Where, at: str) -> bool:
        token, _, label = at.partition("/")
        try:
            return bool(hsm.token(token, where.environ).use(lambda session: hsm.present(_all(session, label))))
        except hsm.Absent:
            return False

    @classmethod
    def shred(cls, where: Where, at: str) -> str:
        return cls.destroy(where, at)

    @classmethod
    def destroy(cls, where: Where, at: str) -> str:
        token, _, label = at.partition("/")

        def destroy(session: pkcs11.Session) -> None:
            for key in hsm.present(_all(session, label)):
                key.destroy()

        with suppress(hsm.Absent):
            hsm.token(token, where.environ).use(destroy)
        return ""


def _gcm(nonce: bytes, about: bytes) -> object:
    from pkcs11 import GCMParams

    return GCMParams(nonce, about, _TAG_BITS)


def _all(session: pkcs11.Session, label: str) -> list[Any]:
    from pkcs11 import Attribute, ObjectClass

    return list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: label}))


def _find(session: pkcs11.Session, label: str) -> Any:
    found = hsm.present(_all(session, label))
    if len(found) != 1:
        raise Stalled(
            f"the HSM has {len(found)} keys named {label}, where one is expected",
            code="SYN821",
            help="Restore the key into the token, or use the token that has it.",
        )
    return found[0]
