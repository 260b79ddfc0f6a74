"""Text that is shown as it is in Markdown: nothing that comes from manifests becomes markup, a mention or HTML."""

from __future__ import annotations

import re
from html import escape as escape_html

from syncline.cli.output.text import visible
from syncline.model.diagnostic import Place

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~!@&])")


def escape(text: str) -> str:
    """Text on one line: no markup, no mention, no HTML, no way out of a table."""
    text = visible(" ".join(text.split()))
    escaped = _SPECIAL.sub(r"\\\1", text)
    return escaped.replace("\\@", "@\u2060").replace("\\&", "&amp;").replace("\\<", "&lt;")


def html(text: str) -> str:
    """Text on one line inside an HTML block of Markdown."""
    return escape_html(visible(" ".join(text.split())), quote=False).replace("@", "@\u2060")


def code(text: str) -> str:
    """A code span for any text, also one with backticks, inside a table."""
    shown = visible(text).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    edge = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{edge}{shown}{edge}{fence}"


def at(place: Place | None) -> str:
    """A place as a code span; empty where there is none."""
    return code(f"{place.file}:{place.line}") if place else ""


def fenced(lines: list[str]) -> list[str]:
    """Lines as a block of code, whatever is in them."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *lines, fence]
