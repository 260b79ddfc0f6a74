"""`syncline plan`: what applying would change, and why. Changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import as_source, environment, out, output, snapshot, snapshot_state, write_file
from syncline.cli.exit import Exit, exit_code
from syncline.model.errors import Denied, Invalid

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.model.plan import Plan


@click.command(short_help="Show what applying would change.")
@output("text", "json", "markdown", help="How to show the plan; markdown is for a comment on a pull request.")
@out("Save the plan, to be applied exactly by `syncline apply FILE`.")
@click.option("--exit-code", "exit_with_changes", is_flag=True, help="Exit with 10 when there are changes.")
@click.option("--allow-deletes", is_flag=True, help="Allow a plan that deletes many objects.")
@click.option(
    "--data",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Read the first N records of each flow that changes, and compare them with the destination.",
)
@snapshot
@as_source
@environment
@pass_app
def plan(  # noqa: PLR0913 - the options of the command
    app: App,
    form: str,
    out: Path | None,
    snapshot: Path | None,
    snapshot_key: str,
    snapshot_max_age: float,
    source: str,
    *,
    exit_with_changes: bool,
    allow_deletes: bool,
    data: int | None,
) -> Exit:
    """Show what applying the working tree would change: objects, fields, effects on data, and what policy says.

    The plan is pinned to the Git revision and to the state it was made from. It needs no credentials, contacts nobody
    and changes nothing. The same commit and the same state give the same bytes.

    With --data it looks at the data as well: it reads up to N records of each flow that is new or changes from where
    its next run would begin, maps them, and asks the destination which of the rows are there. It says how many would be
    inserted, updated, deleted or rejected, exactly where there are no more records than that, and how many requests
    and minutes the run takes. That needs credentials, and writes nothing.

    With --snapshot it needs no access to the state either: the snapshot, signed by the key that you trust, stands for
    it, and gives the plan that the state itself gave when it was taken.

    What is of tenants that you have no role in isn't shown, unless a snapshot stands for the state. A plan is saved, or
    written as JSON, whole: that needs a role in each tenant.
    """
    from syncline import workflow
    from syncline.cli import seen
    from syncline.executor.access.roles import demand_all

    settings = app.settings()
    if data and snapshot is not None:
        raise click.UsageError("--data needs the state, which has the positions of flows: leave out --snapshot.")
    try:
        state, notes = snapshot_state(snapshot, snapshot_key, snapshot_max_age)
        made = workflow.plan(settings, allow_deletes=allow_deletes, state=state, data=data or 0, source=source)
    except (Invalid, Denied) as error:
        if snapshot is None:
            error.diagnostics = seen.findings(settings, error.diagnostics)
        _refused(app, error, form, settings.root)
        raise
    shown, unseen = (made, None) if snapshot is not None else seen.plan(app, settings, made)
    if unseen and (form == "json" or out is not None):
        demand_all(settings)  # a plan that is read again is whole
    if notes:
        from syncline.cli.output.excerpt import Sources
        from syncline.cli.output.findings_text import render_text

        app.note(render_text(notes, Sources(settings.root), app.paint_errors))
    app.say(render(shown, form, settings.root, app.paint, app.columns, whole=made))
    if out is not None:
        from syncline.planner.serialize import dumps

        write_file(out, dumps(made))
        if made.can_apply:
            app.note(f"Saved to {out}. Apply exactly this: syncline apply {out}")
    ended = exit_code(made)
    return Exit.changes if ended is Exit.ok and exit_with_changes and not made.empty else ended


def _refused(app: App, error: Invalid | Denied, form: str, root: Path) -> None:
    """Says why there is no plan in the format that was asked for, too: a pull request's comment is where it is read."""
    from syncline.cli.output.excerpt import Sources

    files = sorted({found.place.file for found in error.diagnostics if found.place})
    match form:
        case "markdown":
            from syncline.cli.output.findings_markdown import render_markdown

            title = "Syncline can't plan"
            app.say(render_markdown(error.diagnostics, len(files), Sources(root), title))
        case "json":
            from syncline.cli.output.findings_json import render_json

            app.say(render_json(error.diagnostics, files))
        case _:
            return


def render(plan: Plan, form: str, root: Path, paint: Paint, columns: int, *, whole: Plan | None = None) -> str:
    """
    The plan in a format; `columns` is the width of the terminal in cells. `whole` is the plan that it is a part of,
    where not all of it is shown.
    """
    match form:
        case "json":
            from syncline.planner.serialize import dumps

            return dumps(plan)
        case "markdown":
            from syncline.cli.output.plan_markdown import render_plan as markdown

            return markdown(plan, whole=whole)
        case _:
            from syncline.cli.output.excerpt import Sources
            from syncline.cli.output.plan_text import render_plan as text

            return text(plan, paint, Sources(root), limit=columns)
