"""Watching a working folder: which of the files that would be loaded have changed, uncommitted changes included."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from syncline.manifests.files import names


class WorkingFolder:
    """The files of a folder, as they were when they were last looked at.

    Example: `folder = WorkingFolder(root)`, then `folder.changes()` every now and then.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, tuple[int, int, int]] = {}
        self._changed: set[str] = set()

    def changes(self) -> tuple[str, ...]:
        """
        Files that were made, changed or removed since the last changes that it gave; at first, all.

        While they are still being written there are none: what is given has been at rest since the look before.
        """
        found = {name: stamp for name in names(self._root) if (stamp := self._stamp(name)) is not None}
        moved = {name for name in found.keys() | self._seen.keys() if found.get(name) != self._seen.get(name)}
        self._seen = found
        self._changed |= moved
        if moved:
            return ()
        settled, self._changed = tuple(sorted(self._changed)), set()
        return settled

    def _stamp(self, name: str) -> tuple[int, int, int] | None:
        """What tells one version of a file from another; None where it has just been removed."""
        with suppress(OSError):
            about = (self._root / name).stat()
            return about.st_mtime_ns, about.st_size, about.st_ino
        return None
