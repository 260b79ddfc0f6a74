"""`syncline drift`: what is really at destinations against what runs left there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json

if TYPE_CHECKING:
    from syncline.model.drift import ObjectDrift


@click.command(short_help="Compare what is really there with what was left there.")
@click.argument("name", required=False, metavar="[[TENANT/]KIND/NAME]")
@click.option("--tenant", default="", metavar="TENANT", help="Of this tenant only.")
@click.option(
    "--rows",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Read the first N records of each source as well, and compare rows with them.",
)
@click.option(
    "--adopt", is_flag=True, help="Make a commit that declares columns as they are there: dropped, or of another type."
)
@click.option("--branch", default="", metavar="NAME", help="Branch of that commit; adopt-NAME by default.")
@click.option("--heal", is_flag=True, help="Bring back what can be, and look once more.")
@click.option("--give-up", is_flag=True, help="With --heal: forget webhooks that stay at a former system.")
@click.option("--exit-code", is_flag=True, help="Exit with 10 if something differs that matters.")
@output("text", "json")
@pass_app
def drift(  # noqa: PLR0913 - one for each option
    app: App,
    name: str | None,
    tenant: str,
    form: str,
    *,
    rows: int | None,
    adopt: bool,
    branch: str,
    heal: bool,
    give_up: bool,
    exit_code: bool,
) -> Exit:
    """Look at what is really there of all that is applied, or of one object; nothing is changed there.

    That is the destination of each sync and import, the webhooks that integrations have at their systems, the positions
    of schedules, credentials whose age is watched, and the tenants' data keys. The condition Drifted of each follows.

    What differs is told with its cause: intent (it is declared, and not carried out yet), actor (somebody took it away
    or altered it), contract (the last run found that the source isn't as declared) or noise (what is there besides).

    With --heal, what can be is brought back: a flow by a run that reads everything again, webhooks by registering them,
    a schedule by going on from now. Webhooks that aren't registered yet are, and those that aren't declared any more
    are deleted; so are those at a system that an integration led to before. One that can't be is told each time, until
    somebody has deleted it there and says so by --give-up.

    With --rows, records are read from the start of each source, mapped and compared with the rows of their keys, one by
    one; nothing is written. Rows that differ were changed at the destination, or at the source since the last run.

    With --adopt, a column that somebody dropped on purpose is left out of the mapping, and one that somebody gave
    another type is declared as that, in a commit on a new branch: review and merge it as any other change. Neither the
    work tree nor what is applied changes by it, and the commit isn't signed.

    Changes of manifests that aren't applied yet are for `syncline plan`.
    """
    from syncline import drift as page
    from syncline.cli.names import find_object
    from syncline.cli.output.drift import drift_data, render_drift

    if adopt and name is None:
        raise click.UsageError("--adopt needs the name of a sync or an import.")
    if give_up and (name is None or not heal):
        raise click.UsageError("--give-up needs --heal and the name of an integration.")
    settings = app.settings()
    keys = [key for key in page.drifting(settings) if tenant in {"", key.owner}]
    if name is not None:
        keys = [find_object(name, keys, tenant=tenant)]
    found = page.look(settings, keys, rows=rows or 0, heal=heal, give_up=give_up) if keys else ()
    if name is None:  # of tenants' keys there is nothing to say where they are as they should be
        found = tuple(one for one in found if one.key.kind != "Tenant" or one.findings)
    if adopt:
        return _adopt(app, found, branch)
    if form == "json":
        app.say(to_json([drift_data(flow) for flow in found]))
    elif not found:
        app.say("Nothing that could be looked at is applied.")
    else:
        app.say(render_drift(found, app.paint))
    return Exit.changes if exit_code and any(flow.drifted for flow in found) else Exit.ok


def _adopt(app: App, found: tuple[ObjectDrift, ...], branch: str) -> Exit:
    from syncline import drift as page
    from syncline.cli.output.text import visible
    from syncline.model.drift import as_left

    made, mapping, columns = page.adopt(app.settings(), found[0], branch)
    said = visible(as_left(columns))
    app.say(f"Made commit {made.commit[:12]} on branch {visible(made.branch)}: {mapping} {said}.")
    app.note(f"\nNext: git push origin {visible(made.branch)}, and look at the plan of the pull request.")
    return Exit.ok
