"""`syncline ci`: what a job on a pull request does, in one command that every code host can run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import as_source, environment, snapshot, snapshot_state, write_file
from syncline.cli.exit import Exit, exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncline.cli.output.excerpt import Sources
    from syncline.model.diagnostic import Diagnostic
    from syncline.model.plan import Plan
    from syncline.settings import Settings
    from syncline.state.store import StateReader
    from syncline.workflow import Validation


@click.group(short_help="Check and comment pull requests.")
def ci() -> None:
    """What a job on a pull request does: check everything, show the plan, keep one comment up to date."""


class Checked(Struct, frozen=True):
    """What came of a check: the plan (None where what is declared isn't valid), and all findings as files name them."""

    validation: Validation
    plan: Plan | None
    findings: tuple[Diagnostic, ...]
    notes: tuple[Diagnostic, ...]

    @property
    def exit(self) -> Exit:
        """The worst of all findings and of the plan."""
        return exit_code(self.plan) if self.plan is not None else exit_code(self.findings)


@ci.command(short_help="Validate, judge and plan, and write it all down.")
@click.option("--base", default="", metavar="REV", help="As in `syncline validate --base`.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("syncline-ci"),
    show_default=True,
    metavar="DIR",
    help="Folder for the comment, the plan and the reports; made if it isn't there.",
)
@click.option(
    "--name",
    default="",
    metavar="NAME",
    help="Tells comments of several configurations apart; by default folder and environment do.",
)
@click.option("--allow-deletes", is_flag=True, help="Allow a plan that deletes many objects.")
@snapshot
@as_source
@environment
@pass_app
def check(  # noqa: PLR0913 - the options of the command
    app: App,
    base: str,
    out: Path,
    name: str,
    snapshot: Path | None,
    snapshot_key: str,
    snapshot_max_age: float,
    source: str,
    *,
    allow_deletes: bool,
) -> Exit:
    """Validate, check policy and plan what is declared; write what came of it in every form that code hosts read.

    \b
    Into the folder of --out:
      comment.md        for `syncline ci comment`, or any other way to comment
      plan.json         the plan, which `syncline apply` takes; only where there is one
      findings.sarif    for code scanning (SARIF 2.1.0)
      findings.xml      for test reports (JUnit)
      codequality.json  for merge requests of GitLab (Code Quality)

    In a job of GitHub Actions, findings are written as annotations of lines, and the plan is added to the job's
    summary. Elsewhere both are written as text. Effects that can't be undone are findings of their own (SYN322).

    It shows all tenants: unless a snapshot stands for the state, it needs a role in each that gives roles.

    Nothing is contacted or changed. Exit code: 0 when it may be merged, changes or not, 3 when only a policy or a guard
    objects, 1 otherwise.
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline.cli.output.excerpt import Sources
    from syncline.executor.access.roles import demand_all

    settings = app.settings()
    if snapshot is None:
        demand_all(settings)
    state, notes = snapshot_state(snapshot, snapshot_key, snapshot_max_age)
    checked = _checked(settings, base, state, notes, source, allow_deletes=allow_deletes)
    here = os.path.relpath(settings.root)
    sources = Sources(settings.root, base=Path())
    # Each environment of a folder has a comment of its own.
    named = name or (f"{here}@{settings.environment}" if settings.environment else here)
    comment = _write(out, checked, named, sources)
    if app.environ.get("GITHUB_ACTIONS") == "true":
        from syncline.cli.output.findings_github import render_github

        app.say(render_github((*checked.notes, *checked.findings)))
        _append(app.environ.get("GITHUB_STEP_SUMMARY", ""), comment)
    else:
        _show(app, checked, sources)
    return checked.exit


@ci.command(short_help="Write or update the comment on a pull request.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), default="syncline-ci/comment.md")
@pass_app
def comment(app: App, file: Path) -> Exit:
    """Write FILE as a comment on the pull request that a job runs for, or bring the comment there up to date.

    On GitHub with GITHUB_TOKEN, on GitLab with GITLAB_TOKEN (a project access token with the scope api). The comment is
    found by its first line among those of the token's own account.
    """
    from syncline.cli.codehost import conversation, put_comment
    from syncline.cli.output.comment import MOST
    from syncline.executor.services.proxies import environment_proxies

    with file.open(encoding="utf-8") as opened:
        text = opened.read(MOST + 1)
    if not text.startswith("<!-- syncline-plan: ") or len(text) > MOST:
        raise click.BadParameter(f"{file} is no comment that `syncline ci check` wrote.", param_hint="FILE")
    proxies = environment_proxies(app.settings())
    app.say(f"The comment is {put_comment(conversation(app.environ), text, proxies)}.")
    return Exit.ok


def _checked(
    settings: Settings,
    base: str,
    state: StateReader | None,
    notes: tuple[Diagnostic, ...],
    source: str,
    *,
    allow_deletes: bool,
) -> Checked:
    from syncline import workflow
    from syncline.cli.output.findings import relocate

    validation = workflow.validate_beside(settings, source, state=state, base=base)
    found = list(validation.diagnostics)
    plan = None
    if validation.ok:
        plan = workflow.plan(settings, allow_deletes=allow_deletes, state=state, validation=validation, source=source)
        found += [*plan.findings, *(r.diagnostic for r in plan.policy if r.diagnostic is not None)]
        found += _lasting(plan)
    unique = sorted(dict.fromkeys(found), key=lambda d: d.sort_key())
    return Checked(validation, plan, relocate(unique, os.path.relpath(settings.root)), notes)


def _lasting(plan: Plan) -> list[Diagnostic]:
    """Effects that can't be undone, as warnings at the lines that cause them."""
    from syncline.model.diagnostic import Diagnostic, Severity

    return [
        Diagnostic("SYN322", effect.message, change.place, Severity.warning, subject=str(change.key))
        for change in plan.changes
        for effect in change.effects
        if not effect.reversible
    ]


def _write(out: Path, checked: Checked, name: str, sources: Sources) -> str:
    """Writes every form; gives the comment."""
    from syncline.cli.output.comment import render_comment
    from syncline.cli.output.findings_gitlab import render_gitlab
    from syncline.cli.output.findings_junit import render_junit
    from syncline.cli.output.findings_sarif import render_sarif

    files = checked.validation.files
    comment = render_comment(name, checked.plan, checked.findings, checked.notes, len(files), sources)
    out.mkdir(parents=True, exist_ok=True)
    write_file(out / "comment.md", comment)
    write_file(out / "findings.sarif", render_sarif(checked.findings, sources))
    write_file(out / "findings.xml", render_junit(checked.findings, files))
    write_file(out / "codequality.json", render_gitlab(checked.findings))
    if checked.plan is not None:
        from syncline.planner.serialize import dumps

        write_file(out / "plan.json", dumps(checked.plan))
    else:
        (out / "plan.json").unlink(missing_ok=True)  # of an earlier check
    return comment


def _append(summary: str, comment: str) -> None:
    """Adds the comment to a job's summary, without its marker."""
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(comment.partition("\n")[2])


def _show(app: App, checked: Checked, sources: Sources) -> None:
    from syncline.cli.output.findings_text import render_text

    shown: Sequence[Diagnostic] = checked.notes if checked.plan is not None else (*checked.notes, *checked.findings)
    if shown:
        app.say(render_text(shown, sources, app.paint))
    if checked.plan is not None:
        from syncline.cli.output.plan_text import render_plan

        app.say(render_plan(checked.plan, app.paint, sources, limit=app.columns))
