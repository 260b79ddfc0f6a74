"""Which key-encryption keys a folder of keys goes by: a small file, replaced as a whole.

The last one wraps; those before it are only there to unwrap while a rotation is under way. A folder without the file
has one key, in the file `kek`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from msgspec import Struct, to_builtins

from syncline.model.errors import Stalled
from syncline.secrets.keys import key_file
from syncline.secrets.keys.kek_file import FIRST

NAME: Final = "ring.json"
#: The ID of the key of a folder that has never been rotated.
FIRST_ID: Final = "0" * 16


class Entry(Struct, frozen=True):
    """A key-encryption key: its ID (16 hex digits), its place (`file:keks/…`), and the day on which it was made.

    One that isn't `ready` is only meant so far, and `place` is where it is to be made.
    """

    id: str
    place: str
    made: str = ""
    ready: bool = True


def read(folder: Path) -> tuple[Entry, ...]:
    """The keys, oldest first; none for a folder in which none was made yet. `Stalled` (SYN805) for a damaged file."""
    data = key_file.read(folder / NAME)
    if data is None:
        return (Entry(FIRST_ID, f"file:{FIRST}"),) if (folder / FIRST).exists() else ()
    try:
        document = json.loads(data)
        entries = tuple(Entry(**entry) for entry in document["keys"])
        if document["version"] != 1 or not entries or data != _text(entries):
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise Stalled(
            f"{folder / NAME} is damaged", code="SYN805", help="Restore the key folder as a whole from a backup."
        ) from None
    return entries


def write(folder: Path, entries: tuple[Entry, ...]) -> None:
    """Puts the list in place; whole or not at all, and on disk when this returns."""
    key_file.replace(folder / NAME, _text(entries))


def _text(entries: tuple[Entry, ...]) -> bytes:
    from hashlib import sha256

    keys = [to_builtins(entry) for entry in entries]
    check = sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()  # tells damage, not an attacker
    return (json.dumps({"version": 1, "keys": keys, "check": check}, indent=2) + "\n").encode()
