"""`syncline tenant offboard`: everything that is a retired tenant's, exported, deleted, and proved to be gone."""

from __future__ import annotations

from pathlib import Path

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, write_file
from syncline.cli.exit import Exit


@click.command(short_help="Export and delete what is left of a retired tenant.")
@click.argument("name", metavar="TENANT")
@click.option(
    "--archive",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where everything is exported to before it is deleted: a signed zip that only you can read.",
)
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="AGE-KEY",
    help="Seal the archive for this public key of age (age1…); may be given several times.",
)
@click.option("--from", "revision", default="", metavar="COMMIT", help="The last commit that declared the tenant.")
@click.option(
    "--give-up",
    is_flag=True,
    help="Leave destinations and webhooks that can't be reached as they are; the proof says so.",
)
@click.option(
    "--proof",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the signed proof of deletion to a file (by convention *.sigstore.json).",
)
@click.option("--yes", is_flag=True, help="Do it; without, only what would be done is shown.")
@environment
@pass_app
def offboard(
    app: App,
    name: str,
    archive: Path | None,
    recipients: tuple[str, ...],
    revision: str,
    proof: Path | None,
    *,
    give_up: bool,
    yes: bool,
) -> Exit:
    """Export and delete all that is left of TENANT, once its manifests are gone from Git and that is applied.

    In this order: the archive; what flows keep at destinations beside the rows, and tables with `deletion: delete`;
    webhooks that integrations have registered at their systems; files; rows of the state; the tenant's data key; a
    signed proof. The same command goes on where it was stopped. What a legal hold covers stays until the hold has
    ended: run it again then.

    Exit code 1 while something is left to do, 3 while something is held.
    """
    from syncline.cli.output.tenants import render_expected, render_left, render_step
    from syncline.executor.access.roles import demand_all
    from syncline.tenancy.admitting import demand_offboarding
    from syncline.tenancy.offboarding import Wanted, expect
    from syncline.tenancy.offboarding import offboard as taken

    settings = app.settings()
    demand_all(settings)
    demand_offboarding(settings, name, revision)
    if not yes:
        found = expect(settings, name, revision)
        app.say(render_expected(found, app.paint))
        app.note("\nNothing was changed. To do it, add --archive FILE --yes.")
        return Exit.ok
    if archive is None:
        raise click.UsageError("--archive is missing: what is deleted is exported before.")
    for path in filter(None, (archive, proof)):
        if not path.absolute().parent.is_dir():
            raise click.BadParameter(f"there is no folder for {path}")
    wanted = Wanted(archive.absolute(), recipients, revision, give_up)
    done, bundle = taken(settings, name, wanted, lambda step: app.note(render_step(step, app.paint_errors)))
    app.say(render_left(done, app.paint))
    if bundle and proof is not None:
        write_file(proof, bundle)
        app.note(f"Proof written to {proof}.")
    if not bundle:
        return Exit.failed
    return Exit.ok if done.finished else Exit.denied
