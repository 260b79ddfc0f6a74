"""Files of an SFTP server, listed folder by folder and read in ranges, over one connection.

A server is known by its key, which has to be declared: without that, nothing is sent to it. SFTP knows sizes and times
and no versions, so that files are recognised as those of a folder are: a file that only grew is read on, and in an
incremental read a file's content is hashed, for which it is read once more.
"""

from __future__ import annotations

import errno
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from syncline.connectors.file.places.patterns import is_literal, matcher
from syncline.connectors.file.places.place import bounded, spool_of
from syncline.connectors.file.places.ranges import Ranges, handle
from syncline.connectors.file.places.ssh import TIMEOUT, connected
from syncline.connectors.file.position import OpenFile, changed
from syncline.model.errors import Again, Invalid, Stalled

if TYPE_CHECKING:
    import paramiko

    from syncline.sdk.source import Instance

#: Most entries of folders that are looked at to find the files of a stream.
_MOST_LISTED: Final = 1_000_000
#: Bytes that are asked for at once, in requests of 32 KiB, so that a round trip isn't waited for each time. (With a
#: limit of its own the library waits for ever where a request fails.)
_WINDOW: Final = 2 << 20


class Sftp:
    """The files below a folder of an SFTP server. It is connected to when it is first asked."""

    def __init__(self, instance: Instance, root: str) -> None:
        self._instance = instance
        self._root = root
        parts = urlsplit(root)
        self._host, self._port = parts.hostname or "", parts.port or 22
        path = unquote(parts.path)
        self._folder = path.removeprefix("/~/") or "." if path.startswith("/~/") else path or "."
        self._open: tuple[paramiko.Transport, paramiko.SFTPClient] | None = None
        self._sizes: dict[str, int] = {}
        self._listed = 0
        self.spool = spool_of(instance.home, instance.spool)

    def matching(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """See `Place`. Links to files below the root count; links to folders aren't followed."""
        self._sizes, self._listed = {}, 0
        for pattern in patterns:
            matches = matcher(pattern)
            parts = [part for part in pattern.split("/") if part not in {"", "."}]
            with self.telling(self._root):
                self._sizes |= {name: size for name, size in self._found("", parts) if matches(name)}
        return bounded(list(self._sizes), patterns, self._root)

    def open(self, name: str, shown: str) -> OpenFile:
        """See `Place`."""
        with self.telling(shown):
            file = self._client.open(self._inside(name), "rb")
            there = file.stat()
            size, time = there.st_size or 0, there.st_mtime or 0
            content = _Content(self, shown, file, size, time)
            ranges = Ranges(content.fetch, size)
            far = _Far(ranges, content)
            return OpenFile(shown, handle(ranges.read, size, content.close), size, time * 10**9, far=far)

    def size(self, name: str) -> int | None:
        """See `Place`."""
        return self._sizes.get(name)

    def check(self) -> str:
        """See `Place`: looks at the root."""
        with self.telling(self._root):
            if not stat.S_ISDIR(self._client.stat(self._folder).st_mode or 0):
                raise Stalled(f"{self._root} is no folder", code="SYN452", help="Correct config.root.")
        return self._root

    def close(self) -> None:
        """See `Place`."""
        if self._open is not None:
            transport, client = self._open
            self._open = None
            client.close()
            transport.close()

    @property
    def _client(self) -> paramiko.SFTPClient:
        if self._open is None:
            self._open = connected(self._instance, self._host, self._port)
        return self._open[1]

    def _path(self, name: str) -> str:
        return f"{self._folder.rstrip('/')}/{name}"

    def _found(self, folder: str, parts: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Names and sizes of the files in a folder, '' or with a slash at its end, that a pattern's parts match."""
        part, rest = parts[0], parts[1:]
        if part == "**":
            yield from self._found(folder, rest) if rest else self._files(folder, "*")
            for name in self._folders(folder, "*"):
                yield from self._found(f"{folder}{name}/", parts)
        elif not rest:
            yield from self._files(folder, part)
        elif is_literal(part):
            if self._is_folder(f"{folder}{part}"):
                yield from self._found(f"{folder}{part}/", rest)
        else:
            for name in self._folders(folder, part):
                yield from self._found(f"{folder}{name}/", rest)

    def _files(self, folder: str, pattern: str) -> Iterator[tuple[str, int]]:
        for name, entry in self._entries(folder):
            if not fnmatchcase(name, pattern):
                continue
            linked = stat.S_ISLNK(entry.st_mode or 0)
            found = self._linked(f"{folder}{name}") if linked else entry
            if found is not None and stat.S_ISREG(found.st_mode or 0):
                yield f"{folder}{name}", found.st_size or 0

    def _folders(self, folder: str, pattern: str) -> list[str]:
        entries = self._entries(folder)
        return [name for name, entry in entries if stat.S_ISDIR(entry.st_mode or 0) and fnmatchcase(name, pattern)]

    def _is_folder(self, name: str) -> bool:
        try:
            return stat.S_ISDIR(self._client.lstat(self._path(name)).st_mode or 0)
        except FileNotFoundError:
            return False

    def _entries(self, folder: str) -> list[tuple[str, Any]]:
        """What a folder has, but for what is hidden; nothing where it isn't there."""
        try:
            entries = self._client.listdir_attr(self._path(folder))
        except FileNotFoundError:
            if not folder:
                raise
            return []
        self._listed += len(entries)
        if self._listed > _MOST_LISTED:
            raise Invalid(
                f"{self._root} has more than {_MOST_LISTED:,} files and folders",
                code="SYN450",
                help="Narrow the pattern: folders that it names are the only ones that are looked into.",
            )
        return [(entry.filename, entry) for entry in entries if not entry.filename.startswith(".")]

    def _linked(self, name: str) -> Any:
        """What a link leads to; None where that is nothing, Invalid where it leads out of the root."""
        try:
            return self._client.stat(self._inside(name))
        except FileNotFoundError:
            return None

    def _inside(self, name: str) -> str:
        """The path of a name without links; Invalid where it leads out of the root."""
        target = self._client.normalize(self._path(name))
        root = self._client.normalize(self._folder).rstrip("/")
        if not target.startswith(f"{root}/"):
            raise Invalid(
                f"{name!r} leads out of the root",
                code="SYN451",
                help="A symbolic link may only point to a file below config.root.",
            )
        return target

    @contextmanager
    def telling(self, name: str) -> Iterator[None]:
        """The library's errors as ours."""
        import paramiko

        try:
            yield
        except FileNotFoundError:
            raise Invalid(
                f"{name} isn't there", code="SYN450", help="Check config.root, and whether the files have arrived."
            ) from None
        except PermissionError:
            raise Stalled(
                f"{name} can't be read: the server refuses it", code="SYN452", help="Give the account access to it."
            ) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            late = isinstance(error, TimeoutError) or getattr(error, "errno", 0) == errno.ETIMEDOUT
            why = f"no answer within {TIMEOUT:g} s" if late else str(error) or type(error).__name__
            raise Again(
                f"{self._host}:{self._port}: {name}: {why}",
                code="SYN402",
                help="Try again later; a run continues where it stopped.",
            ) from error


class _Content(Struct, frozen=True):
    """An open file of the server, as it was when it was opened."""

    place: Sftp
    name: str
    file: paramiko.SFTPFile
    size: int
    time: int

    def fetch(self, offset: int, count: int) -> bytes:
        """Exactly these bytes, asked for in parts that are under way together."""
        end = offset + count
        with self.place.telling(self.name):
            windows = [(start, min(_WINDOW, end - start)) for start in range(offset, end, _WINDOW)]
            data = b"".join(part for window in windows for part in self.file.readv([window]))
        if len(data) != count:
            raise changed(self.name, "it became shorter while it was read")
        return data

    def finished(self) -> None:
        """Refuses a file that was overwritten meanwhile."""
        with self.place.telling(self.name):
            there = self.file.stat()
        size = there.st_size or 0
        if size < self.size or (size == self.size and there.st_mtime != self.time):
            raise changed(self.name, "it was overwritten while it was read")

    def close(self) -> None:
        """Closes it, once the library's threads have sent what they had to: they would fail, seen by nobody.

        The library keeps them nowhere; those of other files, which another flow may be reading, aren't waited for.
        """
        for thread in threading.enumerate():
            target = getattr(thread, "_target", None)  # None once it is through
            if getattr(target, "__self__", None) is self.file:
                thread.join(TIMEOUT)
        self.file.close()


class _Far(Struct, frozen=True):
    """Its content, through a window."""

    ranges: Ranges
    content: _Content

    def read(self, offset: int, count: int) -> bytes:
        """See `Content`."""
        return self.ranges.read(offset, count)

    def finished(self) -> None:
        """See `Content`."""
        self.content.finished()
