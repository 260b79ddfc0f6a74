"""Decrypt SOPS files whose data key is encrypted with age: our own reader of the format, over `pyrage` and AES-GCM.

A value `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]` is AES-256-GCM with its path as associated data (list numbers left
out). A SHA-512 over all values in document order, encrypted the same way with the time of the last change as associated
data, guards against values that were removed, moved or taken from an older file.

Only age: other key services, Shamir groups and rules on comments are refused by name. `sops_write.py` writes values.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from syncline.model.secret import Secret
from syncline.secrets import age
from syncline.secrets.parts import SecretTree
from syncline.secrets.sops_tree import Leaf, SopsError, Tree, read

_VALUE = re.compile(
    r"ENC\[AES256_GCM,data:([A-Za-z0-9+/=]*),iv:([A-Za-z0-9+/=]+),tag:([A-Za-z0-9+/=]+),"
    r"type:(str|int|float|bool|bytes|time|comment)\]"
)
_RULES: Final = ("unencrypted_suffix", "encrypted_suffix", "unencrypted_regex", "encrypted_regex")
_UNSUPPORTED_RULES: Final = ("encrypted_comment_regex", "unencrypted_comment_regex")
_OTHER_KEYS: Final = ("pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms")
_METADATA: Final = frozenset(
    {*_RULES, *_UNSUPPORTED_RULES, *_OTHER_KEYS, "age", "key_groups", "lastmodified", "mac", "mac_only_encrypted",
     "shamir_threshold", "version"}
)  # fmt: skip
# Hashed first when only encrypted values are authenticated, so that a file cannot be turned into the other sort.
_ONLY_ENCRYPTED: Final = bytes.fromhex("8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69")


def names(data: bytes, *, is_json: bool) -> SecretTree:
    """The shape of a file without decrypting it: every value is an empty Secret."""

    def blank(tree: Tree) -> SecretTree:
        match tree:
            case dict():
                return {name: blank(item) for name, item in tree.items()}
            case list():
                return [blank(item) for item in tree]
            case None:
                return None
            case Leaf():
                return Secret("")

    tree = read(data, is_json=is_json)
    _metadata(tree)
    return blank(tree)


def decrypt(data: bytes, identities: Sequence[Secret], *, is_json: bool) -> SecretTree:
    """Decrypt a whole file and check that it is as SOPS left it; SopsError says what is wrong, without values."""
    return _decrypt(data, identities, is_json=is_json)[0]


def unlock(data: bytes, identities: Sequence[Secret], *, is_json: bool) -> Unlocked:
    """What writing into a file needs, once it is known to be as SOPS left it; SopsError as `decrypt`."""
    return _decrypt(data, identities, is_json=is_json)[1]


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A file's cipher and rules. `is_encrypted(path)`: whether a value at a path is, of names without list numbers."""

    cipher: Any = field(repr=False)
    is_encrypted: Callable[[tuple[str, ...]], bool]
    only_encrypted: bool

    def open(self, tree: dict[str, Tree]) -> tuple[SecretTree, str]:
        """The values of a tree without metadata, and the MAC over them, in the clear."""
        digest = hashlib.sha512(_ONLY_ENCRYPTED if self.only_encrypted else b"")

        def walk(tree: Tree, path: tuple[str, ...]) -> SecretTree:
            match tree:
                case dict():
                    return {name: walk(item, (*path, name)) for name, item in tree.items()}
                case list():
                    return [walk(item, path) for item in tree]
                case None:
                    return None
                case Leaf(text) if self.is_encrypted(path):
                    plain = _open(self.cipher, text, "".join(f"{name}:" for name in path)) if text else b""
                    digest.update(plain)
                    return _secret(plain, path)
                case Leaf(text):
                    if not self.only_encrypted:
                        digest.update(text.encode())
                    return Secret(text)

        return walk(tree, ()), digest.hexdigest().upper()


def _decrypt(data: bytes, identities: Sequence[Secret], *, is_json: bool) -> tuple[SecretTree, Unlocked]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    tree = read(data, is_json=is_json)
    metadata = _metadata(tree)
    cipher = AESGCM(_data_key(metadata, identities))
    unlocked = Unlocked(cipher, _rule(metadata), _text(metadata, "mac_only_encrypted") == "True")
    result, digest = unlocked.open(tree)
    mac = _open(cipher, _text(metadata, "mac"), _text(metadata, "lastmodified"))
    if not hmac.compare_digest(mac, digest.encode()):
        raise SopsError("it was changed after it was encrypted: its MAC does not match")
    return result, unlocked


def recipients(data: bytes, *, is_json: bool) -> list[str]:
    """The age recipients a file is encrypted for, to tell people which key is wanted."""
    return [name for name, _ in _stanzas(_metadata(read(data, is_json=is_json)))]


def _metadata(tree: dict[str, Tree]) -> dict[str, Tree]:
    """Take the metadata out of the tree."""
    metadata = tree.pop("sops", None)
    if not isinstance(metadata, dict):
        raise SopsError("it is not encrypted by SOPS: there is no `sops` at its top")
    if unknown := sorted(metadata.keys() - _METADATA):
        raise SopsError(f"its metadata has {unknown[0]!r}, which is not known: it may be a rule of what is encrypted")
    if any(_text(metadata, rule) for rule in _UNSUPPORTED_RULES):
        raise SopsError("it uses rules on comments, which are not supported")
    if _text(metadata, "shamir_threshold") not in {"", "0", "1"} or metadata.get("key_groups"):
        raise SopsError("it uses key groups, which are not supported")
    if not _text(metadata, "mac") or not _text(metadata, "lastmodified"):
        raise SopsError("it has no MAC, so that changes to it could not be noticed")
    return metadata


def _text(metadata: dict[str, Tree], name: str) -> str:
    value = metadata.get(name)
    return value.text if isinstance(value, Leaf) else ""


def _stanzas(metadata: dict[str, Tree]) -> Iterator[tuple[str, str]]:
    entries = metadata.get("age")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield _text(entry, "recipient"), _text(entry, "enc")


def _data_key(metadata: dict[str, Tree], identities: Sequence[Secret]) -> bytes:
    """Decrypt the data key with the first identity that can."""
    import pyrage  # type: ignore[import-untyped]  # the wheel has no stubs

    stanzas = list(_stanzas(metadata))
    if not stanzas:
        others = [name for name in _OTHER_KEYS if metadata.get(name)]
        raise SopsError(f"it is encrypted with {' and '.join(others) or 'no key at all'}, and only age is supported")
    try:
        keys = [pyrage.x25519.Identity.from_str(identity.reveal()) for identity in identities]
    except pyrage.IdentityError:
        raise SopsError("one of the age identities given is not an X25519 identity (AGE-SECRET-KEY-1…)") from None
    for name, armored in stanzas:
        try:
            key = age.decrypt(armored.encode(), keys) if keys else b""
        except ValueError:
            continue
        if name not in {str(identity.to_public()) for identity in keys}:
            raise SopsError(f"its data key is said to be for {name or 'nobody'}, and it is for another recipient")
        if len(key) == 32:
            return key
    raise SopsError(
        f"none of the {len(keys)} age identities given is for it; it is for {', '.join(n for n, _ in stanzas)}"
    )


def _rule(metadata: dict[str, Tree]) -> Callable[[tuple[str, ...]], bool]:
    """Which values are encrypted, by the names on their path. SOPS writes one rule at most."""
    rules = {name: text for name in _RULES if (text := _text(metadata, name))}
    if len(rules) > 1:
        raise SopsError(f"it has more than one rule of what is encrypted: {', '.join(rules)}")
    if not rules:
        return lambda _: True
    ((name, text),) = rules.items()
    if name.endswith("suffix"):
        matches: Callable[[str], Any] = lambda step: step.endswith(text)  # noqa: E731 - one of two
    else:
        matches = _regex(text)
    encrypts = name.startswith("encrypted")
    return lambda path: any(matches(step) for step in path) is encrypts


def _regex(pattern: str) -> Callable[[str], Any]:
    import re2  # the syntax of Go's regexp, and no pattern can hang it

    try:
        found: Callable[[str], Any] = re2.compile(pattern).search
    except re2.error:
        raise SopsError("its rule of what is encrypted is not a regular expression") from None
    return found


def _open(cipher: Any, text: str, path: str) -> bytes:
    """Decrypt one value."""
    from cryptography.exceptions import InvalidTag

    where = path.rstrip(":").replace(":", ".")
    found = _VALUE.fullmatch(text)
    if found is None:
        raise SopsError(f"the value of {where} is not encrypted, but should be")
    try:
        data, nonce, tag = map(_decode, found.groups()[:3])
        plain: bytes = cipher.decrypt(nonce, data + tag, path.encode())
    except (binascii.Error, ValueError, InvalidTag):
        raise SopsError(f"the value of {where} was changed after it was encrypted, or moved there") from None
    return plain


def _decode(text: str) -> bytes:
    """Base64 in its one canonical form: Python alone would accept stray bits in the last character."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError
    return data


def _secret(plain: bytes, path: tuple[str, ...]) -> Secret:
    try:
        return Secret(plain.decode())
    except UnicodeDecodeError:
        del plain  # a traceback with local variables must not show it
        raise SopsError(f"the value of {'.'.join(path)} is not text") from None
