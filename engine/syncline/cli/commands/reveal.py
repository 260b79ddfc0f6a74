"""`syncline reveal`: what tokens, and texts that kept their format, were made of."""

from __future__ import annotations

import sys

import click

from syncline.cli.app import App, pass_app
from syncline.cli.exit import Exit


@click.command(short_help="Turn tokens back, with the tenant's key.")
@click.argument("values", nargs=-1, metavar="[VALUE]...")
@click.option("--tenant", required=True, metavar="TENANT", help="Whose values they are.")
@click.option(
    "--as",
    "form",
    type=click.Choice(("token", "digits", "alphanumeric")),
    default="token",
    show_default=True,
    help="How they were protected: {tokenize: tenant}, or {preserve: …}.",
)
@pass_app
def reveal(app: App, values: tuple[str, ...], tenant: str, form: str) -> Exit:
    """Turn back what was protected by a token, or by encryption that keeps the format: a line for each value.

    Without values, one is read from each line of standard input. It takes the tenant's key, and the audit log has who
    asked and for how many values. Of texts that kept their format it can't be told whether they were protected at all.
    """
    from syncline.cli.output.text import visible
    from syncline.executor.access.reveal import reveal as turned_back

    given = values or tuple(line.rstrip("\r\n") for line in sys.stdin)
    for text in turned_back(app.settings(), tenant, given, form):
        app.say(visible(text))
    return Exit.ok
