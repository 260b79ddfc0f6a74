"""Files that are on disk when their writing returns. The callers' tests die at each system call of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def fill(descriptor: int, data: bytes) -> None:
    """Write the whole of a file to disk and close it."""
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: str) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(folder: Path, name: str, data: bytes) -> None:
    """Put a file in place of the last one of its name; its content is on disk before its name is."""
    draft = folder / f".{name}.new"  # readers of a log pass over names with a dot
    fill(os.open(draft, NEW_FILE, 0o644), data)
    draft.rename(folder / name)
    sync_folder(str(folder))
