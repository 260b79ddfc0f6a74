"""Templates of requests, compiled; a wrong one is an error for people, with its place."""

from __future__ import annotations

from syncline.model.errors import Invalid
from syncline.sdk.template import Template, TemplateError, Value, compile_template, compile_value


def compiled(text: str, *, quoted: bool = False, whole: bool = False) -> Template:
    """A compiled template; `Invalid` (SYN430) with its place for a wrong one."""
    try:
        return compile_template(text, quoted=quoted, whole=whole)
    except TemplateError as error:
        raise _wrong(text, error) from error


def compiled_value(text: str, *, whole: bool = False) -> Value:
    """A compiled template that may be one value alone; `Invalid` (SYN430) as `compiled` raises it."""
    try:
        return compile_value(text, whole=whole)
    except TemplateError as error:
        raise _wrong(text, error) from error


def _wrong(text: str, error: TemplateError) -> Invalid:
    return Invalid(f"template {text[:200]!r}, line {error.line}, column {error.column}: {error.message}", code="SYN430")
