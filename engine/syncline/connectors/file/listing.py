"""The list of a written folder's parts, `_syncline.json`: what counts, and what each flow's checkpoint is.

A part that isn't in the list doesn't exist. The list is replaced as a whole, atomically and durably, so that rows and
the checkpoint that covers them appear together or not at all. Whatever a killed process left is removed, or its swap
completed, when the folder is opened next. A lock keeps writers of one folder apart.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from syncline.model.errors import Again, Invalid, Stalled, SynclineError
from syncline.model.schema import Schema
from syncline.sdk.private import FILE_MODE, FOLDER_MODE, opener

NAME = "_syncline.json"
#: Where a replacement is gathered: hidden, so that a glob over the folder sees the old parts until the swap.
NEXT = ".next"
#: Where parts of before a replacement are kept, sealed, so that it can be undone; hidden as well.
KEPT = ".kept"
_TEMPORARY = ".tmp-"
#: What a stream's folder may be called.
STREAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class Part(Struct, frozen=True):
    """A file of rows; `digest` is the SHA-256 of its bytes, in hex."""

    file: str
    rows: int
    size: int
    digest: str


class FlowState(Struct, frozen=True):
    """A flow's checkpoint. Of several folders that have one for a flow, that with the highest serial is current."""

    run: str
    checkpoint: str
    serial: int


class Pending(Struct, frozen=True):
    """A replacement being gathered, by one run of one flow."""

    flow: str
    run: str
    parts: tuple[Part, ...] = ()


class Before(Struct, frozen=True):
    """What a folder held before it was replaced; its parts are kept sealed."""

    format: str
    columns: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]


class KeptRun(Struct, frozen=True):
    """What undoing a run needs, until a time (ISO 8601, UTC): the parts its batches made, and what went for them."""

    flow: str
    until: str
    parts: tuple[Part, ...] = ()
    batches: int = 0
    before: Before | None = None


class Listing(Struct, frozen=True):
    """What a folder holds. `columns` are (name, type) pairs; `swap` names parts of before, to be removed.

    `kept` has the runs that can be undone, by their ids.
    """

    format: str
    columns: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...] = ()
    flows: Mapping[str, FlowState] = field(default_factory=dict)
    pending: Pending | None = None
    swap: tuple[str, ...] | None = None
    kept: Mapping[str, KeptRun] = field(default_factory=dict)
    version: int = 1

    @property
    def rows(self) -> int:
        """Rows in all parts."""
        return sum(part.rows for part in self.parts)

    def saved(self, flow: str, run: str, checkpoint: str) -> Listing:
        """With a flow's new checkpoint."""
        serial = self.flows[flow].serial + 1 if flow in self.flows else 1
        return replace(self, flows={**self.flows, flow: FlowState(run, checkpoint, serial)})

    def without(self, flow: str) -> Listing:
        """Without a flow's checkpoint."""
        return replace(self, flows={name: state for name, state in self.flows.items() if name != flow})

    def keeping(self, run: str, kept: KeptRun) -> Listing:
        """With what undoing a run needs."""
        return replace(self, kept={**self.kept, run: kept})

    def forgetting(self, *runs: str) -> Listing:
        """Without what undoing these runs needs."""
        return replace(self, kept={run: kept for run, kept in self.kept.items() if run not in runs})

    def leaving(self, flow: str) -> Listing:
        """Without anything about a flow."""
        return self.without(flow).forgetting(*(run for run, kept in self.kept.items() if kept.flow == flow))


def folders_in(root: Path) -> Iterator[Folder]:
    """The folders of a root that may be a stream's, by name; none that leads out of it, nor of one that isn't there."""
    with usable(root):
        paths = sorted(path for path in root.iterdir() if STREAM.fullmatch(path.name)) if root.exists() else []
    for path in paths:
        if path.is_dir() and path.resolve().is_relative_to(root):
            yield Folder(path)


def damaged_in(root: Path) -> tuple[SynclineError, ...]:
    """Why lists of a root can't be used, one for each that can't: whoever writes to other folders isn't told."""
    found = []
    for folder in folders_in(root):
        try:
            folder.load()
        except SynclineError as error:
            found.append(error)
    return tuple(found)


def columns_of(schema: Schema) -> tuple[tuple[str, str], ...]:
    """Columns of a schema as the list keeps them."""
    return tuple((f.name, str(f.type)) for f in schema.fields)


class Folder:
    """The folder of one stream. Everything but `load` needs the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other writers out; waits for them."""
        with usable(self.path):
            make_folder(self.path)
            lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def load(self) -> Listing | None:
        """The list as it is; None where there is none. Invalid when it can't be understood."""
        try:
            data = (self.path / NAME).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Stalled(f"{self.path / NAME} can't be read: {error.strerror}", code="SYN452") from None
        try:
            listing = msgspec.json.decode(data, type=Listing)
        except msgspec.DecodeError as error:
            raise self._damaged(str(error)) from None
        if listing.version != 1:
            raise self._damaged(f"it has version {listing.version}, which is newer than this program")
        return listing

    def save(self, listing: Listing) -> None:
        """Replaces the list; durable when it returns."""
        write_durably(self.path / NAME, msgspec.json.format(msgspec.json.encode(listing), indent=1) + b"\n")

    def add(self, data: bytes, rows: int, run: str, ending: str, *, pending: bool) -> Part:
        """Writes a part that the list doesn't have yet, nor had before what can be undone; durable when it returns."""
        folder = self.path / NEXT if pending else self.path
        with usable(folder):
            make_folder(folder)
            names = (*folder.glob(f"part-{run}-*"), *self.path.glob(f"{KEPT}/*/part-{run}-*"))
            taken = [int(path.stem.rsplit("-", 1)[1]) for path in names]
        name = f"part-{run}-{max(taken, default=0) + 1:06d}.{ending}"
        write_durably(folder / name, data)
        return Part(name, rows, len(data), hashlib.sha256(data).hexdigest())

    def recover(self) -> Listing | None:
        """Completes a swap and removes what isn't listed: what a killed process left. Returns the list."""
        listing = self.load()
        if listing is None:
            if any(self.path.glob("part-*")):
                raise self._damaged("the folder has parts and no list")
            return None
        if listing.swap is not None:
            listing = self.settle(listing)
        with usable(self.path):
            names = {path.name for path in self.path.iterdir()}
            if missing := [part.file for part in listing.parts if part.file not in names]:
                raise self._damaged(f"it lists {missing[0]}, which is gone")
        self.clear(listing)
        return listing

    def clear(self, listing: Listing) -> None:
        """Removes what the list doesn't name, unless its swap isn't completed yet."""
        if listing.swap is not None:
            return
        listed = {part.file for part in listing.parts}
        with usable(self.path):
            for path in list(self.path.iterdir()):
                if path.name.startswith(_TEMPORARY) or (path.name.startswith("part-") and path.name not in listed):
                    path.unlink()
            gathered = {part.file for part in listing.pending.parts} if listing.pending else set()
            self._clear_next(gathered)
        self.clear_kept(listing)

    def kept(self, run: str) -> Path:
        """The folder for what a run replaced, which is made; durable when it returns."""
        for path in (self.path / KEPT, found := self.path / KEPT / file_name(run)):
            make_folder(path)
        return found

    def has_of(self, run: str) -> bool:
        """Whether a file is there that a run wrote, or that is kept of what it replaced, whatever the list says."""
        name = file_name(run)
        with usable(self.path):
            return (self.path / KEPT / name).exists() or any(self.path.glob(f"part-{name}-*"))

    def settle(self, listing: Listing) -> Listing:
        """Does what a list with a swap says: new parts in, old parts out."""
        with usable(self.path):
            for part in listing.parts:
                with suppress(FileNotFoundError):
                    (self.path / NEXT / part.file).replace(self.path / part.file)
            sync_folder(self.path)
            for name in listing.swap or ():
                (self.path / name).unlink(missing_ok=True)
            self._clear_next(set())
        settled = replace(listing, swap=None)
        self.save(settled)
        return settled

    def _clear_next(self, kept: set[str]) -> None:
        folder = self.path / NEXT
        if folder.is_symlink():
            folder.unlink()
        if not folder.is_dir():
            return
        for path in list(folder.iterdir()):
            if path.name not in kept:
                path.unlink()
        if not kept:
            folder.rmdir()

    def clear_kept(self, listing: Listing) -> None:
        """Removes what is kept of runs that the list doesn't name any more."""
        kept = {file_name(run) for run, known in listing.kept.items() if known.before is not None}
        folder = self.path / KEPT
        with usable(self.path):
            if folder.is_symlink():
                folder.unlink()
            if not folder.is_dir():
                return
            for path in list(folder.iterdir()):
                if path.is_symlink() or not path.is_dir():
                    path.unlink()
                elif path.name not in kept:
                    shutil.rmtree(path)
            if not kept:
                folder.rmdir()

    def _damaged(self, why: str) -> Invalid:
        return Invalid(
            f"{self.path / NAME} can't be used: {why}",
            code="SYN473",
            help="Restore the folder from a backup, or move it away and run with a reset cursor.",
        )


def file_name(run: str) -> str:
    """A run's id as part of a file name: as it is, or its digest where it has other characters."""
    return run if re.fullmatch(r"[A-Za-z0-9_]{1,40}", run) else hashlib.sha256(run.encode()).hexdigest()[:20]


def write_durably(path: Path, data: bytes) -> None:
    """Writes a file so that after a crash at any point there is the old one, or none, or all of the new one."""
    temporary = path.with_name(f"{_TEMPORARY}{path.name}")
    with usable(path.parent):
        with open(temporary, "wb", opener=opener) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    try:
        sync_folder(path.parent)
    except OSError as error:  # it is there by now, as far as this machine knows
        raise Again(
            f"{path.parent}: whether what was written lasts isn't known: {error.strerror or error}",
            code="SYN452",
            help="Look at the disk; the next run continues after what is there.",
        ) from error


def make_folder(path: Path) -> None:
    """Makes a folder if it isn't there; durable when it returns."""
    if not path.is_dir():
        path.mkdir(exist_ok=True, mode=FOLDER_MODE)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Makes renames in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """Turns what the system refuses (permissions, a full disk) into Stalled, naming the folder."""
    try:
        yield
    except OSError as error:
        raise Stalled(
            f"{path} can't be written: {error.strerror or error}",
            code="SYN452",
            help="Check permissions and free space; the next run continues after what is committed.",
        ) from error
