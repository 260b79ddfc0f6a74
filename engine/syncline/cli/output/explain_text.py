"""What a code means, as a page of text."""

from __future__ import annotations

import textwrap

from syncline.cli.output.paint import Paint
from syncline.model.codes.code import Code


def _paragraph(text: str, columns: int) -> str:
    return textwrap.fill(text, width=min(columns, 88), initial_indent="  ", subsequent_indent="  ")


def _example(text: str) -> str:
    return textwrap.indent(text.rstrip(), "    ")


def explain_code(code: Code, paint: Paint, columns: int = 88) -> str:
    """Title, meaning, remedy, and examples where there are some."""
    parts = [
        f"{paint.bold(code.code)}  {code.title}",
        _paragraph(code.meaning, columns),
        f"{paint.cyan('What to do')}\n{_paragraph(code.remedy, columns)}",
    ]
    if code.bad:
        parts.append(f"{paint.red('Instead of')}\n{_example(code.bad)}")
    if code.good:
        parts.append(f"{paint.green('Write')}\n{_example(code.good)}")
    return "\n\n".join(parts) + "\n"
