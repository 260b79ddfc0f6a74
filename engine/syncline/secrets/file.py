"""Secrets in files, as container platforms mount them. `key` is an absolute path, or one under the repository's root.

A file is used only when it is a plain file of at most 256 KiB that no one outside its group can read or write, owned by
this user or root. Links are followed inside the file's own folder only (as mounts of Kubernetes need), or inside the
root for relative paths, and never into Git's folder or Syncline's own. One newline at the end is taken off.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import ClassVar, Final

from syncline.model.reserved import is_reserved
from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Problem, Reference, Unavailable
from syncline.secrets.keys import key_file
from syncline.secrets.parts import parse_json, pick

MAX_SIZE: Final = 256 * 1024
_OTHERS: Final = stat.S_IRWXO


class FileProvider:
    """`{provider: file, key: /run/secrets/helpdesk}`."""

    name: ClassVar[str] = "file"

    def __init__(self, context: Context) -> None:
        self._root = context.root
        self._home = context.home

    def check(self, reference: Reference) -> Problem | None:
        """Say what is wrong with the file, without reading it."""
        opened = self._open(reference)
        if isinstance(opened, Problem):
            return opened
        os.close(opened)
        return None

    def get(self, reference: Reference) -> Secret:
        """Return the file's content, or the part of it that `path` names."""
        opened = self._open(reference)
        if isinstance(opened, Problem):
            raise Unavailable(reference, opened)
        found = _content(opened, reference.path)
        if isinstance(found, Problem):
            raise Unavailable(reference, found)
        return found

    def put(self, reference: Reference, value: Secret) -> None:
        """Put a file of mode 0600 in place of the one that is there. Its folder must be there."""
        key_file.replace(self._place(reference), value.reveal().encode())

    def delete(self, reference: Reference) -> None:
        """Overwrite and remove the file."""
        path = self._place(reference)
        if path.exists():
            key_file.destroy(path)

    def _place(self, reference: Reference) -> Path:
        """Where a file may be written; raises Unavailable for what may not be read there either."""
        problem = None
        if not reference.key or "\0" in reference.key:
            problem = Problem("SYN804", "a key must be the path of a file")
        path = self._root / reference.key
        folder = path.parent.resolve()
        if problem is None and not folder.is_dir():
            problem = Problem("SYN802", f"there is no folder {folder}", "Make it first.")
        inside = Path(reference.key).is_absolute() or folder.is_relative_to(self._root.resolve())
        if problem is None and (not inside or path.is_symlink()):
            problem = Problem("SYN802", f"{path} leads elsewhere", "Refer to the file itself.")
        if problem is None and is_reserved(folder / path.name, self._root.resolve(), self._home):
            problem = Problem("SYN218", f"{path} is in a reserved folder", "Refer to a file outside of it.")
        if problem is not None:
            raise Unavailable(reference, problem)
        return folder / path.name

    def _open(self, reference: Reference) -> int | Problem:
        """Return a descriptor of the file when it is safe. What was checked is what is read."""
        if not reference.key or "\0" in reference.key:
            return Problem("SYN804", "a key must be the path of a file")
        path = self._root / reference.key
        try:
            folder = (path.parent if Path(reference.key).is_absolute() else self._root).resolve(strict=True)
            target = path.resolve(strict=True)
            if not target.is_relative_to(folder):
                return Problem("SYN802", f"it leads out of {folder}", "Refer to the file itself.")
            if is_reserved(target, self._root.resolve(), self._home):
                return Problem("SYN218", f"{path} is in a reserved folder", "Refer to a file outside of it.")
            descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return Problem("SYN801", f"there is no file {path}")
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "a loop of links"
            return Problem("SYN802", f"the file {path} cannot be opened: {reason}")
        problem = _unsafe(path, os.fstat(descriptor))
        if problem is not None:
            os.close(descriptor)
            return problem
        return descriptor


def _unsafe(path: Path, status: os.stat_result) -> Problem | None:
    if not stat.S_ISREG(status.st_mode):
        return Problem("SYN802", f"{path} is not a plain file")
    if status.st_mode & _OTHERS:
        return Problem("SYN802", f"{path} is open to others (mode {status.st_mode & 0o777:04o})", f"chmod o= {path}")
    if status.st_uid not in {0, os.geteuid()}:
        return Problem("SYN802", f"{path} belongs to another user")
    if status.st_size > MAX_SIZE:
        return Problem("SYN802", f"{path} has {status.st_size} bytes, more than {MAX_SIZE}")
    return None


def _content(descriptor: int, path: str) -> Secret | Problem:
    """Read the value. It raises nothing itself: an error's traceback would show the local variables that hold it."""
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(MAX_SIZE + 1)
    if len(data) > MAX_SIZE:
        return Problem("SYN802", f"it has more than {MAX_SIZE} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Problem("SYN803", "it is not UTF-8 text")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        return Problem("SYN801", "it is empty")
    if not path:
        return Secret(text)
    tree = parse_json(Secret(text))
    return tree if isinstance(tree, Problem) else pick(tree, path)
