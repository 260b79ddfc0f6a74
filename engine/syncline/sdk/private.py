"""Files and folders that are made for data: for their owner only. What exists already keeps its permissions."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def make_private(folder: Path) -> None:
    """Makes a folder, and the folders around it, where they are missing.

    Example: `make_private(home / "keys")`.
    """
    if not folder.is_dir():
        if folder.parent != folder:
            make_private(folder.parent)
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def create_private(path: Path) -> None:
    """Creates an empty file where there is none.

    Example: `create_private(path)`, before a library opens a database there.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))


def opener(path: str, flags: int) -> int:
    """For `open`: a file that is created is its owner's.

    Example: `open(path, "wb", opener=opener)`.
    """
    return os.open(path, flags | os.O_CLOEXEC, FILE_MODE)
