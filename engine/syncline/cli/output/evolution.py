"""Versions of connectors compared: as text, Markdown, and JSON (`syncline/connector-diff/v1`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import to_builtins

from syncline.cli.output.markdown import code, escape
from syncline.cli.output.paint import Paint
from syncline.cli.output.table import render_table
from syncline.cli.output.text import cut, plural, visible
from syncline.manifests.demands.bumps import Bump
from syncline.manifests.evolution import Level

VERSION = "syncline/connector-diff/v1"
_SIGNS = {Level.breaking: "✗", Level.additive: "+", Level.fix: "~"}


def diff_data(bumps: Sequence[Bump]) -> dict[str, Any]:
    """The comparison as plain data."""
    return {
        "version": VERSION,
        "connectors": [
            {
                "object": str(b.new.key.unversioned),
                "from": b.old.key.version,
                "to": b.new.key.version,
                "demanded": b.demanded,
                "enough": b.enough,
                "changes": [
                    {
                        "level": c.level.name,
                        "path": list(c.path),
                        "message": c.message,
                        "place": to_builtins(b.new.place_of(*c.path)),
                    }
                    for c in b.changes
                ],
            }
            for b in bumps
        ],
    }


def render_diff(bumps: Sequence[Bump], paint: Paint) -> str:
    """Each comparison: what changed, the most consequential first, and whether the version says so."""
    if not bumps:
        return "No connector is in both.\n"
    return "\n".join("".join(f"{line}\n" for line in _lines(b, paint)) for b in bumps)


def _lines(found: Bump, paint: Paint) -> Iterator[str]:
    yield paint.bold(_title(found)) + f": {_counts(found)}"
    rows = [(f"{_SIGNS[c.level]} {c.level.name}", c.where, visible(c.message)) for c in found.changes]
    if rows:
        table = render_table(("", "WHERE", "WHAT"), rows, paint, cells=80).rstrip("\n").split("\n")[1:]
        yield from (f"  {_coloured(line, c.level, paint)}" for line, c in zip(table, found.changes, strict=True))
        verdict = f"needs {found.demanded} or higher"
        yield f"  {paint.green('OK:')} {verdict}" if found.enough else f"  {paint.red('Too little:')} {verdict}"


def _coloured(line: str, level: Level, paint: Paint) -> str:
    match level:
        case Level.breaking:
            return paint.red(line)
        case Level.additive:
            return paint.green(line)
        case Level.fix:
            return line


def _title(found: Bump) -> str:
    return f"{visible(str(found.new.key.unversioned))} {found.old.key.version} → {found.new.key.version}"


def _counts(found: Bump) -> str:
    counts = Counter(c.level for c in found.changes)
    words = {
        Level.breaking: ("breaking", "breaking"),
        Level.additive: ("additive", "additive"),
        Level.fix: ("fix", "fixes"),
    }
    return ", ".join(plural(counts[level], *words[level]) for level in words if counts[level]) or "no change"


def render_markdown(bumps: Sequence[Bump]) -> str:
    """A table for each comparison, for a comment on a pull request."""
    lines: list[str] = []
    for found in bumps:
        sign = "" if found.enough else "⛔ "
        lines += [f"### {sign}{escape(_title(found))}: {_counts(found)}", ""]
        if found.changes:
            verdict = "which it has" if found.enough else "which it hasn't"
            lines += [f"These changes need {code(found.demanded)} or higher, {verdict}.", ""]
            lines += ["| | where | what |", "|---|---|---|"]
            lines += [f"| {c.level.name} | {code(c.where)} | {escape(cut(c.message, 200))} |" for c in found.changes]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n" if lines else "No connector is in both.\n"
