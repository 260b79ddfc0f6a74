"""The one layout of a manifest file: order of the envelope, indentation, spacing. Comments, quotes, line breaks stay.

What it changes is never data: a text whose documents would be read as something else is refused (`Invalid`).
"""

from __future__ import annotations

from typing import Any, Final

from syncline.manifests.layout import laid_out
from syncline.manifests.text import Text, checked
from syncline.manifests.yaml import compose
from syncline.model.diagnostic import Diagnostic, Place
from syncline.model.errors import Invalid

_ENVELOPE: Final = ("apiVersion", "kind", "metadata", "spec")


def fmt(content: str, file: str = "") -> str:
    """The text in the canonical layout. Raises `Invalid` with the findings when it can't be read or would change."""
    before = _data(content, file)
    if not before:
        return content  # nothing but comments
    formatted = laid_out(content.removeprefix("\ufeff"), _ENVELOPE)
    if _data(formatted, file) != before:
        # Sorted, an alias may come before its anchor. A layout is worth less than a value: leave the file alone.
        raise _changed(file)
    return formatted


def _data(content: str, file: str) -> list[Any]:
    text = checked(Text(file, content.removeprefix("\ufeff")))
    if isinstance(text, Diagnostic):
        raise Invalid(f"{file}: {text.message}", code=text.code, diagnostics=(text,))
    composed = compose(text)
    if composed.diagnostics:
        first = composed.diagnostics[0]
        raise Invalid(f"{file}: {first.message}", code=first.code, diagnostics=composed.diagnostics)
    # Compared with its types: 1, 1.0 and true are equal in Python.
    return [_typed(document.data) for document in composed.documents]


def _typed(value: Any) -> Any:
    match value:
        case dict():
            return {name: _typed(inner) for name, inner in value.items()}
        case list():
            return [_typed(inner) for inner in value]
        case _:
            return (type(value).__name__, value)


def _changed(file: str) -> Invalid:
    finding = Diagnostic("SYN250", "formatting would change what the file says", Place(file), help="Format it by hand.")
    return Invalid(f"{file}: {finding.message}", code="SYN250", diagnostics=(finding,))
