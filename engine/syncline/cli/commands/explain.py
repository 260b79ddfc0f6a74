"""`syncline explain`: what a code means, or what a field of a kind is for."""

from __future__ import annotations

import click

from syncline.cli.app import App, pass_app
from syncline.cli.exit import Exit


@click.command(short_help="Explain a code, a kind or a field.")
@click.argument("topic", metavar="CODE|KIND[.PATH]")
@pass_app
def explain(app: App, topic: str) -> Exit:
    """Explain a code that a finding carries, a kind of manifest, or one of its fields.

    \b
    Examples:
      syncline explain SYN501
      syncline explain Sync
      syncline explain Mapping.spec.fields.protect
    """
    from syncline.cli.output.explain_text import explain_code
    from syncline.model.codes import CODES

    if topic.upper() in CODES:
        app.say(explain_code(CODES[topic.upper()], app.paint, app.columns))
        return Exit.ok
    if topic.upper().startswith("SYN") and topic[3:].isdigit():
        raise click.UsageError(f"There is no code {topic.upper()}; codes run from {min(CODES)} to {max(CODES)}.")
    from syncline.manifests.explain import explain_path

    app.say(explain_path(topic))
    return Exit.ok
