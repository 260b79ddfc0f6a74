"""`syncline status`: how what is applied stands, as conditions say it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json
from syncline.model.condition import ConditionType

if TYPE_CHECKING:
    from syncline.model.condition import Status


@click.command(short_help="Show how objects stand.")
@click.argument("kind", required=False, metavar="[KIND]")
@click.option("--tenant", metavar="TENANT", help="Of this tenant only.")
@click.option("--failing", is_flag=True, help="Only what is not ready.")
@output("text", "json")
@pass_app
def status(app: App, kind: str | None, tenant: str | None, form: str, *, failing: bool) -> Exit:
    """Show what is ready, what isn't, why, since when, and when it is tried again: of the source, and of each object.

    It exits with 1 when something of what is shown needs a person, and with 5 when something isn't ready and is tried
    again by itself. `syncline explain OBJECT` says more about one of them.

    \b
    Examples:
      syncline status
      syncline status syncs --tenant acme --failing
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline import workflow
    from syncline.cli.commands.get import kind_named
    from syncline.cli.output.statuses import VERSION, render_statuses, status_data

    wanted = kind_named(kind) if kind else None
    found = workflow.statuses(app.settings()).values()
    sources = [s for s in found if s.key.kind == "Source"] if wanted in {None, "Source"} and tenant is None else []
    shown = [
        s
        for s in found
        if s.key.kind != "Source"
        and wanted in {None, s.key.kind}
        and tenant in {None, s.key.tenant}
        and (s.failing or not failing)
    ]
    if form == "json":
        data = [[status_data(one) for one in group] for group in (sources, shown)]
        app.say(to_json({"version": VERSION, "sources": data[0], "objects": data[1]}))
    elif not found:
        app.say("Nothing is applied yet.")
    else:
        app.say(render_statuses(shown, sources, dt.datetime.now(dt.UTC), app.paint))
    return _exit([*sources, *shown])


def _exit(statuses: Sequence[Status]) -> Exit:
    failing = [s for s in statuses if s.failing]
    if any(s.holds(ConditionType.stalled) for s in failing):
        return Exit.failed
    return Exit.unreachable if failing else Exit.ok
