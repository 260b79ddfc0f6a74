"""`syncline apply`: makes what is applied what is declared, step by step, after a look at the plan."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.approvals import approvals
from syncline.cli.commands.options import as_source, environment, output
from syncline.cli.commands.plan import render
from syncline.cli.exit import Exit, exit_code
from syncline.cli.names import FLOWS
from syncline.cli.output.jsontext import to_json
from syncline.cli.output.text import plural, visible
from syncline.model.change import Action

if TYPE_CHECKING:
    from syncline.executor.access.seen import Unseen
    from syncline.model.plan import Plan
    from syncline.reconciler.apply import Applied
    from syncline.reconciler.approvals import Rule

VERSION = "syncline/applied/v1"


@click.command(short_help="Apply a plan.")
@click.argument("plan_file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-y", "--yes", is_flag=True, help="Apply without asking; needed where there is no terminal.")
@click.option("--allow-deletes", is_flag=True, help="Allow a plan that deletes many objects.")
@click.option(
    "--override",
    metavar="REASON",
    help="Apply now what would have to wait for approvals or windows; the audit log has the reason.",
)
@approvals
@output("text", "json", help="How to write what was done.")
@as_source
@environment
@pass_app
def apply(
    app: App,
    plan_file: Path | None,
    form: str,
    source: str,
    override: str | None,
    rule: Rule | None,
    *,
    yes: bool,
    allow_deletes: bool,
) -> Exit:
    """Apply a saved PLAN_FILE exactly, or plan now and apply that.

    A saved plan is refused when the state has moved since it was made, or where planning again in this tree gives
    another one. Every step is journalled: when it is stopped at
    any point, the next apply carries on from there. Changes that have to wait, as for the run of a flow that is moved,
    are left out with all that has to do with them, and it exits with 5; with 3, where an approval is missing that a
    tenant or a policy demands. On a terminal it shows the plan and asks first.
    """
    from syncline import workflow
    from syncline.cli import seen
    from syncline.planner.serialize import loads
    from syncline.state.open import bring_up_to_date

    if override is not None and not override.strip():
        raise click.UsageError("--override takes a reason, which the audit log keeps: say why it can't wait.")
    settings = app.settings()
    if bring_up_to_date(settings.state_url):
        app.note("The state was of an older version of Syncline, and is up to date now.")
    if plan_file is not None:
        plan = loads(plan_file.read_text(encoding="utf-8", errors="replace"))
    else:
        plan = workflow.plan(settings, allow_deletes=allow_deletes, source=source)
    shown, unseen = seen.plan(app, settings, plan)
    app.note(render(shown, "text", settings.root, app.paint_errors, app.columns))
    ended = exit_code(plan)
    if ended is not Exit.ok:
        return ended
    if not plan.empty and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody can be asked here: give --yes to apply.")
        if not click.confirm("Apply this?", default=False, err=True):
            app.note("Nothing was changed.")
            return Exit.failed
    mark = app.paint_errors.green("✓")
    applied = workflow.apply(
        settings,
        plan,
        step=lambda line: None if unseen.names(line) else app.note(f"  {mark} {visible(line)}"),
        rule=rule,
        override=(override or "").strip(),
        saved=plan_file is not None,
    )
    if form == "json":
        done = {
            "version": VERSION,
            "id": applied.id,
            "plan": applied.digest,
            "serial": applied.serial,
            "steps": applied.steps,
            "held": {str(key): error.message for key, error in applied.held.items() if unseen.sees(key)},
        }
        app.say(to_json(done))
    elif applied.steps:
        steps = f"{app.paint.green('Applied')} {plural(applied.steps, 'step')}"
        app.say(f"{steps}; the state is now at serial {applied.serial}.")
        _next(app, shown)
    else:
        app.say("Nothing was changed.")
    return _held(app, applied, unseen)


def _held(app: App, applied: Applied, unseen: Unseen) -> Exit:
    """Says what had to wait, and that it is there to be applied again."""
    if not applied.held:
        return Exit.ok
    from syncline.executor.access.seen import KEPT_BACK

    held = {key: error for key, error in applied.held.items() if unseen.sees(key)}
    app.note(f"\n{plural(len(held), 'object')} had to wait:" if held else f"\nSomething had to wait. {KEPT_BACK}")
    for key, error in list(held.items())[:10]:
        app.note(f"  {key}: {visible(error.message)} ({error.code})")
    for remedy in dict.fromkeys(error.help for error in held.values() if error.help):
        app.note(f"  {app.paint_errors.cyan('help:')} {visible(remedy)}")
    app.note("Apply again later; nothing of them was changed.")
    codes = {exit_code(error) for error in applied.held.values()}
    return Exit.denied if Exit.denied in codes else Exit.unreachable


def _next(app: App, plan: Plan) -> None:
    """Names the flows that were applied for the first time, and so were never run."""
    fresh = [c.key for c in plan.changes if c.action is Action.create and c.key.kind in FLOWS]
    if fresh:
        app.note("\nNever run yet:")
    for key in fresh[:5]:
        app.note(f"  syncline run {key}")
    if len(fresh) > 5:
        app.note(f"  … and {len(fresh) - 5} more")
