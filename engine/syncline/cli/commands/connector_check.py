"""`syncline connector check`: does the system of a declared integration answer, and as whom."""

from __future__ import annotations

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import declared_integration, environment, integration_arguments, output
from syncline.cli.exit import Exit, exit_code
from syncline.cli.output.jsontext import to_json
from syncline.model.errors import SynclineError


@click.command(short_help="Ask whether a system answers, and as whom.")
@integration_arguments
@output("text", "json")
@environment
@pass_app
def check(app: App, name: str, tenant: str, form: str) -> Exit:
    """Ask whether the system of a declared integration answers: once, without retries, with its credentials.

    Sends the connector's `check` request, or asks for its first stream's first page; opens a folder; connects to a
    database. Says what was reached and as whom, how long it took, the TLS that was spoken, and the rate limits and the
    end of the API that its answer announces. It need not be applied. Policy is checked first; the use of secrets is
    evidence.

    Exit code: 0 when it answers, 3 when policy denies it, 5 when it can't be reached, 1 for anything else, such as
    refused credentials.
    """
    from syncline import inspection
    from syncline.cli.output.reached import check_data, failure_data, render_check

    settings = app.settings()
    validation, key = declared_integration(settings, name, tenant)
    try:
        found = inspection.check(settings, validation, key)
    except SynclineError as error:
        if form == "json":
            app.say(to_json(failure_data(key, error)))
            return exit_code(error)
        raise
    app.say(to_json(check_data(key, found)) if form == "json" else render_check(key, found, app.paint))
    return Exit.ok
