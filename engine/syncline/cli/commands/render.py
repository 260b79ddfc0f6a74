"""`syncline render`: the manifests as they are in an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, output
from syncline.cli.exit import Exit, exit_code
from syncline.cli.output.jsontext import to_json

if TYPE_CHECKING:
    from syncline.model.manifest import Manifest


@click.command(short_help="Show the manifests of an environment.")
@output("yaml", "json", help="How to write them.")
@environment
@pass_app
def render(app: App, form: str) -> Exit:
    """Show what is declared in an environment: patches laid over the manifests, variables filled in.

    Each manifest follows the place that it is from. What can't be read or doesn't fit is told on standard error, with
    exit code 1; references between manifests are `validate`'s business.

    \b
    Examples:
      syncline render --environment staging
      diff <(syncline render --environment staging) <(syncline render --environment production)
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline.cli.output.excerpt import Sources
    from syncline.cli.output.findings_text import render_text
    from syncline.cli.seen import declared
    from syncline.executor.access.seen import KEPT_BACK

    settings = app.settings()
    loaded, unseen = declared(settings)
    manifests = sorted(loaded.manifests, key=lambda manifest: manifest.key)
    app.say(to_json([dict(m.source) for m in manifests]) if form == "json" else "---\n".join(map(_yaml, manifests)))
    if unseen:
        app.note(KEPT_BACK)
    if loaded.diagnostics:
        app.note(render_text(loaded.diagnostics, Sources(settings.root), app.paint_errors))
    return exit_code(loaded.diagnostics)


def _yaml(manifest: Manifest) -> str:
    from syncline.cli.output.flow_yaml import to_yaml

    return f"# {manifest.place}\n{to_yaml(manifest.source)}"
