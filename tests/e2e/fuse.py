"""A fuse kills its process (SIGKILL) at the n-th of the points that it is shown: before and after each lasting change."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from syncline.connectors.file.folder import locate  # noqa: F401 - the folder's module, loaded before a fork
from syncline.connectors.file.listing import Folder
from syncline.executor.flows.opening import Opener
from syncline.sdk.destination import Fencing, Removing, Sending
from syncline.sdk.reversal import Reversing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from syncline.executor.flows.applied import Applied
    from syncline.executor.flows.instance import Resolve
    from syncline.executor.services.facilities import Facilities
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.destination import Destination, Refusal, Target, Writer, Written
    from syncline.sdk.keep import Keep
    from syncline.sdk.source import Source
    from syncline.settings import Settings

_STORE = [
    "begin_apply",
    "put_object",
    "move_object",
    "delete_object",
    "reset_cursor",
    "finish_apply",
    "put_cursor",
    "put_run",
    "finish_run",
    "put_rejects",
    "drop_rejects",
    "mark_retried",
    "add_metrics",
]


class Fuse:
    """Burns down by one at each point; 0 never kills. `points` are the names of those passed."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._lock = threading.Lock()
        self.points: list[str] = []

    def point(self, name: str) -> None:
        with self._lock:
            self.points.append(name)
            if len(self.points) == self._left:
                os.kill(os.getpid(), signal.SIGKILL)
                threading.Event().wait()

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a point before it and one after."""

        def call(*args: Any, **named: Any) -> Any:
            self.point(f"before {name}")
            result = function(*args, **named)
            self.point(f"after {name}")
            return result

        return call


class FusedStore:
    """A state store with a point before and after each change."""

    def __init__(self, store: Any, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        return self._fuse.around(f"store.{name}", value) if name in _STORE else value

    def ledger(self, tenant: str, integration: str) -> Any:
        """A ledger of writes with a point before and after each change."""
        found = self._store.ledger(tenant, integration)
        for name in ("begin", "progress", "save", "drop", "forget", "move"):
            setattr(found, name, self._fuse.around(f"ledger.{name}", getattr(found, name)))
        return found

    def fenced(self, lease: Any) -> FusedStore:
        """The same, under a lease."""
        return FusedStore(self._store.fenced(lease), self._fuse)

    @contextmanager
    def lease(self, *args: Any, **named: Any) -> Iterator[Any]:
        self._fuse.point("before store.lease")
        with self._store.lease(*args, **named) as lease:
            self._fuse.point("after store.lease")
            yield lease
            self._fuse.point("before store.release")
        self._fuse.point("after store.release")


class FusedRecorder:
    """An audit recorder with a point before and after each batch."""

    def __init__(self, recorder: Any, fuse: Fuse) -> None:
        self.event, self.secret_uses, self.check = recorder.event, recorder.secret_uses, recorder.check
        self.record = fuse.around("audit.record", recorder.record)


def fused(facilities: Facilities, fuse: Fuse) -> Facilities:
    """Facilities with a fuse in them."""
    store: Any = FusedStore(facilities.store, fuse)
    recorder: Any = FusedRecorder(facilities.recorder, fuse)
    return replace(facilities, store=store, recorder=recorder)


class FusedWriter:
    """A writer with a point before and after each change."""

    def __init__(self, writer: Writer, fuse: Fuse) -> None:
        self._writer = writer
        self.write: Callable[[pl.DataFrame, str], Written] = fuse.around("writer.write", writer.write)
        self.finish: Callable[[str], Written | None] = fuse.around("writer.finish", writer.finish)
        self.abort: Callable[[], None] = fuse.around("writer.abort", writer.abort)

    def refuse(self, frame: pl.DataFrame) -> list[Refusal]:
        refuse = getattr(self._writer, "refuse", None)
        return refuse(frame) if refuse else []


class FusedRemover(FusedWriter):
    """A writer that deletes rows with a batch, with a point before and after each change."""

    def __init__(self, writer: Any, fuse: Fuse) -> None:
        super().__init__(writer, fuse)
        self.render = writer.render
        self.write_rendered = fuse.around("writer.write", writer.write_rendered)
        self.write_removing = fuse.around("writer.write_removing", writer.write_removing)
        self.sifts = writer.sifts
        self.keeps_chapters = writer.keeps_chapters
        self.sift = fuse.around("writer.sift", writer.sift)
        self.see = writer.see
        self.sweep = fuse.around("writer.sweep", writer.sweep)


class FusedSender(FusedWriter):
    """A writer to a system without transactions, with a point before and after each half."""

    def __init__(self, writer: Any, fuse: Fuse) -> None:
        super().__init__(writer, fuse)
        self.send = fuse.around("writer.send", writer.send)
        self.delete = fuse.around("writer.delete", writer.delete)
        self.commit = fuse.around("writer.commit", writer.commit)
        self.stop = writer.stop


class FusedDestination:
    """A destination with a point before and after each change."""

    def __init__(self, destination: Destination, fuse: Fuse) -> None:
        self._destination = destination
        self._fuse = fuse
        self.checkpoint = destination.checkpoint
        self.close = destination.close
        self.forget = fuse.around("destination.forget", destination.forget)
        self.move = fuse.around("destination.move", destination.move)
        if isinstance(destination, Fencing):
            self.fence = fuse.around("destination.fence", destination.fence)
        if isinstance(destination, Reversing):
            self.kept, self.expire = destination.kept, destination.expire
            self.undo = fuse.around("destination.undo", destination.undo)

    def open(self, target: Target) -> FusedWriter:
        writer = self._fuse.around("destination.open", self._destination.open)(target)
        if isinstance(writer, Sending):
            return FusedSender(writer, self._fuse)
        return (FusedRemover if isinstance(writer, Removing) else FusedWriter)(writer, self._fuse)


class FusedOpener(Opener):
    """
    Opens small batches, and a destination with a fuse; `deep` puts points inside its transactions, too, and `reads`
    around requests of the source.
    """

    fuse: Fuse
    deep: bool
    reads: bool

    def source(self) -> Any:
        opened: Any = super().source()
        if self.reads:
            # After the request and before anybody knows its answer, as below.
            opened._client.fetch = self.fuse.around("source.fetch", opened._client.fetch)
        return opened

    def destination(self) -> Any:
        opened = super().destination()
        database, client = getattr(opened, "_database", None), getattr(opened, "_client", None)
        if client is not None:
            # After the request and before anybody knows its answer: its effect is there, and nobody has heard of it.
            client.fetch = self.fuse.around("client.fetch", client.fetch)
        elif self.deep and database is not None:
            for name in {"execute", "execute_many", "append", "change", "copy_out", "merge", "swap"} & set(
                dir(database)
            ):
                setattr(database, name, self._inside(name, getattr(database, name)))
        elif self.deep:
            for name in ("add", "save", "settle"):
                setattr(Folder, name, self.fuse.around(f"folder.{name}", getattr(Folder, name)))
        return FusedDestination(opened, self.fuse)

    def _inside(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        around = self.fuse.around(f"database.{name}", function)

        def call(*args: Any, **named: Any) -> Any:
            asks = bool(args) and isinstance(args[0], str) and args[0].lstrip().startswith(("SELECT", "PRAGMA"))
            return function(*args, **named) if asks else around(*args, **named)

        return call


def fused_source(made: Opener) -> Source:
    """What a run's source is opened by: a work names no class that its opener is of."""
    return made.source()


def opener(fuse: Fuse, batch_bytes: int, *, deep: bool = False, reads: bool = False) -> Callable[..., Opener]:
    """What an engine opens flows with."""

    def make(item: CompiledFlow, applied: Applied, settings: Settings, resolve: Resolve, keep: Keep | None) -> Opener:
        made = FusedOpener(item, applied, settings, resolve, keep, batch_bytes)
        made.fuse, made.deep, made.reads = fuse, deep, reads
        return made

    return make
