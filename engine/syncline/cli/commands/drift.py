"""`syncline drift`: what is really at destinations against what runs left there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json

if TYPE_CHECKING:
    from syncline.executor.drift import FlowDrift


@click.command(short_help="Compare destinations with what runs left there.")
@click.argument("name", required=False, metavar="[[TENANT/]KIND/NAME]")
@click.option("--tenant", default="", metavar="TENANT", help="Of this tenant only.")
@click.option(
    "--rows",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Read the first N records of each source as well, and compare rows with them.",
)
@click.option("--adopt", is_flag=True, help="Make a commit that declares columns away that were dropped there.")
@click.option("--branch", default="", metavar="NAME", help="Branch of that commit; adopt-NAME by default.")
@click.option("--exit-code", is_flag=True, help="Exit with 10 if something differs that matters.")
@output("text", "json")
@pass_app
def drift(
    app: App,
    name: str | None,
    tenant: str,
    form: str,
    *,
    rows: int | None,
    adopt: bool,
    branch: str,
    exit_code: bool,
) -> Exit:
    """Look at the destination of each applied sync and import, or of one; nothing is changed there.

    What somebody took away or altered there is told with its cause: actor (tables, columns, rows or checkpoints that
    are gone or no longer fit), contract (the last run found that the source isn't as declared) or noise (what is there
    besides). The condition Drifted of each follows.

    With --rows, records are read from the start of each source, mapped and compared with the rows of their keys, one by
    one; nothing is written. Rows that differ were changed at the destination, or at the source since the last run.

    With --adopt, a column that somebody dropped on purpose is left out of the mapping, in a commit on a new branch:
    review and merge it as any other change. Neither the work tree nor what is applied changes by it.

    Changes of manifests that aren't applied yet are for `syncline plan`.
    """
    from syncline import workflow
    from syncline.cli.names import FLOWS, find_object
    from syncline.cli.output.drift import drift_data, render_drift

    if adopt and name is None:
        raise click.UsageError("--adopt needs the name of a sync or an import.")
    settings = app.settings()
    keys = [o.key for o in workflow.objects(settings) if o.key.kind in FLOWS and tenant in {"", o.key.tenant}]
    if name is not None:
        keys = [find_object(name, keys, kinds=FLOWS, tenant=tenant)]
    found = workflow.drift(settings, keys, rows=rows or 0) if keys else ()
    if adopt:
        return _adopt(app, found, branch)
    if form == "json":
        app.say(to_json([drift_data(flow) for flow in found]))
    elif not found:
        app.say("No sync or import is applied.")
    else:
        app.say(render_drift(found, app.paint))
    return Exit.changes if exit_code and any(flow.drifted for flow in found) else Exit.ok


def _adopt(app: App, found: tuple[FlowDrift, ...], branch: str) -> Exit:
    from syncline import workflow
    from syncline.cli.output.text import visible

    made, mapping, columns = workflow.adopt(app.settings(), found[0], branch)
    names = visible(", ".join(columns))
    app.say(f"Made commit {made.commit[:12]} on branch {visible(made.branch)}: {mapping} without {names}.")
    app.note(f"\nNext: git push origin {visible(made.branch)}, and look at the plan of the pull request.")
    return Exit.ok
