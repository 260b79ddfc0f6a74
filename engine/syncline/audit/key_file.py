"""Files of signing keys: readable by their owner only, whole or absent, never replaced."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from syncline.model.errors import Stalled

if TYPE_CHECKING:
    from pathlib import Path


def place_key(path: Path, data: bytes) -> None:
    """Puts a key's file in place; `Stalled` (SYN901) when there is one already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and linked, so that a key file is whole or absent, and two creators cannot both win.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        raise Stalled(
            f"{path} already exists",
            code="SYN901",
            help="Keep the key: what it signed is evidence. `syncline audit rotate` replaces it.",
        ) from None
    finally:
        draft.unlink()


def read_key_file(path: Path) -> bytes:
    """What is in a key's file; `Stalled` (SYN901) when it can't be read, or others can."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(10_000)
    except OSError as error:
        raise Stalled(f"the signing key {path} cannot be read: {error.strerror}", code="SYN901") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Stalled(
            f"the signing key {path} is open to others (mode {mode & 0o777:04o})",
            code="SYN901",
            help=f"chmod 600 {path}",
        )
    return data
