"""`syncline rollback`: a commit that brings the configuration back to an earlier one."""

from __future__ import annotations

import click

from syncline.cli.app import App, pass_app
from syncline.cli.exit import Exit


@click.command(short_help="Make a commit that goes back to an earlier one.")
@click.argument("revision", metavar="REV")
@click.option("--branch", default="", metavar="NAME", help="Branch to make it on; rollback-REV by default.")
@pass_app
def rollback(app: App, revision: str, branch: str) -> Exit:
    """Make a commit in which the configuration is what it was at REV, on a new branch.

    It changes nothing but that: neither the work tree, nor what is applied. Merge the branch as any other change: its
    plan shows what going back does to data, and applying it is what takes effect.
    """
    from syncline.cli.output.text import visible
    from syncline.manifests.revert import revert

    made = revert(app.settings().root, revision, branch)
    app.say(f"Made commit {made.commit[:12]} on branch {visible(made.branch)}: the configuration of {made.to[:12]}.")
    app.note(
        "\nWhat it can't undo:\n"
        "  rows that were written since stay, as do columns that were dropped\n"
        "  positions stay where they are, but for those that the plan resets;\n"
        "  what was read since is read again only by `syncline run --full-refresh`\n"
        f"\nNext: git push origin {visible(made.branch)}, and look at the plan of the pull request."
    )
    return Exit.ok
