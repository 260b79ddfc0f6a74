"""The command `syncline`: global options, and the one place where an error becomes a message and an exit code.

A person's mistake is never a traceback. A defect is one line with its code; `SYNCLINE_DEBUG=1` adds the traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from syncline import __version__
from syncline.cli.app import App
from syncline.cli.commands.table import ENTRIES
from syncline.cli.exit import Exit, exit_code
from syncline.cli.lazy import LazyGroup
from syncline.model.errors import Denied, Invalid, SynclineError


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised like Ctrl-C, so that whatever is open is closed in order."""


@click.group(
    cls=LazyGroup,
    entries=ENTRIES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 invalid or failed, 2 usage, 3 denied by policy, 4 finished with rejects, "
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
    """Runs a command line (`sys.argv` by default) and returns its exit code. Raises nothing but SystemExit."""
    _prepare()
    try:
        result = cli.main(args=args, prog_name="syncline", standalone_mode=False)
        return int(result) if isinstance(result, int) else Exit.ok
    except click.Abort as error:
        return _interrupted(error.__cause__)
    except KeyboardInterrupt as error:
        return _interrupted(error)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SynclineError as error:
        _report(error)
        return exit_code(error)
    except Exception as error:
        _defect(error)
        return Exit.failed


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


def _interrupted(cause: BaseException | None) -> Exit:
    ended = isinstance(cause, Terminated)
    word = "Terminated" if ended else "Interrupted"
    click.echo(f"{word}. Nothing is half-written: a run resumes from its last commit when it is run again.", err=True)
    return Exit.terminated if ended else Exit.interrupted


def _app() -> App:
    """For messages about errors, when the options may not have been read."""
    return App(root=Path(os.environ.get("SYNCLINE_ROOT") or "."), environ=os.environ, color="--no-color" not in sys.argv)


def _report(error: SynclineError) -> None:
    """A message for an error that was raised on purpose, with every finding that it carries."""
    from syncline.cli.output.error import render_error

    app = _app()
    findings = error.diagnostics if isinstance(error, Invalid | Denied) else ()
    app.note(render_error(error, findings, paint=app.paint_errors))


def _defect(error: Exception) -> None:
    """One line for an error that was not meant to be. Its own text isn't shown: it may hold what must not be seen."""
    from syncline.cli.output.error import render_defect

    app = _app()
    app.note(render_defect(error, paint=app.paint_errors, debug=bool(os.environ.get("SYNCLINE_DEBUG"))))


if __name__ == "__main__":
    sys.exit(main())
