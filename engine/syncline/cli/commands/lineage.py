"""`syncline lineage`: which source field reaches which target field, of which class, protected by what."""

from __future__ import annotations

from pathlib import Path

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import out, output, write_file
from syncline.cli.exit import Exit
from syncline.cli.names import FLOWS, find_object


@click.command(short_help="Show which field goes where.")
@click.argument("name", metavar="[TENANT/]KIND/NAME")
@click.option("--tenant", default="", metavar="TENANT", help="Look for the name in this tenant only.")
@output("text", "mermaid", "svg", help="How to draw it.")
@out("Write to a file instead of standard output.")
@pass_app
def lineage(app: App, name: str, tenant: str, form: str, out: Path | None) -> Exit:
    """Show the lineage of a declared sync or import: source fields, target fields, classes and protections.

    It is compiled from the mapping, and is what policy decides by.
    """
    from syncline import workflow
    from syncline.manifests.load import load_tree
    from syncline.mapping import lineage as drawing

    settings = app.settings()
    keys = [manifest.key for manifest in load_tree(settings.root).manifests]
    item = workflow.lineage(settings, find_object(name, keys, kinds=FLOWS, tenant=tenant))
    match form:
        case "mermaid":
            text = drawing.mermaid(item)
        case "svg":
            text = drawing.svg(item)
        case _:
            text = drawing.text(item)
    if out is not None:
        write_file(out, text)
        app.note(f"Written to {out}.")
    else:
        app.say(text)
    return Exit.ok
