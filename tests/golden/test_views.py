"""Exactly what a person sees, view by view: every file in `views/` is the whole output for a value of `samples.py`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syncline.cli.output import (
    audit_text,
    comment,
    compliance,
    explained,
    findings,
    outcomes,
    plan_markdown,
    plan_text,
    receipt_text,
    rehearsal,
    runs,
    statuses,
    undo,
)
from syncline.cli.output import report as run_report
from syncline.cli.output.error import render_error
from syncline.cli.output.excerpt import Sources
from syncline.cli.output.jsontext import to_json
from syncline.cli.output.paint import Paint
from syncline.executor.previews.report import summarise
from syncline.model.errors import Denied, Waiting
from tests.golden import beside, samples, standing, witnessed

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parent / "views"
PLAIN = Paint()
COLOURED = Paint(on=True)


def sources(folder: Path) -> Sources:
    """A repository that holds the file which related places point into."""
    (folder / "syncs").mkdir(exist_ok=True)
    (folder / "syncs" / "tickets.yaml").write_text(samples.SYNC, encoding="utf-8")
    return Sources(folder)


def report(form: findings.Format, paint: Paint = PLAIN) -> Callable[[Path], str]:
    """All findings in a format."""
    shown = findings.Report(samples.FILES, 12, samples.ALL)
    return lambda folder: findings.render(shown, form, sources=sources(folder), paint=paint)


VIEWS: dict[str, Callable[[Path], str]] = {
    "undo-plan.txt": lambda _: undo.render_undo_plan(samples.UNDO, PLAIN),
    "undo-plan-stopped.txt": lambda _: undo.render_undo_plan(samples.UNDO_STOPPED, PLAIN),
    "undo-plan.json": lambda _: to_json(undo.undo_plan_data(samples.UNDO)),
    "undo-receipt.txt": lambda _: receipt_text.render_receipt(samples.UNDONE, PLAIN),
    "findings.txt": report("text"),
    "findings-colour.txt": report("text", COLOURED),
    "findings-concise.txt": report("concise"),
    "findings.json": report("json"),
    "findings-github.txt": report("github"),
    "findings.sarif": report("sarif"),
    "findings-junit.xml": report("junit"),
    "findings-gitlab.json": report("gitlab"),
    "findings.md": report("markdown"),
    "plan.txt": lambda folder: plan_text.render_plan(samples.PLAN, PLAIN, sources(folder)),
    "plan-colour.txt": lambda folder: plan_text.render_plan(samples.PLAN, COLOURED, sources(folder)),
    "plan-denied.txt": lambda folder: plan_text.render_plan(samples.DENIED, PLAIN, sources(folder)),
    "plan-empty.txt": lambda folder: plan_text.render_plan(samples.EMPTY, PLAIN, sources(folder)),
    "plan.md": lambda _: plan_markdown.render_plan(samples.PLAN),
    "plan-data.txt": lambda folder: plan_text.render_plan(samples.FORECAST, PLAIN, sources(folder)),
    "plan-data.md": lambda _: plan_markdown.render_plan(samples.FORECAST),
    "plan-denied.md": lambda _: plan_markdown.render_plan(samples.DENIED),
    "comment.md": lambda folder: comment.render_comment("eu/prod", samples.PLAN, (), (), 3, sources(folder)),
    "comment-invalid.md": lambda folder: comment.render_comment(
        "eu/prod", None, samples.ALL, (samples.WARNING,), 3, sources(folder)
    ),
    "receipt.txt": lambda _: receipt_text.render_receipt(samples.RECEIPT, PLAIN, samples.RULES),
    "receipt-clean.txt": lambda _: receipt_text.render_receipt(samples.CLEAN, PLAIN),
    "runs.txt": lambda _: runs.render_runs(samples.RUNS, PLAIN),
    "run-interrupted.txt": lambda _: runs.render_run(samples.RUNS[1], PLAIN),
    "rejects.txt": lambda _: runs.render_rejects(samples.RUNS[0], samples.REJECTS, PLAIN),
    "run-report.html": lambda _: run_report.render_report(samples.RUNS[0], summarise(samples.REJECTS)),
    "rehearsal.txt": lambda _: rehearsal.render_rehearsal(samples.REHEARSED, PLAIN),
    "rehearsal-sampled.txt": lambda _: rehearsal.render_rehearsal(samples.SAMPLED, PLAIN, values=True),
    "rehearsal.html": lambda _: rehearsal.render_rehearsal_page(samples.REHEARSED, values=False),
    "outcomes.txt": lambda _: outcomes.render_outcomes(beside.DIFFERENT, PLAIN),
    "outcomes-same.txt": lambda _: outcomes.render_outcomes(beside.SAME, PLAIN),
    "outcomes-apart.txt": lambda _: outcomes.render_outcomes(beside.APART, PLAIN),
    "outcomes-failed.txt": lambda _: outcomes.render_outcomes(beside.FAILED, PLAIN),
    "outcomes.json": lambda _: to_json(outcomes.outcomes_data(beside.DIFFERENT)),
    "status.txt": lambda _: statuses.render_statuses(standing.STATUSES, (standing.SOURCE,), standing.NOW, PLAIN),
    "status-colour.txt": lambda _: statuses.render_statuses(
        standing.STATUSES, (standing.SOURCE,), standing.NOW, COLOURED
    ),
    "status-well.txt": lambda _: statuses.render_statuses(standing.STATUSES[3:4], (), standing.NOW, PLAIN),
    "events.txt": lambda _: statuses.render_events(standing.EVENTS, PLAIN),
    "explained.txt": lambda _: explained.render_explained(standing.EXPLAINED, standing.STARTS, standing.NOW, PLAIN),
    "explained-held.txt": lambda _: explained.render_explained(standing.HELD, (), standing.NOW, PLAIN),
    "audit.txt": lambda _: audit_text.render_entries(samples.EVENTS, PLAIN),
    "audit-verified.txt": lambda _: audit_text.render_verification(samples.GOOD_LOG, samples.KEY, PLAIN, since=1_000),
    "audit-damaged.txt": lambda _: audit_text.render_verification(samples.BAD_LOG, samples.KEY, PLAIN),
    "cosigned.txt": lambda _: audit_text.render_cosigned(witnessed.COSIGNED, witnessed.POLICY, PLAIN),
    "evidence.txt": lambda _: compliance.render_pack(witnessed.EVIDENCE, "soc2.zip", PLAIN),
    "evidence.html": lambda _: compliance.render_compliance(witnessed.EVIDENCE),
    "error-denied.txt": lambda folder: render_error(
        Denied("policy denies what is declared", help="Correct what the findings name."),
        (samples.LEAK,),
        paint=PLAIN,
        sources=sources(folder),
    ),
    "error-waiting.txt": lambda folder: render_error(
        Waiting("another writer is at work", on="host:4711"), (), paint=PLAIN, sources=sources(folder)
    ),
}


@pytest.mark.parametrize("name", VIEWS)
def test_view(name, tmp_path):
    """The view of this value is this text, byte by byte; UPDATE_GOLDEN=1 writes it anew."""
    found = VIEWS[name](tmp_path)
    golden = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")

    assert found == golden.read_text(encoding="utf-8")


def test_no_orphans():
    """Every golden file belongs to a view."""
    assert {path.name for path in FOLDER.iterdir()} == set(VIEWS)


@pytest.mark.parametrize("name", [n for n in VIEWS if "colour" not in n])
def test_nothing_commands_the_terminal(name, tmp_path):
    """No control character of a file, a record or an event reaches the terminal, whatever the view."""
    found = VIEWS[name](tmp_path)

    assert not [c for c in found if (ord(c) < 32 and c != "\n") or c in "\x7f\u202e\u2066"]
