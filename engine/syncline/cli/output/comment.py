"""The comment on a pull request: a marker by which it is found again, then what is wrong, or the plan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from syncline.cli.output.findings_markdown import render_markdown
from syncline.cli.output.markdown import escape
from syncline.cli.output.plan_markdown import render_plan

if TYPE_CHECKING:
    from syncline.cli.output.excerpt import Sources
    from syncline.model.diagnostic import Diagnostic
    from syncline.model.plan import Plan

#: Characters that a comment may have; GitHub takes 65,536.
MOST: Final = 60_000


def marker(name: str) -> str:
    """The first line of a configuration's comment: the same in each run, and another for each name."""
    plain = re.sub(r"[^\w./@]+", "-", name).strip("-") or "."
    return f"<!-- syncline-plan: {plain} -->"


def render_comment(
    name: str,
    plan: Plan | None,
    findings: Sequence[Diagnostic],
    notes: Sequence[Diagnostic],
    files: int,
    sources: Sources,
) -> str:
    """The marker, notes about the snapshot, and the plan; the findings instead, where there is no plan."""
    lines = [marker(name), *(f"\n⚠️ {escape(note.message)}\n" for note in notes)]
    head = "\n".join(lines) + "\n"
    room = MOST - len(head)
    if plan is not None:
        return head + render_plan(plan, most=room)
    text = render_markdown(findings, files, sources, "Syncline can't plan")
    # Folded blocks are cut between, never inside: an open block would swallow what a code host adds.
    while len(text) > room:
        text = text[: text.rindex("<details>")] + "\n… and more findings: `syncline validate`\n"
        room -= 60
    return head + text
