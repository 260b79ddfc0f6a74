"""Rotation: a new key-encryption key takes over, which wraps the data keys anew. What they sealed isn't touched.

    meant → made → wraps what is new → each data key is wrapped again → the old one is destroyed → forgotten

Each arrow is one file put in place as a whole. After a kill anywhere, everything can still be opened, and the next
rotation takes up the one that was begun.
"""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from syncline.model.errors import Stalled
from syncline.secrets.keys import key_file, ring_file
from syncline.secrets.keys.folder import alone
from syncline.secrets.keys.kek import Kek, place_of
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.ring_file import Entry
from syncline.secrets.keys.wrapped_key import Wrapped


class Rotated(Struct, frozen=True):
    """What a rotation did: the new key, how many data keys it wraps, whether it was begun before, what is left."""

    entry: Entry
    former: str
    count: int
    resumed: bool
    remains: tuple[str, ...] = ()


def unfinished(folder: Path) -> bool:
    """Whether a rotation was begun and not finished."""
    return len(ring_file.read(folder)) > 1


def rotate(where: Where, to: str = "") -> Rotated:
    """
    Makes a new key-encryption key at a place (`file`, `vault:MOUNT/KEY`, `pkcs11:TOKEN`; by default where the present
    one is) and has it wrap all data keys; finishes a rotation that was begun before, wherever that one goes.

    `Stalled` or `Again` where a place can't be reached, or a data key is damaged: then nothing is lost, and the old key
    stays.
    """
    folder = where.folder
    with alone(folder):
        entries = ring_file.read(folder)
        if not entries:
            raise Stalled("there is no key to rotate", code="SYN824", help="Keys are made at the first apply.")
        _sweep(folder)
        resumed = len(entries) > 1
        if not resumed:
            today = dt.datetime.now(dt.UTC).date().isoformat()
            entries = (*entries, Entry(secrets.token_hex(8), to or _again(entries[0]), today, ready=False))
            place_of(entries[-1].place)  # refuses what is none
            ring_file.write(folder, entries)
        if not entries[-1].ready:
            entries = (*entries[:-1], _made(where, entries))
            ring_file.write(folder, entries)
        count = _wrap_again(where, entries)
        remains = [_destroyed(where, old, entries[-1]) for old in entries[:-1]]
        ring_file.write(folder, entries[-1:])
        return Rotated(entries[-1], entries[0].place, count, resumed, tuple(filter(None, remains)))


def _again(entry: Entry) -> str:
    """The place of the next key, where no other is asked for."""
    place, at = place_of(entry.place)
    return entry.place if place.name == "vault" else f"{place.name}:{at.partition('/')[0]}"


def _made(where: Where, entries: tuple[Entry, ...]) -> Entry:
    meant = entries[-1]
    place, wanted = place_of(meant.place)
    try:
        at = place.make(where, wanted, meant.id)
    except Exception:
        ring_file.write(where.folder, entries[:-1])  # so that another place can be tried
        raise
    return replace(meant, place=f"{place.name}:{at}", ready=True)


def _wrap_again(where: Where, entries: tuple[Entry, ...]) -> int:
    """Wraps every data key by the last of the keys."""
    opened: dict[str, Kek] = {}
    try:
        return _wrapped_with(where, entries, opened)
    finally:
        for one in opened.values():
            one.close()


def _wrapped_with(where: Where, entries: tuple[Entry, ...], opened: dict[str, Kek]) -> int:
    """How many keys were wrapped again; the key-encryption keys that it took are in `opened` then."""

    def kek(id: str) -> Kek:  # noqa: A002 - the field's word
        entry = next((entry for entry in entries if entry.id == id), None)
        if entry is None:
            raise ValueError
        if id not in opened:
            place, at = place_of(entry.place)
            opened[id] = place.open(where, at)
        return opened[id]

    count = 0
    for path in sorted(where.folder.glob("tenants/*.key")):
        data = key_file.read(path)
        if data is None:  # destroyed meanwhile
            continue
        try:
            wrapped = Wrapped.parse(data)
            if wrapped is None:
                raise ValueError
            if wrapped.kek != entries[-1].id:
                key = wrapped.unwrap(path.stem, kek(wrapped.kek))
                key_file.replace(path, Wrapped.of(key, entries[-1].id, path.stem, kek(entries[-1].id)))
        except ValueError:
            raise Stalled(
                f"the data key {path} is damaged, or was wrapped by another key-encryption key: the rotation stops "
                f"before it, and the old key stays",
                code="SYN805",
                help="Restore the file from a backup, or remove it if what it sealed may be lost; then rotate again.",
            ) from None
        count += 1
    return count


def _destroyed(where: Where, old: Entry, new: Entry) -> str:
    place, at = place_of(old.place)
    return "" if old.place == new.place else place.destroy(where, at)


def _sweep(folder: Path) -> None:
    """Destroys drafts that a kill left: one may hold a key. Others' are left alone, as of the log's signing key."""
    for pattern in (".kek.*", f".{ring_file.NAME}.*", "keks/.*", "tenants/.*.key.*"):
        for path in folder.glob(pattern):
            if path.is_file():
                key_file.destroy(path)
