"""Errors that end a command: those raised on purpose, with their findings, and defects."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

from syncline.cli.output.excerpt import Sources
from syncline.cli.output.findings_text import render_text
from syncline.cli.output.paint import Paint
from syncline.cli.output.text import plural, visible, visible_lines
from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Bug, SynclineError, Waiting


def render_error(
    error: SynclineError, findings: Sequence[Diagnostic], *, paint: Paint, sources: Sources | None = None
) -> str:
    """Its findings, then the error itself with what to do next."""
    first, *rest = visible_lines(error.message)
    shown = render_text(findings, sources or Sources(Path()), paint)
    lines = [f"{paint.red(f'error[{error.code}]')}: {paint.bold(first)}", *(f"  {line}" for line in rest)]
    if isinstance(error, Waiting) and error.on and error.on not in error.message:
        lines.append(f"  {paint.blue('=')} {paint.bold('waiting for:')} {visible(error.on)}")
    helps = visible_lines(error.help) if error.help else []
    lines += [f"  {paint.blue('=')} {paint.bold('help:')} {line}" for line in helps]
    if not findings and not isinstance(error, Bug):
        lines.append(f"  {paint.blue('=')} {paint.dim(f'explained by: syncline explain {error.code}')}")
    elif findings:
        lines.append(f"  {paint.blue('=')} {paint.dim(plural(len(findings), 'finding') + ' above')}")
    return shown + "\n".join(lines)


def render_defect(error: Exception, *, paint: Paint, debug: bool) -> str:
    """One line for a defect: the type of the error and where it came from, never its text, which may hold a secret."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f"{'/syncline/'}" in f.filename]
    where = f" at syncline/{frames[-1].filename.rpartition('/syncline/')[2]}:{frames[-1].lineno}" if frames else ""
    line = (
        f"{paint.red('error[SYN999]')}: {type(error).__name__}{where}. This is a defect in Syncline: please report it"
    )
    if not debug:
        return f"{line}. The traceback: SYNCLINE_DEBUG=1 (look through it before you send it, it may show values)."
    return f"{line}.\n{''.join(traceback.format_exception(error))}"
