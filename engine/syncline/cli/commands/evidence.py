"""`syncline evidence`: what auditors of a framework ask for, in one signed pack."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.audit_log import no_log
from syncline.cli.commands.options import output, write_file
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json
from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from syncline.evidence.collect import Span

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group(short_help="Export evidence for auditors.")
def evidence() -> None:
    """Evidence of a framework (SOC 2, ISO 27001, GDPR, CCPA, HIPAA) over a span of time, verified without Syncline."""


@evidence.command(short_help="Write a pack of evidence.")
@click.option("--framework", "name", required=True, metavar="NAME", help="soc2, iso27001, gdpr, ccpa or hipaa.")
@click.option("--from", "first", required=True, type=_DAY, metavar="DAY", help="The first day, such as 2026-01-01.")
@click.option("--to", "last", required=True, type=_DAY, metavar="DAY", help="The last day (UTC).")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="The zip to write."
)
@click.option(
    "--report",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report for people to a file of its own, too (HTML that needs nothing else).",
)
@pass_app
def export(app: App, name: str, first: dt.datetime, last: dt.datetime, out: Path, page: Path | None) -> Exit:
    """Write the log with proofs, attestations of runs, the map of controls, OSCAL results and a report, all signed.

    Each control is marked as the software's, the operator's or the organisation's: a log shows the first only. Exit
    code 1 where the log doesn't verify; the pack is written all the same.
    """
    from syncline import workflow
    from syncline.cli.output.compliance import render_compliance, render_pack
    from syncline.executor.access.roles import demand_all

    settings = app.settings()
    if not settings.audit.is_dir():
        raise no_log(settings)
    demand_all(settings)
    pack = workflow.make_evidence(settings, name, _span(first, last), render_compliance)
    write_file(out, pack.data, private=True)
    if page is not None:
        write_file(page, render_compliance(pack.report), private=True)
    app.say(render_pack(pack.report, str(out), app.paint))
    return Exit.ok if pack.report.verification.ok else Exit.failed


@evidence.command(short_help="List the frameworks.")
@output("text", "json")
@pass_app
def frameworks(app: App, form: str) -> Exit:
    """Show the frameworks that are known, and how many of their controls are whose."""
    from syncline.cli.output.compliance import frameworks_data, render_frameworks
    from syncline.evidence.frameworks import FRAMEWORKS

    app.say(to_json(frameworks_data(FRAMEWORKS)) if form == "json" else render_frameworks(FRAMEWORKS, app.paint))
    return Exit.ok


def _span(first: dt.datetime, last: dt.datetime) -> Span:
    from syncline.evidence.collect import Span

    if last < first:
        raise Invalid(f"{last.date()} is before {first.date()}", code="SYN912", help="Give the earlier day first.")
    return Span(first.date(), last.date())
