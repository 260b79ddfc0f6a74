"""`syncline explain`: what a code means, or what a kind or a field is for."""

from __future__ import annotations

import re

import click

from syncline.cli.app import App, pass_app
from syncline.cli.exit import Exit

_CODE = re.compile(r"(?i)syn\d+")


@click.command(short_help="Explain a code, a kind or a field.")
@click.argument("topic", metavar="CODE|KIND[.PATH]")
@pass_app
def explain(app: App, topic: str) -> Exit:
    """Explain a code that a finding carries, a kind of manifest, or one of its fields.

    \b
    Examples:
      syncline explain SYN501
      syncline explain Sync
      syncline explain Mapping.fields.protect
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline.cli.output.explain_text import render_code, render_explanation
    from syncline.manifests.explain import explain_code, explain_path

    if _CODE.fullmatch(topic):
        app.say(render_code(explain_code(topic), app.paint, app.columns))
    else:
        app.say(render_explanation(explain_path(topic), app.paint, app.columns))
    return Exit.ok
