"""The command `syncline`: global options, and the one place where an error becomes a message and an exit code.

A person's mistake is never a traceback. A defect is one line with its code; `SYNCLINE_DEBUG=1` adds the traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from syncline import __version__
from syncline.cli.app import App
from syncline.cli.commands.table import ENTRIES
from syncline.cli.exit import Exit, exit_code
from syncline.cli.lazy import LazyGroup
from syncline.model.errors import Denied, Invalid, SynclineError


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised like Ctrl-C, so that whatever is open is closed in order."""


class Root(LazyGroup):
    """The group of all commands, and the place where an error ends as a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command and turns whatever it raises into what a person and a script can read."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            ctx.exit(_interrupted(error))
        except SynclineError as error:
            _report(_app(ctx), error)
            ctx.exit(exit_code(error))
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click knows them
        except Exception as error:
            _defect(_app(ctx), error)
            ctx.exit(Exit.failed)


@click.group(
    cls=Root,
    entries=ENTRIES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 invalid or failed, 2 usage, 3 denied by policy or a guard, 4 finished with rejects, "
    "5 unreachable, 10 changes (with --exit-code).",
)
@click.option(
    "--root",
    envvar="SYNCLINE_ROOT",
    show_envvar=True,
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="The configuration repository; the current folder by default.",
)
@click.option("--no-color", is_flag=True, help="No colours, even on a terminal (as with NO_COLOR).")
@click.version_option(__version__, "--version", message="syncline %(version)s", help="Show the version and exit.")
@click.pass_context
def cli(ctx: click.Context, root: Path, *, no_color: bool) -> None:
    """Declarative data integration, run by Git: manifests, plan, apply, run, evidence."""
    ctx.obj = App(root=root, environ=os.environ, color=not no_color)


def main(args: Sequence[str] | None = None) -> int:
    """Runs a command line (`sys.argv` by default) and returns its exit code."""
    _prepare()
    try:
        result = cli.main(args=args, prog_name="syncline", standalone_mode=False)
        return int(result) if isinstance(result, int) else Exit.ok
    except click.Abort:  # Ctrl-C or the end of input at a question
        return _interrupted(KeyboardInterrupt())
    except click.ClickException as error:
        error.show()
        return error.exit_code


def run() -> NoReturn:
    """
    The command itself: `main`, and out at once.

    Taking manifests and libraries apart object by object, as Python does at its end, takes longer than many commands.
    What has to be closed is closed by then: files, connections and threads end with the blocks that use them.
    """
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it is gone, or it was closed
            stream.flush()
    os._exit(code)


def _prepare() -> None:
    """Makes the process fit for a command line: no encoding error ends it, and SIGTERM ends it in order."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        signal.signal(signal.SIGTERM, _terminate)
    except ValueError:  # not in the main thread: whoever runs us there has its own signals
        return


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise Terminated


def _interrupted(cause: BaseException) -> Exit:
    ended = isinstance(cause, Terminated)
    word = "Terminated" if ended else "Interrupted"
    click.echo(f"{word}. Nothing is half-written: a run resumes from its last commit when it is run again.", err=True)
    return Exit.terminated if ended else Exit.interrupted


def _app(ctx: click.Context) -> App:
    """The options as read, or their defaults when reading them is what failed."""
    return ctx.obj if isinstance(ctx.obj, App) else App(root=Path(), environ=os.environ)


def _report(app: App, error: SynclineError) -> None:
    """A message for an error that was raised on purpose, with every finding that it carries."""
    from syncline.cli.output.error import render_error
    from syncline.cli.output.excerpt import Sources

    findings = error.diagnostics if isinstance(error, Invalid | Denied) else ()
    if findings:
        from syncline.cli import seen

        findings = seen.findings(app.settings(), findings)
    app.note(render_error(error, findings, paint=app.paint_errors, sources=Sources(app.root)))


def _defect(app: App, error: Exception) -> None:
    """One line for an error that was not meant to be. Its own text isn't shown: it may hold what must not be seen."""
    from syncline.cli.output.error import render_defect

    app.note(render_defect(error, paint=app.paint_errors, debug=bool(os.environ.get("SYNCLINE_DEBUG"))))


if __name__ == "__main__":
    sys.exit(main())
