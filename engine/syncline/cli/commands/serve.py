"""`syncline serve`: the reconciler daemon."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.listens import Listen, listens, probes, webhook
from syncline.cli.commands.options import environment
from syncline.cli.exit import Exit

if TYPE_CHECKING:
    from types import FrameType

    from syncline.model.key import ObjectKey


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
@click.option(
    "--lease",
    type=click.FloatRange(0.3, 60),
    default=3.0,
    show_default=True,
    metavar="SECONDS",
    help="Silence after which another daemon takes over.",
)
@click.option(
    "--snapshot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep a signed snapshot of the state in this file, for plans in CI.",
)
@listens
@environment
@pass_app
def serve(  # noqa: PLR0913 - the options of the command
    app: App,
    source: str | None,
    branch: str,
    path: str,
    allowed_signers: Path | None,
    poll: float,
    at_once: int,
    lease: float,
    snapshot: Path | None,
    listen: Listen,
) -> Exit:
    """Follow a Git repository: apply each new commit of a branch, and start what its schedules say.

    Only commits count, never what is changed in a work tree. A commit that isn't valid, that policy denies or that
    isn't signed as demanded changes nothing, and the last good one keeps running. After a rewritten history, nothing
    is applied until somebody acts. After SIGTERM nothing more is started; runs that don't end within three seconds
    are stopped after their next commit, and go on from there when they are started again.

    \b
    Examples:
      syncline serve
      syncline --root /srv/syncline serve --source https://git.example.com/config.git --health 127.0.0.1:8088
      syncline serve --hook 127.0.0.1:8089 --hook-secret env:HOOK_SECRET
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline.cli.output.text import visible
    from syncline.daemon.loop import Daemon
    from syncline.daemon.publish import Publisher
    from syncline.daemon.requests import RunRequests
    from syncline.daemon.source import GitSource, SourceRepository

    settings = app.settings()
    followed = GitSource(url=source or str(settings.root), branch=branch, path=path, allowed_signers=allowed_signers)

    def tell(line: str) -> None:
        app.note(f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ} {visible(line)}")

    repository = SourceRepository(followed, settings.home / "source")
    requests = RunRequests(settings, _flow, tell)
    daemon = Daemon(
        settings,
        repository,
        tell,
        poll=poll,
        at_once=at_once,
        lease=lease,
        publisher=Publisher(snapshot.absolute(), tell) if snapshot is not None else None,
        requests=requests.taking,
    )
    with (
        _stopping(daemon.look_soon) as stop,
        probes(listen, daemon, tell),
        webhook(listen, daemon, followed, settings, tell),
    ):
        daemon.serve(stop)
    tell("stopped")
    return Exit.ok


def _flow(name: str, keys: Iterable[ObjectKey], tenant: str) -> ObjectKey:
    """What `syncline run NAME --tenant TENANT` means."""
    from syncline.cli.names import FLOWS, find_object

    return find_object(name, keys, kinds=FLOWS, tenant=tenant)


@contextmanager
def _stopping(wake: Callable[[], None]) -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, which also wake; a second one ends the process as they do elsewhere."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, before[signal.Signals(number)])
        stop.set()
        wake()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
