"""The one layout of a manifest file: order of the envelope, indentation, spacing. Comments and quotes stay.

What it changes is never data: a text whose documents would be read as something else is refused (`Invalid`).
"""

from __future__ import annotations

import io
import re
from functools import cache
from typing import Any, Final

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
    formatted = _round_trip(content, file)
    if _data(formatted, file) != before:
        # An unsorted envelope or a moved comment is worth less than a value: leave the file alone.
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


def _round_trip(content: str, file: str) -> str:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML(typ="rt")
    yaml.Resolver = _as_written()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=2, offset=0)
    yaml.allow_duplicate_keys = False
    out = io.StringIO()
    try:
        documents = list(yaml.load_all(content.removeprefix("\ufeff").replace("\r\n", "\n")))
        for document in documents:
            _sort_envelope(document)
        explicit = content.lstrip("\ufeff").startswith("---")
        yaml.explicit_start = explicit or len(documents) > 1
        yaml.dump_all(documents, out)
    except YAMLError as error:
        finding = Diagnostic("SYN104", "the file can't be formatted", Place(file), help=str(error).splitlines()[0])
        raise Invalid(f"{file}: {finding.message}", code="SYN104", diagnostics=(finding,)) from error
    text = out.getvalue()
    if yaml.explicit_start and not explicit:
        text = text.removeprefix("---\n")
    return text.rstrip("\n") + "\n"


@cache
def _as_written() -> type[Any]:
    from ruamel.yaml.resolver import VersionedResolver

    class AsWritten(VersionedResolver):
        """Takes every unquoted scalar for text: as a number it would be written in another way than it was read."""

        @property
        def versioned_resolver(self) -> dict[str, list[tuple[str, re.Pattern[str]]]]:
            return {"": [("tag:yaml.org,2002:null", re.compile(r"\Z"))]}  # nothing stays nothing, not ''

    return AsWritten


def _sort_envelope(document: Any) -> None:
    if not isinstance(document, dict) or not {"apiVersion", "kind"} <= document.keys():
        return
    if [n for n in document if n in _ENVELOPE] == [n for n in _ENVELOPE if n in document]:
        return
    for name in reversed(_ENVELOPE):
        if name in document:
            document.move_to_end(name, last=False)  # type: ignore[attr-defined]  # untyped


def _changed(file: str) -> Invalid:
    finding = Diagnostic("SYN250", "formatting would change what the file says", Place(file), help="Format it by hand.")
    return Invalid(f"{file}: {finding.message}", code="SYN250", diagnostics=(finding,))
