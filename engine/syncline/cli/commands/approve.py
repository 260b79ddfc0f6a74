"""`syncline approve`: signs the effects of the plan, for a daemon that waits for approvals."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import as_source, environment, snapshot, snapshot_state
from syncline.cli.commands.plan import render
from syncline.cli.exit import Exit, exit_code

#: Digits of a digest, in hex.
_DIGEST = 64

if TYPE_CHECKING:
    from syncline.settings import Settings


@click.command(short_help="Approve what a plan does.")
@click.option(
    "--key",
    envvar="SYNCLINE_APPROVAL_KEY",
    show_envvar=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="SSH key to sign with, private, or public where an agent has the private one; by default Git's signing key.",
)
@click.option(
    "--effects", default="", metavar="DIGEST", help="Approve only if the effects are these, as CI shows them."
)
@click.option(
    "--days",
    type=click.FloatRange(0, 90, min_open=True),
    default=14.0,
    show_default=True,
    help="How long it may be used.",
)
@click.option("--renew", is_flag=True, help="Begin anew where an approval is there, without its signatures.")
@click.option("-y", "--yes", is_flag=True, help="Approve without asking; needed where there is no terminal.")
@snapshot
@as_source
@environment
@pass_app
def approve(  # noqa: PLR0913 - the options of the command
    app: App,
    key: Path | None,
    effects: str,
    days: float,
    snapshot: Path | None,
    snapshot_key: str,
    snapshot_max_age: float,
    source: str,
    *,
    renew: bool,
    yes: bool,
) -> Exit:
    """Plan what is checked out, show it, and sign its effects on data with your SSH key.

    What is signed is what the plan does, not the commit: the daemon plans again at the merge, and applies what is
    among the approved effects. The approval and your signature are written to approvals/, to be committed to the
    branch. It counts if the operator has your key in the file of approvers and you are no author of the change; until
    it expires, and once.
    """
    from syncline import workflow
    from syncline.cli import seen
    from syncline.executor.access.roles import demand_all
    from syncline.planner.approval import effects_digest

    settings = app.settings()
    key = key or _signing_key(settings)
    state, _ = snapshot_state(snapshot, snapshot_key, snapshot_max_age)
    plan = workflow.plan(settings, state=state, source=source)
    shown = plan if snapshot is not None else seen.plan(app, settings, plan)[0]
    app.note(render(shown, "text", settings.root, app.paint_errors, app.columns))
    if shown.changes != plan.changes:
        demand_all(settings)  # nobody signs what they don't see
    if (ended := exit_code(plan)) is not Exit.ok:
        return ended
    if plan.empty:
        app.note("There is nothing to approve.")
        return Exit.ok
    digest = effects_digest(plan)
    if effects and len(effects.removeprefix("sha256:")) != _DIGEST:
        raise click.UsageError("--effects takes the whole digest, 64 digits, as the pull request's comment has it.")
    if effects and effects.removeprefix("sha256:") != digest:
        from syncline.model.errors import Denied

        raise Denied(
            f"the effects are {digest[:12]}…, and not {effects[:12]}…",
            code="SYN721",
            help="Look at what the plan does now. Is this the commit, and the snapshot, that CI planned with?",
        )
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody can be asked here: give --yes to approve.")
        if not click.confirm(f"Approve these effects ({digest[:12]})?", default=False, err=True):
            app.note("Nothing was signed.")
            return Exit.failed
    approval, path = workflow.approve(settings, plan, key, days, renew=renew)
    written = sorted(os.path.relpath(p) for p in (path, path.parent / f"{digest}.json"))
    app.say(f"Approved {digest}, until {approval.expires[:10]}.")
    app.note("Commit to the branch: " + " ".join(written))
    return Exit.ok


def _signing_key(settings: Settings) -> Path:
    """Git's signing key, where it is the file of an SSH key."""
    from syncline.manifests.repository import git

    if (git(settings.root, "config", "gpg.format") or "").strip() == "ssh":
        found = Path((git(settings.root, "config", "user.signingkey") or "").strip()).expanduser()
        if found.is_file():
            return found.absolute()
    raise click.UsageError("Say which SSH key to sign with: --key FILE, or gpg.format=ssh and user.signingkey in Git.")
