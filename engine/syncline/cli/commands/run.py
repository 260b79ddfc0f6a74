"""`syncline run`: moves the data of one sync or import, from where it stood to its receipt."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, output
from syncline.cli.exit import Exit, exit_code
from syncline.cli.output.jsontext import to_json

if TYPE_CHECKING:
    from syncline.executor.progress import Progress
    from syncline.executor.work import RunResult
    from syncline.model.key import ObjectKey
    from syncline.model.run import Receipt
    from syncline.settings import Settings


@click.command(short_help="Run a sync or an import.")
@click.argument("name", metavar="[TENANT/]KIND/NAME")
@click.option("--tenant", default="", metavar="TENANT", help="Look for the name in this tenant only.")
@click.option("--dry-run", is_flag=True, help="Read and map some records as they are declared now; write nothing.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=10, show_default=True, metavar="N", help="Records of a dry run."
)
@click.option("--full-refresh", is_flag=True, help="Read from the start, whatever was read before.")
@output("text", "json", help="How to write the receipt; progress goes to standard error.")
@environment
@pass_app
def run(app: App, name: str, tenant: str, form: str, *, dry_run: bool, limit: int, full_refresh: bool) -> Exit:
    """Run an applied sync or import and write its receipt: read = written + rejected + skipped, always.

    A run that was stopped resumes from its last commit when it is run again. Records that don't fit are set aside with
    their reasons, and the exit code is 4. Where `syncline serve` works on the same state, it takes the run over, with
    its own environment; nothing else changes.

    \b
    Examples:
      syncline run Sync/helpdesk-tasks
      syncline run acme/Import/customers --dry-run --limit 20
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    settings = app.settings()
    if dry_run:
        if full_refresh:
            raise click.UsageError("--dry-run reads from the start anyway: leave out --full-refresh.")
        return _dry_run(app, settings, name, tenant, form, limit)
    from syncline.cli.handover import hand_over

    if (handed := hand_over(settings, name, tenant, full_refresh=full_refresh)) is not None:
        with watching(app) as progress:
            receipt, rules, state = handed.follow(progress)
        return exit_code(state) if receipt is None else show(app, receipt, rules, form)
    from syncline import workflow
    from syncline.cli.names import FLOWS, find_object

    key = find_object(name, (applied.key for applied in workflow.objects(settings)), kinds=FLOWS, tenant=tenant)
    with watching(app) as progress:
        result = workflow.run(settings, key, progress=progress, full_refresh=full_refresh, tell=app.note)
    return finish(app, settings, result, form)


@contextmanager
def watching(app: App) -> Iterator[Progress]:
    """Progress on standard error while the block runs; the terminal is given back however it ends."""
    from syncline.cli.output.progress import BarProgress, LineProgress

    if not sys.stderr.isatty():
        yield LineProgress(app.note)
        return
    with BarProgress(sys.stderr, color=app.paint_errors.on) as bar:
        yield bar


def finish(app: App, settings: Settings, result: RunResult, form: str) -> Exit:
    """Writes the receipt of a run, and gives its exit code."""
    from syncline import workflow

    receipt = result.receipt
    if receipt is None:  # a run ends with a receipt or an error; this is neither
        return exit_code(result.record.state)
    rules = workflow.reject_rules(settings, receipt.run) if receipt.counts.rejected else {}
    return show(app, receipt, rules, form)


def show(app: App, receipt: Receipt, rules: Mapping[str, int], form: str) -> Exit:
    """Writes a receipt, and gives the exit code; `rules` are counts of rejects by what they broke."""
    if form == "json":
        app.say(to_json(receipt.to_json()))
    else:
        from syncline.cli.output.receipt_text import render_receipt

        app.say(render_receipt(receipt, app.paint, rules))
    return exit_code(receipt.state)


def _dry_run(app: App, settings: Settings, name: str, tenant: str, form: str, limit: int) -> Exit:
    from syncline import workflow
    from syncline.cli.output.preview import preview_data, render_preview

    key = declared(settings, name, tenant)
    found = workflow.preview(settings, key, limit=limit)
    if form == "json":
        app.say(to_json(preview_data(key, found)))
    else:
        app.say(render_preview(key, found, app.paint, app.columns))
    return Exit.rejects if found.rejects else Exit.ok


def declared(settings: Settings, name: str, tenant: str) -> ObjectKey:
    """A declared flow by its name: a dry run tries what isn't applied yet."""
    from syncline.cli.names import FLOWS, find_object
    from syncline.cli.seen import declared_keys

    return find_object(name, declared_keys(settings), kinds=FLOWS, tenant=tenant)
