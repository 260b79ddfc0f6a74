"""`syncline serve`: the reconciler daemon."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.approvals import approvals
from syncline.cli.commands.follows import Follow, follows
from syncline.cli.commands.listens import Listen, listens, probes, server_tls, webhook
from syncline.cli.commands.options import environment
from syncline.cli.commands.stopping import stopping
from syncline.cli.exit import Exit

if TYPE_CHECKING:
    from syncline.model.key import ObjectKey
    from syncline.reconciler.approvals import Rule


@click.command(short_help="Follow Git: apply commits, start what is scheduled.")
@click.option("--source", metavar="URL", help="The Git repository to follow; by default the one in --root.")
@follows
@click.option(
    "--poll", type=click.FloatRange(0.1), default=60.0, show_default=True, metavar="SECONDS", help="Between looks."
)
@click.option("--at-once", type=click.IntRange(1, 64), default=4, show_default=True, help="Runs at the same time.")
@click.option(
    "--processes",
    type=click.IntRange(0, 64),
    default=0,
    show_default=True,
    help="Processes that do the runs of schedules; 0: this one.",
)
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
@approvals
@listens
@environment
@pass_app
def serve(  # noqa: PLR0913 - the options of the command
    app: App,
    source: str | None,
    follow: Follow,
    poll: float,
    at_once: int,
    processes: int,
    lease: float,
    snapshot: Path | None,
    rule: Rule | None,
    listen: Listen,
) -> Exit:
    """Follow a Git repository: apply each new commit of a branch, and start what its schedules say.

    Only commits count, never what is changed in a work tree. A commit that isn't valid, that policy denies or that
    isn't signed as demanded changes nothing, and the last good one keeps running. After a rewritten history, nothing
    is applied until somebody acts. After SIGTERM nothing more is started; runs that don't end within three seconds
    are stopped after their next commit, and go on from there when they are started again.

    With --approvers, changes that can't be undone or open something up wait, with all that has to do with them, until
    their effects are approved (`syncline approve`) by somebody in that file who isn't an author of the commits.

    \b
    Examples:
      syncline serve
      syncline --root /srv/syncline serve --source https://git.example.com/config.git --health 127.0.0.1:8088
      syncline serve --source https://git.example.com/config.git --password env:GIT_TOKEN --path teams/data
      syncline serve --hook 127.0.0.1:8089 --hook-secret env:HOOK_SECRET
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline.cli.output.text import visible
    from syncline.daemon.git.source import SourceRepository
    from syncline.daemon.loop import Daemon
    from syncline.daemon.publish import Publisher
    from syncline.daemon.requests import RunRequests

    settings = app.settings()
    followed, access = follow.of(source or str(settings.root)), follow.access(settings)

    def tell(line: str) -> None:
        app.note(f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ} {visible(line)}")

    if rule is not None and not followed.signed:
        tell(
            "warning: who made a change is known by addresses that anybody can make up, so that authors may approve "
            "their own; give --allowed-signers or --openpgp-keys beside --approvers"
        )
    repository = SourceRepository(followed, settings.home / "source", access, timeout=follow.timeout)
    requests = RunRequests(settings, _flow, tell)
    daemon = Daemon(
        settings,
        repository,
        tell,
        poll=poll,
        at_once=at_once,
        processes=processes,
        lease=lease,
        publisher=Publisher(snapshot.absolute(), tell) if snapshot is not None else None,
        requests=requests.taking,
        approvals=rule,
    )
    tls = server_tls(listen.tls, tell)
    with (
        daemon.pulses.watching(),
        stopping(daemon.wake) as stop,
        probes(listen, daemon, tls, tell),
        webhook(listen, daemon, settings, tls, tell),
    ):
        daemon.serve(stop)
    tell("stopped")
    return Exit.ok


def _flow(name: str, keys: Iterable[ObjectKey], tenant: str) -> ObjectKey:
    """What `syncline run NAME --tenant TENANT` means."""
    from syncline.cli.names import FLOWS, find_object

    return find_object(name, keys, kinds=FLOWS, tenant=tenant)
