"""Keys that are lost: found, and set aside once somebody says so, so that what is new is sealed with new ones.

A key is lost where its file is gone or damaged, or what wrapped it is. One that is elsewhere and can't be reached is
waited for, unless somebody says that it is gone. Nothing is destroyed: what is set aside lies in `keys/lost/TIME`, and
opens again if its key turns up.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from syncline.model.errors import Stalled
from syncline.secrets.keys import key_file, ring_file
from syncline.secrets.keys.folder import alone, sync_folder
from syncline.secrets.keys.kek import Kek, place_of
from syncline.secrets.keys.kek_file import FIRST, KEY_SIZE
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.ring import HANGING
from syncline.secrets.keys.ring_file import Entry
from syncline.secrets.keys.wrapped_key import Wrapped


class Lost(Struct, frozen=True):
    """Places of key-encryption keys that are gone, and the names of the files of data keys that can't be had."""

    keks: tuple[str, ...]
    data: tuple[str, ...]


def find_lost(where: Where, gone: Collection[str] = ()) -> Lost:
    """
    What is lost in a folder of keys; `gone` are places elsewhere whose key is. Raises what keeps another of these from
    being asked, and `Stalled` where a file can't be read.
    """
    folder = where.folder
    entries = {entry.id: entry for entry in ring_file.read(folder) if entry.ready}
    keys = {name: _opened(where, entry, gone) for name, entry in entries.items()}
    try:
        data = {path.stem for path in folder.glob("tenants/*.key") if not _unwraps(path, keys)}
    finally:
        for key in keys.values():
            if key is not None:
                key.close()
    keks = [entries[name].place for name, key in sorted(keys.items()) if key is None]
    if not entries and data:
        keks.append(f"file:{FIRST}")
    without = {path.parent.name for kind in HANGING for path in folder.glob(f"{kind}/*/*.key")}
    data |= {stem for stem in without if not (folder / "tenants" / f"{stem}.key").exists()}
    return Lost(tuple(keks), tuple(sorted(data)))


def set_aside(where: Where, lost: Lost, now: dt.datetime) -> Path | None:
    """
    Moves what is lost out of the way, so that new keys are made where they are needed; where to, None for nothing.

    After a kill in between, what is left of it is found as lost again.
    """
    if not lost.keks and not lost.data:
        return None
    folder = where.folder
    aside = folder / "lost" / now.strftime("%Y%m%dT%H%M%S%fZ")
    with alone(folder):
        for stem in lost.data:
            for kind, name in [*((kind, stem) for kind in HANGING), ("tenants", f"{stem}.key")]:  # the key last
                if (path := folder / kind / name).exists():
                    (aside / kind).mkdir(mode=0o700, parents=True, exist_ok=True)
                    key_file.move(path, aside / kind / name)
                    sync_folder(path.parent)
        entries = tuple(entry for entry in ring_file.read(folder) if entry.ready)
        kept = tuple(entry for entry in entries if entry.place not in lost.keks)
        if kept and kept != entries:
            ring_file.write(folder, kept)
        elif entries and not kept and (path := folder / ring_file.NAME).exists():
            aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            key_file.move(path, aside / ring_file.NAME)
            sync_folder(folder)
    return aside


def note_lost(where: Where, tenant: str, ids: Iterable[bytes], now: dt.datetime) -> None:
    """Notes that data keys with these IDs are known to be lost: what they sealed counts as destroyed from then on."""
    note = json.dumps({"tenant": tenant, "kind": "lost", "destroyed": now.date().isoformat()})
    for one in ids:
        key_file.create(where.folder / "destroyed" / one.hex(), note.encode())


def _opened(where: Where, entry: Entry, gone: Collection[str]) -> Kek | None:
    """A key-encryption key; None for a file that isn't there any more or has no key, and for what is gone elsewhere."""
    place, at = place_of(entry.place)
    if entry.place in gone:
        return None
    if place.name == "file" and len(key_file.read(where.folder / at) or b"") != KEY_SIZE:
        return None
    try:
        return place.open(where, at)
    except Stalled as error:
        help_ = f"Reach it, or say that the key is gone for good: --gone {entry.place}"
        raise Stalled(error.message, code=error.code, help=help_) from error


def _unwraps(path: Path, keys: Mapping[str, Kek | None]) -> bool:
    """Whether a data key can be had."""
    wrapped = Wrapped.parse(key_file.read(path) or b"")
    key = keys.get(wrapped.kek) if wrapped is not None else None
    try:
        return wrapped is not None and key is not None and bool(wrapped.unwrap(path.stem, key))
    except ValueError:
        return False
