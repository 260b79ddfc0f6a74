"""`syncline validate`: load, resolve, compile, test and judge what is declared, without touching anything."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, output
from syncline.cli.exit import Exit, exit_code
from syncline.cli.output.findings import FORMATS, Format, Report, relocate, render

if TYPE_CHECKING:
    from syncline.executor.access.seen import Unseen
    from syncline.workflow import Validation


@click.command(short_help="Check manifests, mappings and policy.")
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@output(*FORMATS, help="How to write the findings; paths in them are relative to the current folder.")
@click.option(
    "--base", default="", metavar="REV", help="Demand that connectors which changed since this revision say so."
)
@click.option("--skip-tests", is_flag=True, help="Leave out the tests that mappings carry.")
@environment
@pass_app
def validate(app: App, path: Path | None, form: Format, base: str, *, skip_tests: bool) -> Exit:
    """Check what is declared: YAML, fields, references, expressions, mapping tests, policy and flows of data.

    PATH is a configuration repository (instead of --root), or a file whose findings alone are shown. A repository with
    environments is checked in each of them, unless one is named. All findings are shown at once, but for those about
    tenants that you have no role in, each with its place and a code that `syncline explain` explains. Secrets in other
    files that Git has are findings as well (SYN831). Nothing is contacted or changed; where a tenant gives roles, the
    state is asked who has which.

    With --base, the version of a connector that changed since a Git revision, such as origin/main, must have been
    raised as its changes demand (SYN260): breaking, additive or a fix, as `syncline connector diff` tells them apart.

    Exit code: 0 when there is no error, 3 when only a policy objects, 1 otherwise.
    """
    from syncline import workflow
    from syncline.executor.access.seen import KEPT_BACK, unseen_of

    file = path if path is not None and path.is_file() else None
    root = path if path is not None and file is None else app.root
    settings = app.settings(root)
    found = workflow.validate_each(settings, mapping_tests=not skip_tests, base=base)
    unseen = unseen_of(settings, [m for one in found.values() for m in one.desired.objects.values()])
    report = _report(found, settings.root, file, unseen)
    if file is None:
        report = _with_leaks(report, settings.root)
    here = relocate(unseen.findings(report.findings), os.path.relpath(settings.root))
    from syncline.cli.output.excerpt import Sources

    shown = Report([name for name in report.files if not unseen.hides(name)], report.objects, here)
    text = render(shown, form, sources=Sources(settings.root, base=Path()), paint=app.paint, limit=app.columns)
    if text:  # annotations of GitHub have nothing to say when nothing is wrong
        app.say(text)
    if unseen:
        app.note(f"{KEPT_BACK} What was found about them counts all the same.")
    return exit_code(report.findings) if report.files else Exit.failed


def _with_leaks(report: Report, root: Path) -> Report:
    """With secrets that were written into files which Git has and which are no manifests."""
    from syncline.manifests import leaks

    found = leaks.committed(root, report.files)
    return replace(report, findings=(*report.findings, *found)) if found else report


def _report(found: dict[str, Validation], root: Path, file: Path | None, unseen: Unseen) -> Report:
    """What was found in each environment, of everything or of one file; objects that aren't seen don't count."""
    from syncline.manifests.overlay import in_environments

    findings = in_environments({name: validation.diagnostics for name, validation in found.items()})
    files = sorted({name for validation in found.values() for name in validation.files})
    manifests = [m for validation in found.values() for m in validation.desired.objects.values()]
    if file is not None:
        name = PurePath(os.path.relpath(file.resolve(), root)).as_posix()
        manifests = [m for m in manifests if m.place.file == name]
        findings = tuple(d for d in findings if d.place is not None and d.place.file == name)
        files = [f for f in files if f == name]
    return Report(files, len({m.key for m in manifests if unseen.sees(m.key)}), findings)
