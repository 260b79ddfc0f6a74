"""`syncline rollback`: a commit that brings the configuration back to an earlier one."""

from __future__ import annotations

import click

from syncline.cli.app import App, pass_app
from syncline.cli.exit import Exit


@click.command(short_help="Make a commit that goes back to an earlier one.")
@click.argument("revision", metavar="REV")
@click.option("--branch", default="", metavar="NAME", help="Branch to make it on; rollback-REV by default.")
@click.option("--keep-positions", is_flag=True, help="Leave positions where they are.")
@pass_app
def rollback(app: App, revision: str, branch: str, *, keep_positions: bool) -> Exit:
    """Make a commit in which the configuration is what it was at REV, on a new branch.

    It changes nothing but that: neither the work tree, nor what is applied. Merge the branch as any other change: its
    plan shows what going back does to data, and applying it is what takes effect.

    Syncs that it changes go back to where they were under REV as well, if they read incrementally and update by key:
    the commit says so in a trailer, Syncline-Positions.
    """
    from syncline import workflow
    from syncline.cli.output.text import visible
    from syncline.manifests.revert import applied_at, revert

    settings = app.settings()
    positions = "" if keep_positions else applied_at(settings.root, revision, workflow.kept_revisions(settings))
    made = revert(settings.root, revision, branch, positions)
    app.say(f"Made commit {made.commit[:12]} on branch {visible(made.branch)}: the configuration of {made.to[:12]}.")
    if positions:
        back = (
            f"  syncs that it changes go back to where they were under {positions[:12]}, and read what came since\n"
            "  again, if they read incrementally and update rows by key; others stay where they are\n"
        )
    else:
        back = (
            "  positions stay where they are, but for those that the plan resets;\n"
            "  what was read since is read again only by `syncline run --full-refresh`\n"
        )
    app.note(
        f"\nWhat becomes of positions:\n{back}"
        "\nWhat it can't undo:\n"
        "  rows that were written since stay until they are written again, as do columns that were dropped\n"
        "  rows that were deleted since come back only where the source still gives them\n"
        "  what was sent to APIs stays sent\n"
        f"\nNext: git push origin {visible(made.branch)}, and look at the plan of the pull request."
    )
    return Exit.ok
