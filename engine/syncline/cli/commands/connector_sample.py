"""`syncline connector sample`: the first records of a stream, classified values masked."""

from __future__ import annotations

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import declared_integration, environment, integration_arguments, output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json


@click.command(short_help="Show the first records of a stream.")
@integration_arguments
@click.argument("stream")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=10, show_default=True, metavar="N", help="Records at most."
)
@click.option(
    "--show-classified", is_flag=True, help="Show classified values in the clear; the audit log says that you did."
)
@output("table", "json", "jsonl", help="How to write the records; jsonl is one object a line.")
@environment
@pass_app
def sample(app: App, name: str, tenant: str, stream: str, limit: int, form: str, *, show_classified: bool) -> Exit:
    """Show the first records of a stream as a flow would read them, before mapping. Nothing is written.

    Fields that the schema or a mapping classifies are masked; of a stream without a schema, those that look like
    personal data. Nothing needs to be applied. Policy is checked first; reading is evidence, and so is showing
    classified values, before they are shown.

    Exit code: 0, 4 when a record doesn't fit the schema, 3 when policy denies it, 5 when the system can't be reached,
    1 for anything else.
    """
    from syncline import inspection
    from syncline.cli.output.sampled import render_lines, render_sample, sample_data

    settings = app.settings()
    validation, key = declared_integration(settings, name, tenant)
    found = inspection.sample(settings, validation, key, stream, limit, shown=show_classified)
    match form:
        case "json":
            app.say(to_json(sample_data(key, found)))
        case "jsonl":
            app.say(render_lines(found))
        case _:
            app.say(render_sample(key, found, app.paint, app.columns))
    return Exit.rejects if found.records.malformed else Exit.ok
