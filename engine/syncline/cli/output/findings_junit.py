"""Findings as JUnit XML: a test case a file, which fails when the file has an error."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from syncline.cli.output.findings_text import concise_line
from syncline.cli.output.paint import Paint
from syncline.cli.output.text import visible
from syncline.model.diagnostic import Diagnostic, Severity


def _file(found: Diagnostic) -> str:
    return found.place.file if found.place else "(everything)"


def _detail(found: Diagnostic) -> str:
    remarks = [f"expected: {found.expected}"] if found.expected else []
    remarks += [f"help: {found.help}"] if found.help else []
    return "\n".join([concise_line(found, Paint()), *(f"  {visible(remark)}" for remark in remarks)])


def _case(file: str, findings: list[Diagnostic]) -> list[str]:
    errors = [d for d in findings if d.severity is Severity.error]
    others = [d for d in findings if d.severity is not Severity.error]
    lines = [f'    <testcase classname="syncline.validate" name={quoteattr(visible(file))}>']
    for found in errors:
        kind, message = quoteattr(found.code), quoteattr(visible(found.message))
        lines.append(f"      <failure type={kind} message={message}>{escape(_detail(found))}</failure>")
    if others:
        lines.append(f"      <system-out>{escape(chr(10).join(map(_detail, others)))}</system-out>")
    return [*lines, "    </testcase>"]


def render_junit(findings: Sequence[Diagnostic], files: Sequence[str]) -> str:
    """One suite; files without findings are cases that pass."""
    by_file = {file: list(group) for file, group in groupby(sorted(findings, key=_file), key=_file)}
    names = sorted({*files, *by_file})
    failed = sum(any(d.severity is Severity.error for d in group) for group in by_file.values())
    counts = f'tests="{len(names)}" failures="{failed}" errors="0"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="syncline" {counts}>']
    lines.append(f'  <testsuite name="syncline validate" {counts}>')
    for name in names:
        lines += _case(name, by_file.get(name, []))
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"]) + "\n"
