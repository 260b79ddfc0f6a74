"""Findings as workflow commands of GitHub Actions, which shows them beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Iterable

from syncline.cli.output.text import visible, visible_lines
from syncline.model.codes import CODES
from syncline.model.diagnostic import Diagnostic, Severity

_COMMAND = {Severity.error: "error", Severity.warning: "warning", Severity.note: "notice"}


def escape_data(text: str) -> str:
    """The message of a command, escaped as `@actions/core` does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """A property of a command, escaped as `@actions/core` does."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def _message(found: Diagnostic) -> str:
    lines = [visible(found.message)]
    if found.suggestion:
        lines.append(f"did you mean {visible(found.suggestion)}?")
    if found.expected:
        lines.append(f"expected: {visible(found.expected)}")
    if found.help:
        lines += visible_lines(f"help: {found.help}")
    lines += [visible(f"{related.place}: {related.message}") for related in found.related]
    return "\n".join(lines)


def command(found: Diagnostic) -> str:
    """One finding as one command."""
    code = CODES.get(found.code)
    properties: dict[str, str] = {}
    if found.place is not None:
        place = found.place
        properties |= {"file": visible(place.file), "line": str(place.line)}
        if place.end_line:
            properties["endLine"] = str(place.end_line)
        if place.end_line in {0, place.line}:  # columns of a range over several lines are refused
            properties["col"] = str(place.column)
            if place.end_column:
                properties["endColumn"] = str(place.end_column)
    properties["title"] = f"{found.code} {code.title}" if code else found.code
    shown = ",".join(f"{name}={escape_property(value)}" for name, value in properties.items())
    return f"::{_COMMAND[found.severity]} {shown}::{escape_data(_message(found))}"


def render_github(findings: Iterable[Diagnostic]) -> str:
    """A command a line."""
    return "".join(command(d) + "\n" for d in findings)
