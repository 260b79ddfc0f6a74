"""`syncline validate`: load, resolve, compile, test and judge what is declared, without touching anything."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import output
from syncline.cli.exit import Exit, exit_code
from syncline.cli.output.findings import FORMATS, Format, Report, relocate, render

if TYPE_CHECKING:
    from syncline.workflow import Validation


@click.command(short_help="Check manifests, mappings and policy.")
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@output(*FORMATS, help="How to write the findings; paths in them are relative to the current folder.")
@click.option(
    "--base", default="", metavar="REV", help="Demand that connectors which changed since this revision say so."
)
@click.option("--skip-tests", is_flag=True, help="Leave out the tests that mappings carry.")
@pass_app
def validate(app: App, path: Path | None, form: Format, base: str, *, skip_tests: bool) -> Exit:
    """Check what is declared: YAML, fields, references, expressions, mapping tests, policy and flows of data.

    PATH is a configuration repository (instead of --root), or a file whose findings alone are shown. All findings are
    shown at once, each with its place and a code that `syncline explain` explains. Nothing is contacted or changed.

    With --base, the version of a connector that changed since a Git revision, such as origin/main, must have been
    raised as its changes demand (SYN260): breaking, additive or a fix, as `syncline connector diff` tells them apart.

    Exit code: 0 when there is no error, 3 when only a policy objects, 1 otherwise.
    """
    from syncline import workflow

    file = path if path is not None and path.is_file() else None
    root = path if path is not None and file is None else app.root
    settings = app.settings(root)
    report = _report(workflow.validate(settings, mapping_tests=not skip_tests, base=base), settings.root, file)
    here = relocate(report.findings, os.path.relpath(settings.root))
    from syncline.cli.output.excerpt import Sources

    shown = Report(report.files, report.objects, here)
    app.say(render(shown, form, sources=Sources(settings.root, base=Path()), paint=app.paint, limit=app.columns))
    return exit_code(here) if report.files else Exit.failed


def _report(validation: Validation, root: Path, file: Path | None) -> Report:
    findings = validation.diagnostics
    if file is None:
        return Report(validation.files, len(validation.desired.objects), findings)
    name = PurePath(os.path.relpath(file.resolve(), root)).as_posix()
    objects = sum(m.place.file == name for m in validation.desired.objects.values())
    shown = tuple(d for d in findings if d.place is not None and d.place.file == name)
    return Report(tuple(f for f in validation.files if f == name), objects, shown)
