"""`syncline lineage`: which source field reaches which target field, of which class, protected by what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, out, output, write_file
from syncline.cli.exit import Exit
from syncline.cli.names import FLOWS, find_object
from syncline.cli.output.text import visible_lines

if TYPE_CHECKING:
    from syncline.manifests.flow import Side


@click.command(short_help="Show which field goes where.")
@click.argument("name", metavar="[TENANT/]KIND/NAME")
@click.option("--tenant", default="", metavar="TENANT", help="Look for the name in this tenant only.")
@output("text", "mermaid", "svg", help="How to draw it.")
@out("Write to a file instead of standard output.")
@environment
@pass_app
def lineage(app: App, name: str, tenant: str, form: str, out: Path | None) -> Exit:
    """Show the lineage of a declared sync or import: source fields, target fields, classes and protections.

    It is compiled from the mapping, and is what policy decides by.
    """
    from syncline import workflow
    from syncline.cli.seen import declared_keys
    from syncline.mapping import lineage as drawing

    settings = app.settings()
    item = workflow.lineage(settings, find_object(name, declared_keys(settings), kinds=FLOWS, tenant=tenant))
    ends = _end(item.flow.source), _end(item.flow.target)
    match form:
        case "mermaid":
            text = drawing.to_mermaid(*ends, item.compiled)
        case "svg":
            text = drawing.to_svg(*ends, item.compiled)
        case _:
            text = "\n".join(visible_lines(drawing.to_text(*ends, item.compiled)))
    if out is not None:
        write_file(out, text)
        app.note(f"Written to {out}.")
    else:
        app.say(text)
    return Exit.ok


def _end(side: Side) -> str:
    """An end of a flow: integration, stream and region."""
    name = f"{side.integration.key.name}/{side.stream}"
    return f"{name} in {side.region}" if side.region else name
