"""A key-encryption key in HashiCorp Vault's or OpenBao's transit engine: the key stays there, which wraps for us.

Replacing it makes a new version of the same transit key there. Old versions open what they wrapped until
`min_decryption_version` is raised there, which is left to whoever owns the engine.
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar, Final, Self

from msgspec import Struct

from syncline.model.errors import Invalid, Stalled
from syncline.secrets.vault_client import Refused, VaultClient

if TYPE_CHECKING:
    from syncline.secrets.keys.kek_where import Where


# The server takes v0 for v1, and overlooks stray bits at the end.
_FORM: Final = re.compile(r"vault:v[1-9][0-9]*:([A-Za-z0-9+/]+=*)")


class VaultKek(Struct, frozen=True):
    """`vault:MOUNT/KEY`, such as `vault:transit/syncline`."""

    name: ClassVar[str] = "vault"
    client: VaultClient
    mount: str
    key: str

    def wrap(self, key: bytes, about: bytes) -> bytes:
        body = {"plaintext": _text(key), "associated_data": _text(about)}
        answer = self.client.post(f"{self.mount}/encrypt/{self.key}", body)
        return str(answer["ciphertext"]).encode()

    def unwrap(self, wrapped: bytes, about: bytes) -> bytes:
        try:
            text = wrapped.decode("ascii")
            form = _FORM.fullmatch(text)
            if form is None or _text(base64.b64decode(form[1], validate=True)) != form[1]:
                raise ValueError("it isn't what the transit engine gives")
            body = {"ciphertext": text, "associated_data": _text(about)}
            answer = self.client.post(f"{self.mount}/decrypt/{self.key}", body)
            return base64.b64decode(str(answer["plaintext"]), validate=True)
        except (UnicodeDecodeError, binascii.Error, KeyError):
            raise ValueError("it isn't what the transit engine gives") from None
        except Refused as refused:
            if refused.status != 400 or "decrypt" not in refused.path:
                raise
            raise ValueError("it was changed, or was wrapped by another key") from None

    def close(self) -> None:
        """Ends the login."""
        self.client.close()

    @classmethod
    def open(cls, where: Where, at: str) -> Self:
        mount, key = _parts(at)
        return cls(VaultClient.of(where.environ), mount, key)

    @classmethod
    def make(cls, where: Where, wanted: str, id: str) -> str:  # noqa: A002 - the field's word
        del id
        mount, key = _parts(wanted)
        with closing(VaultClient.of(where.environ)) as client:
            return cls._version(client, mount, key)

    @classmethod
    def _version(cls, client: VaultClient, mount: str, key: str) -> str:
        """A new version of a key, or the key where there is none; where it is."""
        try:
            found = client.get(f"{mount}/keys/{key}")
        except Refused as refused:
            if refused.status != 404:
                raise
            client.post(f"{mount}/keys/{key}", {"type": "aes256-gcm96"})
            return f"{mount}/{key}"
        if found.get("type") not in {"aes256-gcm96", "aes128-gcm96", "chacha20-poly1305"}:
            raise Stalled(
                f"the transit key {mount}/{key} is of type {found.get('type')}, which wraps nothing for a place",
                code="SYN822",
                help="Make one of type aes256-gcm96.",
            )
        client.post(f"{mount}/keys/{key}/rotate", {})
        return f"{mount}/{key}"

    @classmethod
    def make_beside(cls, where: Where, at: str, file: str, id: str) -> str:  # noqa: A002 - the field's word
        del file
        try:
            return cls.make(where, f"{at}-{id}", id)
        except Refused as refused:
            if refused.status != 403:
                raise
            mount, key = _parts(at)
            raise Stalled(
                refused.message,
                code="SYN822",
                help=f"Allow create, read and update on {mount}/keys/{key}-*, {mount}/encrypt/{key}-* and "
                f"{mount}/decrypt/{key}-*, update on {mount}/keys/{key}-*/config and delete on {mount}/keys/{key}-*: "
                "keys of their own cover rejects and images, and go when somebody is erased.",
            ) from None

    @classmethod
    def has(cls, where: Where, at: str) -> bool:
        mount, key = _parts(at)
        with closing(VaultClient.of(where.environ)) as client:
            try:
                client.get(f"{mount}/keys/{key}")
            except Refused as refused:
                if refused.status != 404:
                    raise
                return False
        return True

    @classmethod
    def shred(cls, where: Where, at: str) -> str:
        mount, key = _parts(at)
        with closing(VaultClient.of(where.environ)) as client:
            try:
                client.post(f"{mount}/keys/{key}/config", {"deletion_allowed": True})
                client.asked("DELETE", f"{mount}/keys/{key}")
            except Refused as refused:
                if refused.status not in {403, 404}:
                    raise
                return "" if refused.status == 404 else f"the transit key {at} stays in Vault: delete it there"
        return ""

    @classmethod
    def destroy(cls, where: Where, at: str) -> str:
        del where
        return f"the transit key {at} stays in Vault: raise its min_decryption_version, or delete it, there"


def _parts(text: str) -> tuple[str, str]:
    mount, _, key = text.rpartition("/")
    if not mount or not key:
        raise Invalid("no transit key is named", code="SYN824", help="Give its mount and name: vault:transit/syncline.")
    return mount, key


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
