"""`syncline runs`: what ran, how it ended, what was rejected, trying that again, and two outcomes side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import to_builtins
from msgspec.structs import replace

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import out, output, write_file
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json

if TYPE_CHECKING:
    from syncline.model.run import Reject

_HEAD = ("place", "field", "rule", "value", "message", "record")


@click.group(short_help="List runs and their rejects, retry and undo them.")
def runs() -> None:
    """List runs, show their receipts and reports, list or export what they rejected, try it again, undo an import."""


@runs.command("list", short_help="List runs, newest first.")
@click.argument("name", required=False, metavar="[[TENANT/]KIND/NAME]")
@click.option("--tenant", default="", metavar="TENANT", help="Look for the name in this tenant only.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", default=20, show_default=True, help="How many at most."
)
@output("text", "json")
@pass_app
def list_(app: App, name: str | None, tenant: str, limit: int, form: str) -> Exit:
    """List runs, newest first: of one object when NAME is given, of all otherwise."""
    from syncline import workflow
    from syncline.cli.names import FLOWS, find_object
    from syncline.cli.output.runs import record_data, render_runs

    settings = app.settings()
    key = None
    if name is not None:
        key = find_object(name, (applied.key for applied in workflow.objects(settings)), kinds=FLOWS, tenant=tenant)
    found = workflow.runs(settings, key, limit)
    if form == "json":
        app.say(to_json([record_data(r) for r in found]))
    else:
        app.say(render_runs(found, app.paint))
    return Exit.ok


@runs.command(short_help="Show one run and its receipt.")
@click.argument("run_id", metavar="RUN")
@output("text", "json")
@pass_app
def show(app: App, run_id: str, form: str) -> Exit:
    """Show how a run ended, with its receipt or its error. RUN is its id, or the first characters of it."""
    from syncline import workflow
    from syncline.cli.output.runs import record_data, render_run

    settings = app.settings()
    found = workflow.find_run(settings, run_id)
    if form == "json":
        app.say(to_json(record_data(found)))
    else:
        app.say(render_run(found, app.paint, workflow.reject_rules(settings, found.id)))
    return Exit.ok


@runs.command(short_help="List or export what a run rejected.")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="How many at most; text shows 20 unless told otherwise."
)
@output("text", "csv", "json", "correction", help="How to write them; json is one object a line.")
@out("Write to a file that only you can read, instead of standard output.")
@pass_app
def rejects(app: App, run_id: str, limit: int | None, form: str, out: Path | None) -> Exit:
    """List the records that a run set aside: field, rule, value as read, reason, place in the source, and the record.

    They are kept encrypted; this decrypts them. Cells of a CSV export that a spreadsheet would run as a formula are
    written with a quote before them. `-o correction` is a CSV with a column for each field of the records: correct
    cells in it, and give it to `syncline runs retry RUN --corrected FILE`.
    """
    from syncline import workflow

    settings = app.settings()
    record = workflow.find_run(settings, run_id)
    found = workflow.rejects(settings, record.id)
    if form == "text":
        from syncline.cli.output.runs import render_rejects

        shown = tuple(islice(found, limit or 20))
        # A run that was refused before it committed anything has kept rejects, and counted none.
        kept = len(shown) + sum(1 for _ in found) if len(shown) > record.counts.rejected else 0
        text = render_rejects(record, shown, app.paint, kept)
        return _deliver(app, iter([text]), out)
    chosen = found if limit is None else islice(found, limit)
    if form == "correction":
        from syncline.executor.correction import write_correction

        return _deliver(app, write_correction(tuple(chosen)), out)
    return _deliver(app, _csv(chosen) if form == "csv" else _json_lines(chosen), out)


@runs.command(short_help="Write a report of a run and what it rejected.")
@click.argument("run_id", metavar="RUN")
@click.option("--values", is_flag=True, help="Show values as they were read, and not only their shape.")
@output("html", "json")
@out("Write to a file that only you can read, instead of standard output.")
@pass_app
def report(app: App, run_id: str, form: str, out: Path | None, *, values: bool) -> Exit:
    """Write what a run did as one page: figures, the rules that records broke with samples, and where in the source.

    The page needs nothing else. Values are shown by their shape only, so that it can be handed on; reasons that other
    systems gave are shown as they gave them.
    """
    from syncline import workflow
    from syncline.cli.output.report import render_report, report_data
    from syncline.executor.previews.report import summarise

    settings = app.settings()
    record = workflow.find_run(settings, run_id)
    summary = summarise(workflow.rejects(settings, record.id), values=values)
    if form == "json":
        with workflow.view(settings) as reader:
            text = to_json(report_data(record, summary, reader.environment()))
    else:
        text = render_report(record, summary, values=values)
    return _deliver(app, iter([text]), out)


@runs.command(short_help="Put the outcomes of two runs side by side.")
@click.argument("one", metavar="ONE")
@click.argument("other", required=False, metavar="[OTHER]")
@click.option(
    "--other-home",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The home of the other environment (its SYNCLINE_HOME), whose state is in it.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 10 where outcomes differ, with 1 if they can't be compared.")
@output("text", "json")
@out("Write to a file that only you can read, instead of standard output.")
@pass_app
def compare(
    app: App, one: str, other: str | None, other_home: Path | None, form: str, out: Path | None, *, exit_code: bool
) -> Exit:
    """Put two outcomes side by side: the same import in staging and in production, before and after a change.

    ONE and OTHER are each a run, a flow (its newest run that ended), or a file that `runs report -o json` or
    `rehearse -o json` wrote, by which outcomes come from a state elsewhere. OTHER is looked for in --other-home, where
    that is given, and may then be left out if ONE is a flow.

    Compared are records by outcome, rejects by rule, control totals and, of rehearsals, the quality of each field. It
    tells which manifests differ, and where the two can't be compared, since they read other files or one is a sample.

    \b
    Examples:
      syncline runs compare 20261125T190957-919d1b 20261126T080000-1a2b3c
      syncline runs compare Import/accounts --other-home .syncline-production
      syncline runs compare staging.json production.json --exit-code
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline.cli.outcomes import find_outcome, of_other_home
    from syncline.cli.output.outcomes import outcomes_data, render_outcomes
    from syncline.executor.previews.outcomes import side_by_side

    settings, here = app.settings(), Path.cwd()
    there = of_other_home(settings, other_home) if other_home is not None else settings
    if other is None and (other_home is None or "/" not in one):
        raise click.UsageError("Say what to compare it with: OTHER, or --other-home with a flow.")
    found = side_by_side(find_outcome(settings, one, here), find_outcome(there, other or one, here))
    text = to_json(outcomes_data(found)) if form == "json" else render_outcomes(found, app.paint)
    _deliver(app, iter([text]), out)
    if not exit_code or (found.comparable and found.equal):
        return Exit.ok
    return Exit.changes if found.comparable else Exit.failed


@runs.command(short_help="Try a run's rejects again.")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--overwrite-newer", is_flag=True, help="Also if the sync has run since, and may have written newer records."
)
@click.option(
    "--corrected",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take the records as they are corrected in this file (`runs rejects -o correction`).",
)
@output("text", "json", help="How to write the receipt; progress goes to standard error.")
@pass_app
def retry(app: App, run_id: str, form: str, corrected: Path | None, *, overwrite_newer: bool) -> Exit:
    """Map and write a run's rejects again, with the mapping as it is applied now. It is a run of its own.

    With --corrected, records that the file leaves out are tried again as they were, so that none is forgotten.
    """
    from syncline import workflow
    from syncline.cli.commands.run import finish, watching

    settings = app.settings()
    with watching(app) as progress:
        result = workflow.retry(
            settings, run_id, progress=progress, overwrite_newer=overwrite_newer, corrected=corrected
        )
    return finish(app, settings, result, form)


@runs.command(short_help="Undo what a run of an import wrote.")
@click.argument("run_id", metavar="RUN")
@click.option("--yes", is_flag=True, help="Do it; without this, it is only said what it would do.")
@output("text", "json", help="How to write the plan, or the receipt; progress goes to standard error.")
@pass_app
def rollback(app: App, run_id: str, form: str, *, yes: bool) -> Exit:
    """Take back what a run of an import wrote: rows that it inserted go, rows that it updated are as they were before.

    That is for imports that declare `rollback`, within its window, newest run first. Rows that were written to since
    stay as they are, and are counted. It is one transaction, and a run of its own: if it is stopped, nothing is done
    yet, or all; the same command ends it. To bring the configuration back, see `syncline rollback`.
    """
    from syncline import workflow

    settings = app.settings()
    if yes:
        from syncline.cli.commands.run import finish, watching

        with watching(app) as progress:
            result = workflow.undo(settings, run_id, progress=progress)
        return finish(app, settings, result, form)
    from syncline.cli.output.undo import render_undo_plan, undo_plan_data

    plan = workflow.plan_undo(settings, run_id)
    app.say(to_json(undo_plan_data(plan)) if form == "json" else render_undo_plan(plan, app.paint))
    return Exit.ok


def _deliver(app: App, parts: Iterator[str], out: Path | None) -> Exit:
    if out is not None:
        write_file(out, parts, private=True)
        app.note(f"Written to {out}.")
        return Exit.ok
    for part in parts:
        app.say(part)
    return Exit.ok


def _csv(found: Iterable[Reject]) -> Iterator[str]:
    from syncline.executor.correction import neutral

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_HEAD)
    for reject in found:
        told = replace(reject, message=reject.why)
        writer.writerow([neutral(getattr(told, name)) for name in _HEAD])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _json_lines(found: Iterable[Reject]) -> Iterator[str]:
    for reject in found:
        yield to_json(to_builtins(reject), indent=None)
