"""A folder of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from syncline.connectors.file.folder import locate, matching
from syncline.connectors.file.places.place import Room, bounded, spool_of
from syncline.connectors.file.position import OpenFile


class Local(Struct, frozen=True):
    """The files below `root`. `home` is Syncline's own folder, which is never entered, and where files are
    unpacked, each to `most` bytes.
    """

    root: Path
    home: Path | None = None
    most: int | None = None

    @property
    def spool(self) -> Room:
        """Syncline's own folder, where there is one."""
        return spool_of(self.home, self.most)

    def matching(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """See `Place`. Raises what `folder.matching` does."""
        names = [name for pattern in patterns for name in matching(self.root, pattern, self.home)]
        return bounded(names, patterns, str(self.root))

    def open(self, name: str, shown: str) -> OpenFile:
        """See `Place`; Stalled (SYN452) for a file that may not be read."""
        return OpenFile.open(locate(self.root, name, self.home), shown)

    def size(self, name: str) -> int | None:
        """See `Place`."""
        try:
            return locate(self.root, name, self.home).stat().st_size
        except OSError:
            return None

    def check(self) -> str:
        """See `Place`."""
        return str(self.root)

    def close(self) -> None:
        """Nothing is held."""
