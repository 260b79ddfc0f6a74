"""`syncline doctor`: whether this machine and this repository are fit for running."""

from __future__ import annotations

import click
from msgspec import to_builtins

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json
from syncline.cli.output.looked import render_finding


@click.command(short_help="Check this machine and this repository.")
@output("text", "json")
@environment
@pass_app
def doctor(app: App, form: str) -> Exit:
    """Check what running needs: Python and libraries, Git, the state, keys, the audit log, secrets.

    Nothing is changed, and no outside system is contacted but the state's database. Exit code 1 if something
    is wrong.
    """
    from syncline import workflow

    failed = False
    findings = []
    for finding in workflow.doctor(app.settings()):
        failed = failed or finding.ok is False
        findings.append(finding)
        if form == "text":
            app.say(render_finding(finding, app.paint))
    if form == "json":
        app.say(to_json([to_builtins(f) for f in findings]))
    return Exit.failed if failed else Exit.ok
