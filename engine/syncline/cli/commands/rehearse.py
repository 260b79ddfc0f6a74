"""`syncline rehearse`: a whole run of a sync or an import as it is declared, without writing."""

from __future__ import annotations

from pathlib import Path

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, out, output, write_file
from syncline.cli.exit import Exit


class _Share(click.ParamType[float]):
    """A share such as 1% or 0.01."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = 0.0
        if not 0 < share <= 1:
            self.fail(f"{text!r} is no share: write 1% or 0.01.", param, ctx)
        return share


@click.command(short_help="Try a whole run without writing.")
@click.argument("name", metavar="[TENANT/]KIND/NAME")
@click.option("--tenant", default="", metavar="TENANT", help="Look for the name in this tenant only.")
@click.option(
    "--sample", type=_Share(), default="100%", show_default=True, metavar="SHARE", help="Look at this share of records."
)
@click.option("--values", is_flag=True, help="Show values of rejected records as they were read, not only their shape.")
@output("text", "json", "html")
@out("Write to a file that only you can read, instead of standard output.")
@environment
@pass_app
def rehearse(app: App, name: str, tenant: str, form: str, out: Path | None, *, sample: float, values: bool) -> Exit:
    """Read everything that a sync or an import would read, map it and compare it with the destination; write nothing.

    It tells what would be inserted, updated and left, every rule that records break with samples and places, keys that
    come more than once, the quality of each field, and whether a guard would refuse the run. It tries what is declared,
    applied or not. The exit code is 4 where records would be rejected, 3 where a guard would refuse the run.

    \b
    Examples:
      syncline rehearse Import/customers
      syncline rehearse Import/customers --sample 1% -o html --out rehearsal.html
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline import workflow
    from syncline.cli.commands.run import declared, watching
    from syncline.cli.output.jsontext import to_json
    from syncline.cli.output.rehearsal import rehearsal_data, render_rehearsal, render_rehearsal_page

    settings = app.settings()
    key = declared(settings, name, tenant)
    with watching(app) as progress:
        found = workflow.rehearse(settings, key, progress=progress, share=sample, values=values)
    match form:
        case "json":
            text = to_json(rehearsal_data(found))
        case "html":
            text = render_rehearsal_page(found, values=values)
        case _:
            text = render_rehearsal(found, app.paint, values=values)
    if out is not None:
        write_file(out, text, private=True)
        app.note(f"Written to {out}.")
    else:
        app.say(text)
    if found.refused:
        return Exit.denied
    return Exit.rejects if found.counts.rejected else Exit.ok
