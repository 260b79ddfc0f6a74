"""`syncline connector discover`: what live records look like, against what is declared of them."""

from __future__ import annotations

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import declared_integration, environment, integration_arguments, output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json


@click.command(short_help="Compare live records with declared schemas.")
@integration_arguments
@click.argument("streams", nargs=-1, metavar="[STREAM]...")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    metavar="N",
    help="Records to look at, of each stream.",
)
@click.option("--exit-code", "exit_with_changes", is_flag=True, help="Exit with 10 when something differs.")
@output("text", "json")
@environment
@pass_app
def discover(
    app: App, name: str, tenant: str, streams: tuple[str, ...], limit: int, form: str, *, exit_with_changes: bool
) -> Exit:
    """Read the first records of streams, whole, and compare what they look like with the declared schema.

    Shows every field with its types, formats and nulls; fields that are missing or not declared, types that conflict,
    and fields that look like personal data but have no class; and the YAML to paste. Values are not shown. Without
    STREAM, every declared stream is read. A stream may be declared without a schema. Nothing needs to be applied.

    Exit code: 0, or 10 with --exit-code when something differs; 3 when policy denies it, 5 when the system can't be
    reached, 1 for anything else that keeps every stream from being read.
    """
    from syncline import inspection
    from syncline.cli.output.discovered import differs, discovery_data, render_discovery

    settings = app.settings()
    validation, key = declared_integration(settings, name, tenant)
    found = inspection.discover(settings, validation, key, streams, limit)
    app.say(to_json(discovery_data(key, found)) if form == "json" else render_discovery(key, found, app.paint))
    return Exit.changes if exit_with_changes and differs(found) else Exit.ok
