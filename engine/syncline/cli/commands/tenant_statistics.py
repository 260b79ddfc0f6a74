"""`syncline tenant statistics`: figures over all tenants, out of which no tenant's own can be read."""

from __future__ import annotations

import datetime as dt

import click
from msgspec import to_builtins

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json


@click.command(short_help="Show figures over all tenants.")
@click.argument("month", default="", metavar="[YYYY-MM]")
@output("text", "json")
@pass_app
def statistics(app: App, month: str, form: str) -> Exit:
    """Show runs, failures, records and durations over all tenants, of a month that is over; by default the last one.

    A figure is left out where too few tenants are in it (spec.statistics of each says among how many it wants to be),
    or one has nearly all of it. What was told of a month once is told again as it was.
    """
    from syncline.cli.output.tenants import render_statistics
    from syncline.tenancy.statistics import last_month
    from syncline.tenancy.statistics import statistics as told

    today = dt.datetime.now(dt.UTC).date()
    found = told(app.settings(), month or last_month(today), today)
    app.say(to_json(to_builtins(found)) if form == "json" else render_statistics(found, app.paint))
    return Exit.ok
