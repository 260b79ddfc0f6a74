"""What files declared when they were loaded last, for who loads a repository again and again: the daemon.

Of a plain repository, files that are as they were aren't read as YAML again. One with environments is rendered anew
whenever any of its files changes: each may have a say in all others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from syncline.manifests.files import SAVED, File, Unsaved, names, read

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.manifests.load import LoadResult
    from syncline.manifests.text import Text


class Kept:
    """What was loaded last, by files' names and contents. Used by one thread; only the newest of each file is kept."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, LoadResult]] = {}
        self._rendered: tuple[str, bytes, LoadResult] | None = None  # environment, digest of all files, what it gave
        self._parts: list[LoadResult] = []
        self._whole: LoadResult | None = None

    def file(self, text: Text, load: Callable[[], LoadResult]) -> LoadResult:
        """What a file gives: as before, where its text is as it was."""
        digest = _digest(text)
        known = self._files.get(text.file)
        if known is None or known[0] != digest:
            known = self._files[text.file] = digest, load()
        return known[1]

    def together(self, parts: Iterable[LoadResult], join: Callable[[list[LoadResult]], LoadResult]) -> LoadResult:
        """What all files give: the very same value, where each of them is as it was."""
        parts = list(parts)
        same = len(parts) == len(self._parts) and all(a is b for a, b in zip(parts, self._parts, strict=True))
        if self._whole is None or not same:
            self._whole, self._parts = join(parts), parts
            there = {name for part in parts for name in part.files}
            self._files = {name: known for name, known in self._files.items() if name in there}
        return self._whole

    def rendered(
        self, root: Path, environment: str, render: Callable[[], LoadResult], unsaved: Unsaved = SAVED
    ) -> LoadResult:
        """What a repository gives in an environment: the very same value, where all files are as they were."""
        digest = _digest_of_all(root, unsaved)
        known = self._rendered
        if known is None or known[:2] != (environment, digest):
            known = self._rendered = environment, digest, render()
        return known[2]


def _digest(text: Text) -> bytes:
    return hashlib.sha256(text.content.encode()).digest()


def _digest_of_all(root: Path, unsaved: Unsaved) -> bytes:
    found = hashlib.sha256()
    for name in names(root, unsaved=unsaved):
        file = read(root, name, unsaved)
        found.update(name.encode() + b"\0" + (_digest(file.text) if isinstance(file, File) else repr(file).encode()))
    return found.digest()
