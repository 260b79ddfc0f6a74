"""Covers: what wraps keys of parts beside the tenant's data key, so that a part can be destroyed in copies too.

    keys/covers/NAME/00000002-ID.key     a random key, wrapped by a key-encryption key of its own, and where that is
    keys/covers/NAME/ID.kek              that one, where the key ring's is a file too; else it is in Vault or the HSM

To destroy the file of a part's key reaches no copy of it, and the tenant's data key, which opens it, goes on living. So
whoever is erased leaves with the cover: a new one wraps the keys of all parts that are left, and the key-encryption key
of the former one is destroyed where it is. What copies of the folder have of parts can't be opened then by anybody:
neither by the copy as a whole, nor put back into the folder. Where that key is a file, it goes as far as copies were
made without it.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
import re
import secrets
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from syncline.model.errors import Stalled
from syncline.secrets.keys import key_file, ring_file
from syncline.secrets.keys.envelope import DESTROYED
from syncline.secrets.keys.kek import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.secrets.keys.kek_where import Where

_NAME: Final = re.compile(r"(\d{8})-([0-9a-f]{16})\.key")
_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class Cover:
    """One of them: its file and the place of its key-encryption key (`file:covers/…`, `vault:…`, `pkcs11:…`)."""

    path: Path
    place: str
    wrapped: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Its ID, which is in what it wraps."""
        return self.path.stem.partition("-")[2]

    @property
    def number(self) -> int:
        """How many there were before it, and 1."""
        return int(self.path.stem.partition("-")[0])


@dataclass(frozen=True, slots=True)
class Covers:
    """The covers of a tenant, oldest first. `opened` keeps what was unwrapped: the place may be far away."""

    where: Where
    stem: str
    opened: dict[str, bytes] = field(repr=False)

    @property
    def folder(self) -> Path:
        """Where their files are."""
        return self.where.folder / "covers" / self.stem

    def __iter__(self) -> Iterator[Cover]:
        for path in sorted(self.folder.glob("*.key")):
            if _NAME.fullmatch(path.name) and (data := key_file.read(path)) is not None:
                yield _read(path, data)

    def newest(self) -> tuple[str, bytes]:
        """
        The ID and the key of the one that wraps now, made where there is none, or none any more whose key-encryption
        key is there. The folder's lock is held.
        """
        found = list(self)
        if not found or not self._is_there(found[-1]):
            found.append(self.make())
        return found[-1].id, self.key(found[-1].id)

    def key(self, id: str) -> bytes:  # noqa: A002 - the field's word
        """
        The key of a cover. `KeyError` where there is no such file (any more); `Stalled` (SYN823) where what opens it
        was destroyed, (SYN805) where it is damaged, and what keeps its place from being asked.
        """
        if id not in self.opened:
            cover = next((cover for cover in self if cover.id == id), None)
            if cover is None:
                raise KeyError(id)
            self.opened[id] = self._unwrapped(cover)
        return self.opened[id]

    def make(self) -> Cover:
        """Another one, where the key ring's own key is; on disk when this returns. The folder's lock is held."""
        entry = [entry for entry in ring_file.read(self.where.folder) if entry.ready][-1]
        place, at = place_of(entry.place)
        id_ = secrets.token_hex(8)
        number = max((cover.number for cover in self), default=0) + 1
        path = self.folder / f"{number:08d}-{id_}.key"
        told = f"{place.name}:{place.make_beside(self.where, at, f'covers/{self.stem}/{id_}.kek', id_)}"
        with closing(place.open(self.where, place_of(told)[1])) as kek:
            wrapped = kek.wrap(os.urandom(_SIZE), self._about(path, told))
        key_file.create(path, _text(told, wrapped))
        return Cover(path, told, wrapped)

    def destroy(self, cover: Cover) -> str:
        """Destroys one with its key-encryption key; what remains for a person to do, '' for nothing."""
        place, at = place_of(cover.place)
        remains = place.shred(self.where, at)
        self.opened.pop(cover.id, None)
        note = {"tenant": self.stem, "kind": "cover", "destroyed": dt.datetime.now(dt.UTC).date().isoformat()}
        key_file.create(self._note(cover.id), json.dumps(note).encode())
        if cover.path.exists():
            key_file.destroy(cover.path)
        return remains

    def sweep(self) -> None:
        """Removes what a kill left: drafts, what was being destroyed, and keys of covers that never came to be."""
        known = {cover.id for cover in self}
        for path in self.folder.glob("*"):
            of = path.stem.rpartition("-")[2]
            if path.is_file() and (path.name.startswith(".") or of not in known):
                key_file.destroy(path)

    def was_destroyed(self, id: str) -> bool:  # noqa: A002 - the field's word
        """Whether one of this ID was destroyed here."""
        return self._note(id).exists()

    def _note(self, id_: str) -> Path:
        return self.where.folder / "destroyed" / id_

    def _is_there(self, cover: Cover) -> bool:
        place, at = place_of(cover.place)
        return place.has(self.where, at)

    def _unwrapped(self, cover: Cover) -> bytes:
        if not self._is_there(cover):
            raise Stalled(
                f"keys that {cover.path} wrapped can't be opened: the key at {cover.place} isn't there any more",
                code=DESTROYED,
                help="It goes when somebody is erased, so that copies from before can't be read. Go on without them.",
            )
        place, at = place_of(cover.place)
        try:
            with closing(place.open(self.where, at)) as kek:
                key = kek.unwrap(cover.wrapped, self._about(cover.path, cover.place))
            if len(key) != _SIZE:
                raise ValueError("it is no cover")
        except ValueError:
            raise _damaged(cover.path) from None
        return key

    def _about(self, path: Path, place: str) -> bytes:
        return f"SYC1 {self.stem} {path.name} {place}".encode()


def _text(place: str, wrapped: bytes) -> bytes:
    document = {"version": 1, "place": place, "wrapped": base64.b64encode(wrapped).decode()}
    check = hashlib.sha256(json.dumps(document).encode()).hexdigest()  # tells damage, not an attacker
    return (json.dumps(document | {"check": check}, separators=(",", ":")) + "\n").encode()


def _read(path: Path, data: bytes) -> Cover:
    try:
        document = json.loads(data)
        place, wrapped = str(document["place"]), base64.b64decode(document["wrapped"], validate=True)
        if data != _text(place, wrapped):
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise _damaged(path) from None
    return Cover(path, place, wrapped)


def _damaged(path: Path) -> Stalled:
    return Stalled(
        f"the cover {path} is damaged", code="SYN805", help="Restore the key folder as a whole from a backup."
    )
