"""Findings as Markdown, for a comment on a pull request or the summary of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncline.cli.output.excerpt import Sources
from syncline.cli.output.findings_text import finding_lines
from syncline.cli.output.markdown import fenced, html
from syncline.cli.output.paint import Paint
from syncline.cli.output.text import plural
from syncline.model.diagnostic import Diagnostic, Severity

_SIGNS = {Severity.error: "⛔", Severity.warning: "⚠️", Severity.note: "\N{INFORMATION SOURCE}\ufe0f"}
_MOST = 50  # a comment on a code host has an end


def _finding(found: Diagnostic, sources: Sources) -> Iterator[str]:
    # The summary is inside an HTML block, where Markdown's escapes would show.
    yield f"<details><summary>{_SIGNS[found.severity]} <code>{found.code}</code> {html(found.message)}</summary>"
    yield ""
    yield from fenced(finding_lines(found, sources, Paint()))
    yield ""
    yield "</details>"


def render_markdown(findings: Sequence[Diagnostic], files: int, sources: Sources, title: str = "Syncline") -> str:
    """A heading with counts, then findings, folded, with their excerpts: errors first, as there may be too many."""
    errors = sum(d.severity is Severity.error for d in findings)
    others = len(findings) - errors
    counts = [plural(errors, "error")] if errors else []
    counts += [plural(others, "warning")] if others else []
    sign = "⛔ " if errors else ""
    lines = [f"### {sign}{title}: {' and '.join(counts) or 'valid'} in {plural(files, 'file')}", ""]
    for found in sorted(findings, key=lambda one: one.severity is not Severity.error)[:_MOST]:
        lines += _finding(found, sources)
    if len(findings) > _MOST:
        lines += ["", f"… and {plural(len(findings) - _MOST, 'more finding')}: `syncline validate`"]
    return "\n".join(lines).rstrip() + "\n"
