"""`syncline dev`: the plan of a working folder, anew at each change."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment
from syncline.cli.exit import Exit
from syncline.model.errors import Denied, Invalid, SynclineError

if TYPE_CHECKING:
    from syncline.settings import Settings

#: Seconds between looks at the folder.
EVERY = 0.2
#: Names of changed files that are shown.
SHOWN = 5


@click.command(short_help="Show the plan at each change of a folder.")
@click.option("--apply", "applies", is_flag=True, help="Apply each good change to a scratch state, never to another.")
@environment
@pass_app
def dev(app: App, *, applies: bool) -> Exit:
    """Watch a working folder, and show at each change what applying it would change, or what keeps it from being valid.

    Uncommitted changes count. The plan is made against the state that SYNCLINE_STATE names, which isn't changed. With
    --apply it is made against a scratch state of its own, to which each good change is applied, so that the next plan
    shows what changed since. Nothing runs, and nobody is contacted. Ctrl-C ends it.
    """
    from syncline.daemon.working import WorkingFolder

    settings = scratch(app.settings()) if applies else app.settings()
    folder = WorkingFolder(settings.root)
    try:
        while True:
            if changed := folder.changes():
                _show(app, settings, changed, applies=applies)
            time.sleep(EVERY)
    except KeyboardInterrupt:
        app.note("stopped")
    return Exit.ok


def scratch(settings: Settings) -> Settings:
    """The same repository with a home and a state that nothing else uses."""
    home = settings.home / "dev"
    return replace(settings, home=home, state_url=f"sqlite:///{home / 'state.db'}", redis="")


def _show(app: App, settings: Settings, changed: tuple[str, ...], *, applies: bool) -> None:
    from syncline import workflow
    from syncline.cli import seen
    from syncline.cli.commands.plan import render
    from syncline.cli.output.error import render_error
    from syncline.cli.output.excerpt import Sources
    from syncline.cli.output.text import visible

    more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    head = f"{dt.datetime.now().astimezone():%H:%M:%S}  {', '.join(map(visible, changed[:SHOWN]))}{more}"
    app.say(app.paint.bold(f"── {head}"))
    try:
        plan = workflow.plan(settings, allow_deletes=applies)
        shown, _ = seen.plan(app, app.settings(), plan)
        app.say(render(shown, "text", settings.root, app.paint, app.columns))
        if applies and plan.can_apply and not plan.empty:
            done = workflow.apply(settings, plan, gated=False)
            app.say(f"Applied to the scratch state: {done.steps} steps, serial {done.serial}.")
    except SynclineError as error:
        found = error.diagnostics if isinstance(error, Invalid | Denied) else ()
        findings = seen.findings(app.settings(), found)
        app.say(render_error(error, findings, paint=app.paint, sources=Sources(settings.root)))
