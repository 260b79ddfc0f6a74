"""`syncline serve`: the reconciler daemon."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncline.cli.app import App, pass_app
from syncline.cli.exit import Exit

if TYPE_CHECKING:
    from types import FrameType

    from syncline.daemon.loop import Daemon


@click.command(short_help="Run the reconciler daemon.")
@click.option("--source", metavar="URL", help="The Git repository to follow; by default the one in --root.")
@click.option("--branch", default="main", show_default=True, metavar="NAME", help="The branch to follow.")
@click.option("--path", default="", metavar="FOLDER", help="Folder of the configuration in the repository.")
@click.option(
    "--allowed-signers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Apply only commits that somebody in this file signed (ssh-keygen's allowed signers).",
)
@click.option(
    "--poll", type=click.FloatRange(0.1), default=60.0, show_default=True, metavar="SECONDS", help="Between looks."
)
@click.option("--at-once", type=click.IntRange(1, 64), default=4, show_default=True, help="Runs at the same time.")
@click.option("--health", metavar="HOST:PORT", help="Answer /healthz and /readyz there.")
@pass_app
def serve(
    app: App,
    source: str | None,
    branch: str,
    path: str,
    allowed_signers: Path | None,
    poll: float,
    at_once: int,
    health: str | None,
) -> Exit:
    """Follow a Git repository: apply each new commit of a branch, and start what its schedules say.

    Only commits count, never what is changed in a work tree. A commit that isn't valid, that policy denies or that
    isn't signed as demanded changes nothing, and the last good one keeps running. After a rewritten history, nothing
    is applied until somebody acts. SIGTERM lets runs end for four seconds; what had not ended goes on when it is
    started again.

    \b
    Examples:
      syncline serve
      syncline --root /srv/syncline serve --source https://git.example.com/config.git --health 127.0.0.1:8088
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline.cli.output.text import visible
    from syncline.daemon.loop import Daemon
    from syncline.daemon.source import GitSource, SourceRepository

    settings = app.settings()
    followed = GitSource(url=source or str(settings.root), branch=branch, path=path, allowed_signers=allowed_signers)

    def tell(line: str) -> None:
        app.note(f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ} {visible(line)}")

    repository = SourceRepository(followed, settings.home / "source")
    daemon = Daemon(settings, repository, tell, poll=poll, at_once=at_once)
    with _stopping() as stop, _probes(daemon, health, tell):
        daemon.serve(stop)
    tell("stopped")
    return Exit.ok


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; a second one ends the process as they do elsewhere."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, before[signal.Signals(number)])
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _probes(daemon: Daemon, address: str | None, tell: Callable[[str], None]) -> Iterator[None]:
    """Answers probes at HOST:PORT, if it is given, while the block runs."""
    if address is None:
        yield
        return
    from syncline.daemon.health import serving

    host, _, port = address.rpartition(":")
    host = host or "127.0.0.1"
    if not port.isdecimal() or int(port) > 65535:
        raise click.UsageError(f"--health {address!r} is not HOST:PORT.")
    status = daemon.status

    def answer(*, ok: bool) -> tuple[bool, dict[str, Any]]:
        return ok, {"leading": status.leading, "commit": status.commit, "problem": status.problem}

    probes = {"/healthz": lambda: answer(ok=True), "/readyz": lambda: answer(ok=status.ready)}
    with serving(host, int(port), probes) as bound:
        tell(f"probes at http://{host}:{bound}/healthz and /readyz")
        yield
