"""The language server: what a client asks for, and who answers. See the modules beside this one for how."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import unquote

from lsprotocol import types
from pygls.exceptions import FeatureRequestError, JsonRpcException, PyglsError
from pygls.lsp.server import LanguageServer

from syncline import __version__
from syncline.editor import answers
from syncline.editor.checking import Checking, Open, defect
from syncline.editor.positions import Positions
from syncline.editor.repository import Checked, Repository, path_of
from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from syncline.settings import Settings

#: What a client is asked to tell of, when somebody else changes it.
WATCHED: Final = "**/*.{yaml,yml}"


class Server(LanguageServer):
    """Serves one client, with one repository: the folder that the client has opened, or the one that was given."""

    def __init__(self, settings_of: Callable[[Path], Settings], root: Path | None) -> None:
        # Whole texts: in parts, the library would count lines in yet another way (see `positions.py`).
        super().__init__("syncline", __version__, types.TextDocumentSyncKind.Full)
        self.ended = False
        self.checking: Checking | None = None
        self.repository: Repository | None = None
        self._settings_of = settings_of
        self._root = root
        self._refused = ""

    def begin(self, params: types.InitializeParams) -> None:
        """Finds the repository, if a folder is opened or was given: the current one may be all of the disk."""
        root = self._root or _folder(params)
        if root is None:
            return
        try:
            self.repository = Repository(self._settings_of(root), root)
        except Invalid as error:
            self._refused = f"{error.code}: {error.message}"
            return
        self.checking = Checking(self, self.repository, self.opened)

    def watch(self) -> None:
        """Has the client tell of files that others change, and checks everything for the first time."""
        if self._refused:
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, self._refused))
        workspace = self.client_capabilities.workspace
        watched = workspace.did_change_watched_files if workspace else None
        if watched and watched.dynamic_registration:
            options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(WATCHED)])
            method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
            self.client_register_capability(types.RegistrationParams([types.Registration("files", method, options)]))
        self.ask(saved=True)

    def ask(self, *, saved: bool = False) -> None:
        """Has the repository checked soon."""
        if self.checking is not None:
            self.checking.ask(saved=saved)

    def stop(self) -> None:
        """Ends what goes on in the background; the client has said that it leaves."""
        self.ended = True
        if self.checking is not None:
            self.checking.stop()

    def report_server_error(self, error: Exception, source: type[PyglsError | JsonRpcException]) -> None:
        """Says that something failed, by its kind; who asked for something has it in the answer."""
        if source is not FeatureRequestError:
            kind = str(error).partition(":")[0] if isinstance(error, JsonRpcException) else type(error).__name__
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, defect(kind)))

    def opened(self) -> dict[str, Open]:
        """The repository's files that are open, by name."""
        assert self.repository is not None
        named = ((self.repository.name_of(one.uri), one) for one in self.workspace.text_documents.values())
        return {name: Open(one.uri, one.source, one.version) for name, one in named if name is not None}

    def here(self, uri: str) -> Positions:
        """The positions in an open file."""
        one = self.workspace.text_documents.get(unquote(uri))  # by which the library has them
        return Positions(one.source if one is not None else "", self.workspace.position_encoding or "utf-16")

    @property
    def latest(self) -> Checked:
        """What was found last."""
        return self.checking.latest if self.checking is not None else Checked()

    def found(self, uri: str) -> tuple[Diagnostic, ...]:
        """What was found about an open file; nothing where its text has changed since."""
        name = self.repository.name_of(uri) if self.repository is not None else None
        if name is None or self.latest.unsaved.get(name) != self.here(uri).content:
            return ()
        return self.latest.of(name)


def serve(settings_of: Callable[[Path], Settings], root: Path | None, stdin: BinaryIO, stdout: BinaryIO) -> bool:
    """
    Serves one client until it leaves; whether it said so first, as the protocol wants it.

    `settings_of` reads the settings of a folder. `root` is the repository, where one was given.
    """
    if not os.environ.get("SYNCLINE_DEBUG"):
        for name in ("pygls", "asyncio", "concurrent.futures"):  # they would show tracebacks, and values with them
            logging.getLogger(name).setLevel(logging.CRITICAL)
    server = Server(settings_of, root)
    _follow(server)
    _answer(server)
    server.start_io(stdin, stdout)
    return server.ended


def _folder(params: types.InitializeParams) -> Path | None:
    """The folder that the client has opened, the first of several."""
    folders = [folder.uri for folder in params.workspace_folders or ()]
    named = folders[0] if folders else params.root_uri
    return path_of(named) if named else None


def _follow(server: Server) -> None:
    """What a client tells of."""

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        server.begin(params)

    @server.feature(types.INITIALIZED)
    def initialized(_: types.InitializedParams) -> None:
        server.watch()

    @server.feature(types.SHUTDOWN)
    def shutdown(_: None) -> None:
        server.stop()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(_: types.DidOpenTextDocumentParams) -> None:
        server.ask()

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(_: types.DidChangeTextDocumentParams) -> None:
        server.ask()

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def did_save(_: types.DidSaveTextDocumentParams) -> None:
        server.ask(saved=True)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(_: types.DidCloseTextDocumentParams) -> None:
        server.ask()

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def files_changed(_: types.DidChangeWatchedFilesParams) -> None:
        server.ask(saved=True)


def _answer(server: Server) -> None:
    """What a client asks for."""

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        uri = params.text_document.uri
        return answers.hover(server.here(uri), params.position, server.found(uri))

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[" ", "/", ":"]))
    def complete(params: types.CompletionParams) -> list[types.CompletionItem]:
        return answers.complete(server.here(params.text_document.uri), params.position, server.latest.desired)

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def definition(params: types.DefinitionParams) -> types.Location | None:
        if server.repository is None:
            return None
        at = server.here(params.text_document.uri)
        return answers.definition(at, params.position, server.latest, server.repository)

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    def formatting(params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
        uri = params.text_document.uri
        name = server.repository.name_of(uri) if server.repository is not None else None
        if name is None:
            return None
        try:
            return answers.formatted(server.here(uri), name)
        except Invalid as error:
            message = f"Not formatted: {error.code}: {error.message}"
            server.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))
            return None

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
    )
    def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        if server.repository is None:
            return []
        return answers.actions(server.here(uri), uri, params.range, server.found(uri), server.repository)
