"""Findings as text for people: the long form with excerpts, the concise one with a line each, and the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from syncline.cli.output.excerpt import Sources, excerpt
from syncline.cli.output.paint import Paint
from syncline.cli.output.text import plural, visible, visible_lines
from syncline.model.diagnostic import Diagnostic, Place, Severity


def _severity(found: Diagnostic, paint: Paint) -> str:
    text = f"{found.severity}[{found.code}]"
    match found.severity:
        case Severity.error:
            return paint.red(text)
        case Severity.warning:
            return paint.yellow(text)
        case Severity.note:
            return paint.cyan(text)


def _at(place: Place, paint: Paint, gutter: int, subject: str = "") -> str:
    # What is applied has no file any more: a mapping that a run finds not to fit its source.
    at = f" {visible(str(place))}" if place.file else ""
    about = f" {paint.dim('in ' + visible(subject))}" if subject else ""
    return f"{' ' * gutter}{paint.blue('-->')}{at}{about}"


def _remark(name: str, text: str, paint: Paint, gutter: int) -> list[str]:
    first, *rest = visible_lines(text)
    lead = f"{' ' * gutter} {paint.blue('=')} "
    hanging = " " * (gutter + 3 + len(name) + 2)
    return [f"{lead}{paint.bold(name + ':')} {first}", *(hanging + line for line in rest)]


def finding_lines(found: Diagnostic, sources: Sources, paint: Paint, *, limit: int = 120) -> list[str]:
    """One finding with its excerpt, remarks and related places."""
    places = [p for p in (found.place, *(r.place for r in found.related)) if p is not None]
    gutter = max((len(str(place.line)) for place in places), default=1)
    lines = [f"{_severity(found, paint)}: {paint.bold(visible(found.message))}"]
    hint = f"did you mean {visible(found.suggestion)}?" if found.suggestion else ""
    source = ""
    if found.place is not None:
        lines.append(_at(found.place, paint, gutter, found.subject))
        source = found.excerpt or sources.line(found.place)
        if source:
            lines += excerpt(found.place, source, paint, gutter=gutter, label=hint, limit=limit - gutter - 3)
    elif found.subject:
        lines += _remark("object", found.subject, paint, gutter)
    remarks = {"expected": found.expected, "did you mean": "" if source else found.suggestion, "help": found.help}
    if source and any(remarks.values()):
        lines.append(f"{' ' * gutter} {paint.blue('|')}")
    for name, text in remarks.items():
        if text:
            lines += _remark(name, text, paint, gutter)
    for related in found.related:
        lines += [f"{paint.cyan('note')}: {visible(related.message)}", _at(related.place, paint, gutter)]
        line = sources.line(related.place)
        if line:
            lines += excerpt(related.place, line, paint, gutter=gutter, limit=limit - gutter - 3, primary=False)
    return lines


def concise_line(found: Diagnostic, paint: Paint) -> str:
    """One finding in one line: `file:line:column: error[CODE]: message`, as editors and grep read it."""
    at = f"{visible(str(found.place))}: " if found.place else ""
    hint = f" (did you mean {visible(found.suggestion)}?)" if found.suggestion else ""
    return f"{at}{_severity(found, paint)}: {visible(found.message)}{hint}"


def summary(findings: Iterable[Diagnostic], files: int, objects: int, paint: Paint) -> str:
    """The last lines: how many findings in how many files and where to read on, or that all is well."""
    found = list(findings)
    counts = Counter(d.severity for d in found)
    scope = f"in {plural(files, 'file')}"
    if not files:
        return paint.yellow("No manifests found: nothing was checked.")
    if not counts:
        return f"{paint.green('Valid:')} {plural(objects, 'object')} {scope}."
    parts = [plural(counts[severity], str(severity)) for severity in Severity if counts[severity]]
    text = f"{', '.join(parts)} {scope}."
    shown = paint.red(text) if counts[Severity.error] else paint.yellow(text)
    first = next((d for d in found if d.severity is Severity.error), found[0])
    return f"{shown}\n{paint.dim(f'More about a code: syncline explain {first.code}')}"


def render_text(findings: Iterable[Diagnostic], sources: Sources, paint: Paint, *, limit: int = 120) -> str:
    """Findings in the long form, a blank line after each."""
    return "".join("\n".join(finding_lines(d, sources, paint, limit=limit)) + "\n\n" for d in findings)


def render_concise(findings: Iterable[Diagnostic], paint: Paint) -> str:
    """Findings in a line each."""
    return "".join(concise_line(d, paint) + "\n" for d in findings)
