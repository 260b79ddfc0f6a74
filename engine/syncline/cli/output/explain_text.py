"""What a code, a kind or a field means, as a page of text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from syncline.cli.output.paint import Paint
from syncline.cli.output.text import pad, width

if TYPE_CHECKING:
    from syncline.manifests.explain import Explanation, FieldLine
    from syncline.model.codes.code import Code

_MEASURE = 88


def _paragraph(text: str, columns: int, indent: str = "  ") -> str:
    return textwrap.fill(
        text,
        width=min(columns, _MEASURE),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _example(text: str) -> str:
    return textwrap.indent(text.rstrip(), "    ")


def render_code(code: Code, paint: Paint, columns: int = _MEASURE) -> str:
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


def _field(line: FieldLine, size: int, columns: int, paint: Paint) -> str:
    mark = paint.yellow("required") if line.required else ""
    kind = ", ".join(part for part in (line.type, mark) if part)
    head = f"  {paint.bold(pad(line.name, size))}  {paint.dim(kind) if not mark else kind}"
    return f"{head}\n{_paragraph(line.description, columns, ' ' * (size + 4))}" if line.description else head


def render_explanation(found: Explanation, paint: Paint, columns: int = _MEASURE) -> str:
    """A kind or a field: what it is, how it is written, its default, its own fields, an example."""
    kind = f"{found.type}, required" if found.required else found.type
    parts = [f"{paint.bold(found.path)}  {kind}"]
    texts = dict.fromkeys(text for text in (found.title, found.description, found.form) if text)
    texts.pop(found.path.rpartition(".")[2], None)
    parts += [_paragraph(text, columns) for text in texts]
    if found.values and ", ".join(found.values) not in found.type:
        parts.append(_paragraph(f"One of {', '.join(found.values)}.", columns))
    if found.default:
        parts.append(f"  Default: {found.default}")
    if found.fields:
        size = max(width(line.name) for line in found.fields)
        fields = "\n".join(_field(line, size, columns, paint) for line in found.fields)
        parts.append(f"{paint.cyan('Fields')}\n{fields}")
    if found.example:
        parts.append(f"{paint.green('Example')}\n{_example(found.example)}")
    return "\n\n".join(parts) + "\n"
