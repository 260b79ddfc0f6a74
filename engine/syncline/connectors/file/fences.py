"""Who may write a flow's files: the fencing token of its last run, in a file of its own under `<root>/.fences`.

A run takes its flow by writing its token there, and holds a lock on that file, shared, from the moment it has looked at
the token until the list of parts that names its batch is in place. Taking a flow needs the lock alone. So who was
followed while it was slow changes no list any more, and who follows waits for a commit that is under way.

That is as good as the file system's locks: on a local one, and on a network one whose locks hold between machines. A
writer that is stopped in the middle of a commit holds up who follows, until it goes on or dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from syncline.connectors.file.listing import usable
from syncline.connectors.file.whereabouts import HIDDEN
from syncline.model.errors import Denied
from syncline.sdk.destination import Fence
from syncline.sdk.private import FILE_MODE, make_private


class Fences:
    """The fences of a root. `held` are those of its runs that this destination took."""

    def __init__(self, root: Path) -> None:
        self._folder = root / HIDDEN
        self._held: dict[str, Fence] = {}

    def claim(self, flow: str, fence: Fence, *, anew: bool) -> None:
        """Takes a flow; refused (`Denied`) where it was taken by a later token of the same state, unless `anew`."""
        with self._locked(flow, fcntl.LOCK_EX) as file:
            known = _read(file)
            if known is not None and known.lineage == fence.lineage and known.token > fence.token and not anew:
                raise Denied(
                    f"a later run has taken {flow} at its destination: this one has the token {fence.token}",
                    code="SYN681",
                    help="If another process runs the flow now, nothing is to be done. If the state was restored from a"
                    " backup, it is older than the data: run the flow with --full-refresh.",
                )
            _write(file, fence)
        self._held[flow] = fence

    def retire(self, flow: str) -> None:
        """Refuses whoever has a flow: it goes on under another name."""
        with self._locked(flow, fcntl.LOCK_EX) as file:
            if (known := _read(file)) is not None:
                _write(file, Fence(known.lineage, known.token + 1))

    def remove(self, flow: str) -> None:
        """Removes what is known of who had a flow, which is over for good; the folder with the last."""
        self._held.pop(flow, None)
        with usable(self._folder):
            self._path(flow).unlink(missing_ok=True)
            with suppress(OSError):  # others have theirs in it, or there is none
                self._folder.rmdir()

    @contextmanager
    def held(self, flow: str) -> Iterator[None]:
        """Keeps the flow for the block; `Denied` where a later run has taken it. Nothing where it never was taken."""
        fence = self._held.get(flow)
        if fence is None:
            yield
            return
        with self._locked(flow, fcntl.LOCK_SH) as file:
            if _read(file) != fence:
                raise Denied(
                    f"a later run has taken {flow} at its destination",
                    code="SYN680",
                    help="Nothing of this batch was written. The later run goes on after the last commit.",
                )
            yield

    def _path(self, flow: str) -> Path:
        return self._folder / hashlib.sha256(flow.encode()).hexdigest()[:32]

    @contextmanager
    def _locked(self, flow: str, how: int) -> Iterator[int]:
        with usable(self._folder):
            make_private(self._folder)
            file = os.open(self._path(flow), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        try:
            fcntl.flock(file, how)
            yield file
        finally:
            os.close(file)


def _read(file: int) -> Fence | None:
    """The token in a file; None in a new one, and in one that the loss of power, which nobody outlives, left half."""
    lineage, _, token = os.pread(file, 512, 0).decode("utf-8", "replace").removesuffix("\n").rpartition(" ")
    return Fence(lineage, int(token)) if lineage and token.isdecimal() else None


def _write(file: int, fence: Fence) -> None:
    text = f"{fence.lineage} {fence.token}\n".encode()
    with usable(Path(HIDDEN)):
        os.pwrite(file, text, 0)
        os.ftruncate(file, len(text))
