"""`syncline history`: what was applied, when, and whose commit it was."""

from __future__ import annotations

import click
from msgspec import to_builtins

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json


@click.command(short_help="Show what was applied.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", default=20, show_default=True, help="How many at most."
)
@output("text", "json")
@pass_app
def history(app: App, limit: int, form: str) -> Exit:
    """Show the commits that were applied and changed something, newest first: when, which, the serial of the state that
    each led to, how many objects it changed, whose it was, and the plan. `syncline runs list NAME` shows the runs of an
    object.
    """
    from syncline import workflow
    from syncline.cli.output.statuses import render_history

    found = workflow.history(app.settings(), limit)
    if form == "json":
        app.say(to_json([to_builtins(revision) for revision in found]))
    else:
        app.say(render_history(found, app.paint))
    return Exit.ok
