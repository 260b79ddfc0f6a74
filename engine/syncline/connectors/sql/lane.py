"""One more connection that writes rows of a target, in a thread of its own: sent now, committed in their turn."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress

from syncline.connectors.sql.database import Database
from syncline.connectors.sql.fences import Fences
from syncline.connectors.sql.ledger import Ledger
from syncline.connectors.sql.reversal import Noting
from syncline.model.errors import SynclineError
from syncline.sdk.destination import Fence, Rendered, Target, Written


class Lane:
    """Holds one transaction at a time. It connects when it is first used; `fence` is what the run holds of its flow."""

    def __init__(self, connect: Callable[[], Database], target: Target, fence: Fence | None) -> None:
        self._connect = connect
        self._target = target
        self._fence = fence
        self._made: Database | None = None
        self._noting: Noting | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="syncline-lane")
        self._open = ExitStack()

    def send(self, rendered: Rendered) -> Future[Written]:
        """Begins a transaction and merges rows in it. Where that fails, nothing is left open."""
        return self._thread.submit(self._send, rendered)

    def save(self, checkpoint: str) -> None:
        """Writes the checkpoint of what was sent, whose turn has come."""
        self._thread.submit(self._save, checkpoint).result()

    def commit(self) -> None:
        """Commits it. Where that raises, nobody knows whether it is committed."""
        self._thread.submit(self._commit).result()

    def drop(self) -> None:
        """Rolls back what was sent, if anything was."""
        self._thread.submit(self._drop).result()

    def cut(self) -> None:
        """Has whatever waits for the database raise. From any thread."""
        if self._made is not None:
            self._made.cut()

    def close(self) -> None:
        """Rolls back what is open, and closes the connection."""
        self.drop()
        if self._made is not None:
            self._thread.submit(self._made.close).result()
        self._thread.shutdown()

    def _send(self, rendered: Rendered) -> Written:
        target = self._target
        database = self._made = self._made or self._connect()
        if target.keeping is not None and self._noting is None:
            self._noting = Noting(database, target)
        with ExitStack() as stack:
            stack.enter_context(database.transaction())
            if self._noting is not None:
                written = self._noting.write(rendered)
            else:
                written = database.merge(target.stream, rendered, target.schema)
            self._open = stack.pop_all()
        return written

    def _save(self, checkpoint: str) -> None:
        assert self._made is not None
        if self._fence is not None:
            Fences(self._made).check(self._target.flow, self._fence)
        Ledger(self._made).save(self._target.flow, self._target.run, checkpoint)

    def _commit(self) -> None:
        transaction, self._open = self._open, ExitStack()
        transaction.close()

    def _drop(self) -> None:
        transaction, self._open = self._open, ExitStack()
        with suppress(_Dropped, SynclineError), transaction:
            raise _Dropped


class _Dropped(Exception):
    """Rolls a transaction back."""
