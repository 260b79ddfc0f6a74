"""When the repository is checked, and what is told of it: after a pause in typing, and one check at a time."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from lsprotocol import types
from msgspec import Struct

from syncline.editor.diagnostics import diagnostic
from syncline.editor.positions import Positions
from syncline.editor.repository import Checked, Repository
from syncline.model.errors import SynclineError

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

#: Seconds without a change before the repository is checked. More than between two keys, less than anybody waits for.
PAUSE: Final = 0.15


class Open(Struct, frozen=True):
    """A file that is open in the editor, by the URI that the editor has for it."""

    uri: str
    text: str
    version: int | None


class Checking:
    """Checks a repository in a thread of its own, and publishes what is news. Its methods are called by the loop."""

    def __init__(
        self, server: LanguageServer, repository: Repository, open_files: Callable[[], dict[str, Open]]
    ) -> None:
        self.latest = Checked()
        self._server = server
        self._repository = repository
        self._open_files = open_files
        self._thread = ThreadPoolExecutor(1, "check")
        self._task: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self._saved = True
        self._published: dict[str, tuple[int | None, list[types.Diagnostic]]] = {}  # by URI
        self._said = ""

    def ask(self, *, saved: bool = False) -> None:
        """Has the repository checked soon; `saved` where what is on disk may have changed as well."""
        self._saved = self._saved or saved
        self._asked.set()
        if self._task is None:
            self._task = asyncio.create_task(self._check_for_ever())

    def stop(self) -> None:
        """Checks no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._task is not None:
            self._task.cancel()

    async def _check_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._something_new()
            while self._asked.is_set():  # until nobody types
                self._asked.clear()
                await asyncio.sleep(PAUSE)
            saved, self._saved = self._saved, False
            try:
                opened = self._open_files()
                unsaved = {name: one.text for name, one in opened.items()}
                check = partial(self._repository.check, unsaved, saved=saved)
                self.latest = await loop.run_in_executor(self._thread, check)
                self._publish(opened)
                self._said = ""
            except BrokenPipeError:
                return  # nobody is there any more
            except Exception as error:
                self._saved = self._saved or saved
                self._say(_failed(error))

    async def _something_new(self) -> None:
        """Waits until somebody types or saves, or for the next day: exceptions and the like end with one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_until_tomorrow()):
                await self._asked.wait()

    def _say(self, message: str) -> None:
        """Tells why nothing can be said, once for as long as it is so."""
        if message != self._said:
            self._said = message
            self._server.window_show_message(types.ShowMessageParams(types.MessageType.Error, message))

    def _publish(self, opened: dict[str, Open]) -> None:
        """Tells of each file whose findings aren't those that the client has."""
        encoding = self._server.workspace.position_encoding

        def uri(name: str) -> str:
            return opened[name].uri if name in opened else self._repository.uri_of(name)

        @cache
        def positions(name: str) -> Positions:
            return Positions(opened[name].text if name in opened else self._repository.text(name), encoding or "utf-16")

        found = {
            uri(name): (
                opened[name].version if name in opened else None,
                [diagnostic(finding, positions, uri) for finding in findings],
            )
            for name, findings in self.latest.findings.items()
        }
        clean = {uri(name): (one.version, list[types.Diagnostic]()) for name, one in opened.items()}
        gone = {known: (None, list[types.Diagnostic]()) for known, (_, said) in self._published.items() if said}
        for at, (version, said) in {**gone, **clean, **found}.items():
            if self._published.get(at, (None, [])) != (version, said):
                self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(at, said, version))
        self._published = {**clean, **found}


def _until_tomorrow() -> float:
    """Seconds until the next day (UTC) has begun."""
    now = dt.datetime.now(dt.UTC)
    tomorrow = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(second=1), dt.UTC)
    return (tomorrow - now).total_seconds()


def _failed(error: Exception) -> str:
    """Why a check wasn't made: in the words of an error for people, of any other by its kind."""
    if isinstance(error, SynclineError):
        return " ".join(filter(None, (f"{error.code}: {error.message}", error.help)))
    if os.environ.get("SYNCLINE_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    return defect(type(error).__name__)


def defect(kind: str) -> str:
    """That something failed which shouldn't, by the kind of the error: its words may have values in them."""
    return f"SYN999: {kind}. This is a defect in Syncline: please report it."
