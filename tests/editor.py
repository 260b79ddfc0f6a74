"""An editor for tests: the real server as a process of its own, with the library's own client at the other end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from tests import warm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

#: Seconds after which a server that says nothing has failed.
PATIENCE = 60.0


class Editor(LanguageClient):
    """What an editor sees: diagnostics by file, and messages. `root` is the folder that it has opened."""

    def __init__(self, root: Path) -> None:
        super().__init__("tests", "1")
        self.root = root
        self.shown: dict[str, list[types.Diagnostic]] = {}
        self.versions: dict[str, int | None] = {}
        self.messages: list[str] = []
        self.registered: list[str] = []
        self.news = asyncio.Event()

        @self.feature(types.CLIENT_REGISTER_CAPABILITY)
        def registered(params: types.RegistrationParams) -> None:
            self.registered = [one.method for one in params.registrations]

        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def published(params: types.PublishDiagnosticsParams) -> None:
            self.shown[params.uri] = list(params.diagnostics)
            self.versions[params.uri] = params.version
            self.news.set()

        @self.feature(types.WINDOW_SHOW_MESSAGE)
        def said(params: types.ShowMessageParams) -> None:
            self.messages.append(params.message)
            self.news.set()

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri()

    def open(self, name: str, text: str | None = None, version: int = 1) -> None:
        """Opens a file, with a text that isn't the one on disk if there is one."""
        text = (self.root / name).read_text(encoding="utf-8") if text is None else text
        document = types.TextDocumentItem(self.uri(name), "yaml", version, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(document))

    def change(self, name: str, text: str, version: int) -> None:
        """Types, without saving."""
        document = types.VersionedTextDocumentIdentifier(version, self.uri(name))
        whole = types.TextDocumentContentChangeWholeDocument(text)
        self.text_document_did_change(types.DidChangeTextDocumentParams(document, [whole]))

    def close(self, name: str) -> None:
        document = types.TextDocumentIdentifier(self.uri(name))
        self.text_document_did_close(types.DidCloseTextDocumentParams(document))

    def codes(self, name: str) -> list[str]:
        """The codes that are shown in a file, in order."""
        return [str(found.code) for found in self.shown.get(self.uri(name), ())]

    async def until(self, name: str, version: int | None = None, *, clean: bool = False) -> list[types.Diagnostic]:
        """What is shown in a file, once something was said of it (in that version; that it is `clean`)."""
        uri = self.uri(name)
        await self._until(
            lambda: uri in self.shown and self.versions[uri] == version and not (clean and self.shown[uri])
        )
        return self.shown[uri]

    async def until_told(self) -> None:
        """Waits for a message."""
        await self._until(lambda: bool(self.messages))

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not reached():
                self.news.clear()
                await self.news.wait()

    async def settled(self, name: str, version: int | None) -> list[types.Diagnostic]:
        """The same, once all is said that the check of that version had to say of other files as well."""
        await self.until(name, version)
        async with asyncio.timeout(PATIENCE):  # an answer comes after what was said before it
            await self.text_document_hover_async(
                types.HoverParams(types.TextDocumentIdentifier(self.uri(name)), types.Position(0, 0))
            )
        return self.shown[self.uri(name)]


@asynccontextmanager
async def editing(
    root: Path,
    *options: str,
    encodings: list[types.PositionEncodingKind | str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[Editor]:
    """An editor that has opened a folder, with `syncline lsp` started in it."""
    editor = Editor(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", warm.Popen)  # with which asyncio starts it
        await editor.start_io(
            sys.executable, "-m", "syncline", *options, "lsp", cwd=str(root), env={**os.environ, **(environ or {})}
        )
    general = types.GeneralClientCapabilities(position_encodings=encodings)
    watching = types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
    able = types.ClientCapabilities(
        general=general, workspace=types.WorkspaceClientCapabilities(did_change_watched_files=watching)
    )
    folder = types.WorkspaceFolder(editor.root.as_uri(), "tests")
    try:
        async with asyncio.timeout(PATIENCE):
            await editor.initialize_async(types.InitializeParams(able, workspace_folders=[folder]))
            editor.initialized(types.InitializedParams())
        yield editor
    finally:
        async with asyncio.timeout(PATIENCE):
            await editor.shutdown_async(None)
            editor.exit(None)
            assert editor._server is not None
            assert await editor._server.wait() == 0
            await editor.stop()
