"""`syncline compare`: what a source has, through its mapping, against what is at the destination."""

from __future__ import annotations

from pathlib import Path

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, out, output, write_file
from syncline.cli.exit import Exit


@click.command(short_help="Compare a source with its destination, row by row.")
@click.argument("name", metavar="[TENANT/]KIND/NAME")
@click.option("--tenant", default="", metavar="TENANT", help="Look for the name in this tenant only.")
@click.option(
    "--limit",
    type=click.IntRange(0, 1_000_000),
    default=100,
    show_default=True,
    metavar="N",
    help="List at most so many rows of each kind.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 10 if a row is missing, extra or different.")
@output("text", "json")
@out("Write to a file that only you can read, instead of standard output.")
@environment
@pass_app
def compare(app: App, name: str, tenant: str, limit: int, form: str, out: Path | None, *, exit_code: bool) -> Exit:
    """Read all of a flow's source and all of its table, and tell by key which rows are missing, extra or different.

    Records are mapped as a run would map them; records that would be rejected can't be rows, and are counted apart.
    Of a row that differs the names of its fields are told, never a value; keys that are classified are masked. Memory
    is bounded: rows are kept as hashes, in a temporary file. Nothing is written. What is written by others meanwhile
    may show as a difference: compare while no run of the flow is under way.

    The destination is a database, and its rows have a key. It tries what is declared, applied or not.

    \b
    Examples:
      syncline compare Sync/orders
      syncline compare Import/customers -o json --limit 10000 --out differences.json --exit-code
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline import workflow
    from syncline.cli.commands.run import declared, watching
    from syncline.cli.output.comparison import comparison_data, render_comparison
    from syncline.cli.output.jsontext import to_json

    settings = app.settings()
    key = declared(settings, name, tenant)
    with watching(app) as progress:
        found = workflow.compare(settings, key, progress=progress, limit=limit)
    text = to_json(comparison_data(found)) if form == "json" else render_comparison(found, app.paint)
    if out is not None:
        write_file(out, text, private=True)
        app.note(f"Written to {out}.")
    else:
        app.say(text)
    return Exit.changes if exit_code and not found.equal else Exit.ok
