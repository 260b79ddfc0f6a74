"""The key ring: the keys of a folder, made when they are first needed. Processes may share the folder."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from syncline.model.errors import Invalid, Stalled
from syncline.secrets.keys import key_file, ring_file
from syncline.secrets.keys.cover import Covers
from syncline.secrets.keys.envelope import Envelope, derive, key_id
from syncline.secrets.keys.folder import alone
from syncline.secrets.keys.kek import Kek, place_of
from syncline.secrets.keys.kek_file import FIRST, LOST
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.part_key import PartKeys
from syncline.secrets.keys.seal_keys import SealKeys
from syncline.secrets.keys.wrapped_key import Wrapped

SHARED: Final = "_shared"
#: Folders of keys that are wrapped by a tenant's.
HANGING: Final = ("parts", "seals", "covers")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_RESTORE: Final = "Restore the key folder as a whole from a backup. Without one, see `syncline keys lost`."


class KeyRing:
    """The keys in a folder, for as long as it is used. Safe for threads."""

    def __init__(self, where: Where, *, looking: bool = False) -> None:
        self._where = where
        self._looking = looking
        self._passing: dict[str, bytes] = {}
        self._keks: dict[str, Kek] = {}
        self._covers: dict[str, bytes] = {}
        self._unwrapped: dict[bytes, bytes] = {}  # by the file's content: a key-encryption key may be far away
        self._envelopes: dict[str, tuple[list[bytes], Envelope]] = {}  # of tenants, with the keys that they are of

    @classmethod
    def open(cls, directory: Path, environ: Mapping[str, str] = MappingProxyType({})) -> KeyRing:
        """Open the folder (`.syncline/keys`), making the key-encryption key when there is none.

        `environ` says how to reach keys that are elsewhere. Raises Stalled when a key is damaged or open to others, and
        when there are wrapped keys but nothing to unwrap them with: a new key would hide that the old one was lost.
        """
        if not _is_there(directory):
            key_file.create(directory / FIRST, os.urandom(32))
        ring = cls(Where(directory, environ))
        ring.current()
        return ring

    @classmethod
    def look(cls, directory: Path, environ: Mapping[str, str] = MappingProxyType({})) -> KeyRing:
        """Open the folder for who only looks: nothing is made in it, nor the folder itself.

        A data key that isn't there is made up, in memory, for as long as this ring is used. Raises as `open`.
        """
        ring = cls(Where(directory, environ), looking=True)
        if _is_there(directory):
            ring.current()
        return ring

    @classmethod
    def opened(cls, where: Where) -> KeyRing:
        """The keys of a folder in which some may be lost: nothing is made or asked for before it is needed."""
        return cls(where, looking=True)

    def close(self) -> None:
        """Ends the logins to where key-encryption keys are; the ring may be used on, which logs in again."""
        for kek in self._keks.values():
            kek.close()

    # --- sealing

    def envelope(self, tenant: str = "", part: str = "") -> Envelope:
        """The tenant's envelope (that of what is shared for an empty name); a data key is made when there is none.

        With a part, such as the rejects of one run, the envelope is of a key of that part alone: destroying it, or the
        tenant's, makes what it sealed unreadable.
        """
        key = self._data_key(tenant)
        if part and self._looking and not self._parts(tenant, key).path(part).exists():
            return Envelope.of(tenant, self._made_up(f"{tenant}/{part}"), self._when_destroyed)
        if part:
            return Envelope.of(tenant, self._parts(tenant, key).key(part), self._when_destroyed)
        keys = [key, *self._seals(tenant, key).read()]
        known = self._envelopes.get(tenant)
        if known is None or known[0] != keys:
            envelope = Envelope.of(tenant, keys[-1], self._when_destroyed, keys[:-1])
            known = self._envelopes[tenant] = keys, envelope
        return known[1]

    def renew(self, tenant: str, age: dt.timedelta, now: dt.datetime) -> bool:
        """
        Has another key seal for the tenant from now on, where the one that does is that old or none was made yet;
        whether one was made. What was sealed before opens as before, and hashes stay what they are.
        """
        seals = self._seals(tenant, self._data_key(tenant))
        with alone(self._where.folder):
            known = seals.age(now)
            if known is not None and known < age:
                return False
            seals.make(now)
            return True

    def opening(self, tenant: str, part: str) -> Envelope:
        """
        The envelope that opens what may have been sealed for a part: no key is made. Where the part has none, the
        tenant's, which says when the part's was destroyed; and where that has none either, one that opens nothing.
        """
        if not self._path(tenant).exists():
            return Envelope.of(tenant, os.urandom(32), self._when_destroyed)
        return self.envelope(tenant, part if self.exists(tenant, part) else "")

    def seal(self, tenant: str, plaintext: bytes, aad: str) -> bytes:
        """Seal for a tenant; for many blobs keep its `envelope`."""
        return self.envelope(tenant).seal(plaintext, aad)

    def unseal(self, tenant: str, blob: bytes, aad: str) -> bytes:
        """Open what was sealed for a tenant."""
        return self.envelope(tenant).open(blob, aad)

    def tenant_hash_key(self, tenant: str = "") -> bytes:
        """The tenant's 32-byte key for keyed hashes (`protect: {hash: tenant}`): stable, destroyed with its data key.

        The same value hashes alike for one tenant and differently for each other, so hashes cannot be joined across
        tenants, nor guessed by someone without the key.
        """
        return derive(self._data_key(tenant), b"hash")

    def credential_key(self, tenant: str = "") -> bytes:
        """The tenant's 32-byte key for digests of its credentials, which tell whether one was replaced."""
        return derive(self._data_key(tenant), b"credentials")

    # --- what there is

    def exists(self, tenant: str = "", part: str = "") -> bool:
        """Whether the tenant, or a part of what it keeps, has a data key."""
        if not self._path(tenant).exists():
            return False
        return not part or self._parts(tenant, self._data_key(tenant)).path(part).exists()

    def remains(self, tenant: str) -> int:
        """How many files of keys there are of a tenant: its data key, and what hangs on that."""
        aside = sum(1 for _ in self._where.folder.glob(f"lost/*/tenants/{self._path(tenant).name}"))
        files = (file for folder in self._hanging(tenant) for file in folder.glob("*") if file.is_file())
        return self._path(tenant).exists() + aside + sum(1 for _ in files)

    def current(self) -> Kek:
        """The key-encryption key that wraps now, open."""
        return self._kek(self._entries()[-1])

    def tenants(self) -> Iterator[tuple[str, str]]:
        """Whose data keys there are ('' for what is shared), and which key wraps each."""
        folder = self._where.folder
        for path in sorted(folder.glob("tenants/*.key")):
            wrapped = Wrapped.parse(key_file.read(path) or b"")
            yield "" if path.stem == SHARED else path.stem, wrapped.kek if wrapped else ""

    def destroy(self, tenant: str, part: str = "") -> bool:
        """Destroy a data key for good: what it sealed is erased, and a tenant's hashes can't be made again.

        Returns whether there was one. A key that is made for the name later is another key.
        """
        if not self.exists(tenant, part):
            return not part and self._clear(tenant)  # what a kill left
        key = self._data_key(tenant)
        path = self._path(tenant)
        if part:
            parts = self._parts(tenant, key)
            key, path = parts.key(part), parts.path(part)
        now = dt.datetime.now(dt.UTC).date().isoformat()
        sealing = [] if part else self._seals(tenant, key).read()
        note = json.dumps({"tenant": tenant, "kind": "part" if part else "tenant", "destroyed": now})
        with alone(self._where.folder):  # a rotation would put it back
            for gone in (key, *sealing):
                key_file.create(self._where.folder / "destroyed" / key_id(gone).hex(), note.encode())
            if not part:  # before the key, so that a kill in between is gone on from
                self._clear(tenant)
            self._unwrapped.clear()
            self._envelopes.clear()
            key_file.destroy(path)
        return True

    def renew_parts(self, tenant: str) -> tuple[str, ...]:
        """
        Has what copies of the folder hold of a tenant's parts be of no use from now on: see `cover.py`. What remains of
        that for a person to do. The parts that there are open as before; it goes on where it was killed.
        """
        if not self.exists(tenant):
            return ()
        parts = self._parts(tenant, self._data_key(tenant))
        with alone(self._where.folder):
            return parts.renew()

    def cover_place(self, tenant: str) -> str:
        """Where the key is that covers a tenant's parts now, such as `pkcs11:…`; '' where it has none."""
        return next((cover.place for cover in reversed(list(self._covers_of(tenant)))), "")

    def _covers_of(self, tenant: str) -> Covers:
        return Covers(self._where, self._path(tenant).stem, self._covers)

    def _clear(self, tenant: str) -> bool:
        """Removes the keys that hang on a tenant's, which are of no use without it; whether there were any."""
        found = [folder for folder in self._hanging(tenant) if folder.exists()]
        covers = self._covers_of(tenant)
        for cover in list(covers):
            covers.destroy(cover)
        for folder in found:
            shutil.rmtree(folder)
        aside = list(self._where.folder.glob(f"lost/*/tenants/{self._path(tenant).name}"))
        for path in aside:
            key_file.destroy(path)
        return bool(found or aside)

    def _hanging(self, tenant: str) -> list[Path]:
        """Folders of keys that hang on a tenant's data key, those that were set aside included."""
        stem, folder = self._path(tenant).stem, self._where.folder
        return [path for name in HANGING for path in (folder / name / stem, *folder.glob(f"lost/*/{name}/{stem}"))]

    def _when_destroyed(self, id: bytes) -> str:  # noqa: A002 - the field's word
        data = key_file.read(self._where.folder / "destroyed" / id.hex())
        if not data:
            return ""
        note = json.loads(data)
        return f"{note['destroyed']} (it was lost, and given up)" if note["kind"] == "lost" else str(note["destroyed"])

    # --- keys

    def _path(self, tenant: str) -> Path:
        if tenant and not _NAME.fullmatch(tenant):
            raise Invalid(f"{tenant!r} is not a name that a key can have", code="SYN805")
        return self._where.folder / "tenants" / f"{tenant or SHARED}.key"

    def _parts(self, tenant: str, key: bytes) -> PartKeys:
        stem = tenant or SHARED
        return PartKeys(self._where.folder / "parts" / stem, key, Covers(self._where, stem, self._covers))

    def _seals(self, tenant: str, key: bytes) -> SealKeys:
        return SealKeys(self._where.folder / "seals" / (tenant or SHARED), key)

    def _data_key(self, tenant: str) -> bytes:
        path = self._path(tenant)
        data = key_file.read(path)
        if data is None and self._looking:
            return self._made_up(tenant)
        if data is None:
            with alone(self._where.folder):
                self._check_never_made(path)
                entry = self._entries()[-1]
                wrapped = Wrapped.of(os.urandom(32), entry.id, path.stem, self._kek(entry))
                data = key_file.create(path, wrapped)
        try:
            return self._unwrap(data, path)
        except (ValueError, Stalled) as error:
            again = key_file.read(path)  # a rotation may have been faster than this
            if again is not None and again != data:
                return self._unwrap_or_stall(again, path)
            raise self._damaged(path) if isinstance(error, ValueError) else error from None

    def _check_never_made(self, path: Path) -> None:
        """`Stalled` (SYN805) where keys hang on a data key that isn't there: another would hide that it was lost."""
        hanging = any(file for kind in HANGING for file in (self._where.folder / kind / path.stem).glob("*.key"))
        if hanging and key_file.read(path) is None:
            raise Stalled(f"the data key {path} is missing", code="SYN805", help=LOST)

    def _made_up(self, name: str) -> bytes:
        return self._passing.setdefault(name, os.urandom(32))

    def _unwrap_or_stall(self, data: bytes, path: Path) -> bytes:
        try:
            return self._unwrap(data, path)
        except ValueError:
            raise self._damaged(path) from None

    def _unwrap(self, data: bytes, path: Path) -> bytes:
        key = self._unwrapped.get(data)
        if key is None:
            wrapped = Wrapped.parse(data)
            entry = next((e for e in self._entries() if wrapped and e.id == wrapped.kek), None)
            if wrapped is None or entry is None:
                raise ValueError
            key = wrapped.unwrap(path.stem, self._kek(entry))
            self._unwrapped[data] = key
        return key

    def _damaged(self, path: Path) -> Stalled:
        message = f"the data key {path} is damaged, or was wrapped by another key-encryption key"
        return Stalled(message, code="SYN805", help=_RESTORE)

    def _entries(self) -> tuple[ring_file.Entry, ...]:
        return tuple(entry for entry in ring_file.read(self._where.folder) if entry.ready)

    def _kek(self, entry: ring_file.Entry) -> Kek:
        found = self._keks.get(entry.id)
        if found is None:
            place, at = place_of(entry.place)
            found = self._keks[entry.id] = place.open(self._where, at)
        return found


def _is_there(directory: Path) -> bool:
    """Whether there is a key-encryption key; `Stalled` (SYN805) where there are only keys that one has wrapped."""
    if ring_file.read(directory):
        return True
    if any(directory.glob("tenants/*.key")):
        raise Stalled(f"{directory / FIRST} is missing", code="SYN805", help="Restore it from a backup.")
    return False
