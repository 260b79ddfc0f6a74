"""`syncline lsp`: the language server, which an editor starts."""

from __future__ import annotations

import contextlib
import sys

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment
from syncline.cli.exit import Exit
from syncline.model.errors import Stalled


@click.command(short_help="Serve an editor.")
@environment
@click.pass_context
@pass_app
def lsp(app: App, ctx: click.Context) -> Exit:
    """Serve an editor with the Language Server Protocol, over standard input and output.

    The editor shows what `syncline validate` says, of the whole repository, with files as they stand in it unsaved: the
    same codes, places and words. It completes names of fields, values and objects, explains them, leads to what is
    referred to, formats as `syncline fmt`, and takes over what a finding suggests. Nothing is contacted or changed.

    The repository is the folder that the editor has opened, the first of several, unless --root (SYNCLINE_ROOT) says
    another. Without either nothing is checked, and fields are still completed and explained. Needs the extra `editor`.
    """
    try:
        from syncline.editor.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"pygls", "lsprotocol"}:
            raise
        raise Stalled(
            "the language server needs the package pygls, which isn't installed",
            code="SYN920",
            help="Install syncline with it: pip install 'syncline[editor]'.",
        ) from None
    parent = ctx.parent
    given = parent is not None and parent.get_parameter_source("root") is not click.core.ParameterSource.DEFAULT
    answers = sys.stdout.buffer
    with contextlib.redirect_stdout(sys.stderr):  # what is written there is the protocol's, and nobody else's
        ended = serve(app.settings, app.root if given else None, sys.stdin.buffer, answers)
    return Exit.ok if ended else Exit.failed
