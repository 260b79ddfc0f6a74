"""Where the files of an integration are: a folder of this machine, or a server that is asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from msgspec import Struct

from syncline.connectors.file.position import OpenFile
from syncline.model.errors import Invalid

#: Most files that one stream may consist of: their names are part of every checkpoint.
MAX_FILES = 10_000


class Room(Struct, frozen=True):
    """Disk for unpacking: in a folder (None: where the system puts such files), with so many bytes for a file."""

    folder: Path | None = None
    most: int | None = None


class Place(Protocol):
    """A place with files. Names are relative to its root, `/` between folders."""

    @property
    def spool(self) -> Room:
        """Where what has to be unpacked is put, without a name, and how much of it."""

    def matching(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """Names of the files that patterns match, sorted by code point; Invalid (SYN450) where there are none."""

    def open(self, name: str, shown: str) -> OpenFile:
        """A file, as it is now; `shown` is its name for people and positions."""

    def size(self, name: str) -> int | None:
        """Bytes of a file that `matching` gave; None where that isn't known."""

    def check(self) -> str:
        """Asks for something; what that was, for people."""

    def close(self) -> None:
        """Releases connections."""


@runtime_checkable
class Fed(Place, Protocol):
    """A place that tells what has come, and is told what was read. `matching` gives what is new, or nothing."""

    def settled(self, name: str) -> None:
        """What a file has is committed."""


def spool_of(home: Path | None, most: int | None) -> Room:
    """The `spool` of a place, where Syncline's own folder is `home`, which may not be there yet."""
    return Room(home if home is not None and home.is_dir() else None, most)


def bounded(names: Sequence[str], patterns: Sequence[str], where: str) -> tuple[str, ...]:
    """The names, sorted, each once; Invalid (SYN450) for none of them, and for more than a stream may have."""
    shown = ", ".join(map(repr, patterns))
    found = tuple(sorted(set(names)))
    if not found:
        raise Invalid(
            f"no file matches {shown} in {where}",
            code="SYN450",
            help="Check the pattern, config.root, and whether the files have arrived.",
        )
    if len(found) > MAX_FILES:
        raise Invalid(
            f"{shown} matches {len(found):,} files; a stream has at most {MAX_FILES:,}",
            code="SYN450",
            help="Narrow the pattern, or move files away once they are loaded.",
        )
    return found
