"""Files that hold keys: mode 0600, whole or absent at any moment."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncline.model.errors import Stalled
from syncline.secrets.keys.folder import sync_folder


def read(path: Path) -> bytes | None:
    """
    Return a key file's bytes, None when there is none, or one that was being destroyed; Stalled when it is readable by
    others or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Stalled(f"the key file {path} cannot be read: {error.strerror}", code="SYN805") from None
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            message = f"the key file {path} is open to others (mode {mode & 0o777:04o})"
            raise Stalled(message, code="SYN805", help=f"chmod 600 {path}")
        data = file.read(10_000)
    return None if data and not any(data) else data


def create(path: Path, data: bytes) -> bytes:
    """Put a new key file in place and return what is there then: another process may have been first."""
    with _writing(path):
        draft = _draft(path, data)
        try:
            os.link(draft, path)  # fails when the name is taken, where a rename would replace
            sync_folder(path.parent)
        except FileExistsError:
            found = read(path)
            if found is None and path.exists():  # of one that was being destroyed, the name is left
                draft.rename(path)
                sync_folder(path.parent)
                return data
            data = found or b""
        finally:
            draft.unlink(missing_ok=True)
    return data


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What the system refuses, as an error that names the file."""
    try:
        yield
    except OSError as error:
        message = f"the key file {path} cannot be written: {error.strerror or error}"
        raise Stalled(message, code="SYN805", help="Check the folder's permissions and the disk.") from error


def replace(path: Path, data: bytes) -> None:
    """Put a key file in place of the one that is there, which is whole until then; on disk when this returns."""
    with _writing(path):
        _draft(path, data).rename(path)
        sync_folder(path.parent)


def move(path: Path, to: Path) -> None:
    """Give a key file another name; on disk when this returns."""
    path.rename(to)
    sync_folder(to.parent)


def _draft(path: Path, data: bytes) -> Path:
    """The data, on disk, beside where it belongs."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return draft


def destroy(path: Path) -> None:
    """Remove a key file for good: overwritten, removed, and the removal on disk when this returns. Killed in between,
    it leaves zeros, which nobody takes for a key.

    This reaches no copies. A backup that holds this file and the key-encryption key can still read what it sealed, so
    keys are backed up apart from data, and for no longer than erased data may live.
    """
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        file.write(bytes(size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(path.parent)
