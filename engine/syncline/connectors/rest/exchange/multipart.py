"""Forms with files, as multipart/form-data (RFC 7578): parts compiled, filled and put together.

The boundary is made of the parts' content, so that every attempt of a request sends the same bytes: APIs compare them
under an idempotency key. Names are UTF-8, with quotes and line ends percent-encoded, as browsers send them (WHATWG,
HTML, "multipart form data"); `filename*` is never sent (RFC 7578, section 4.2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from msgspec import Struct

from syncline.connectors.rest.exchange.templates import compiled, compiled_value
from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from syncline.kinds.request import Part as PartSpec
    from syncline.sdk.template import Template, Value

#: Longest body in bytes: whole it is in memory, once for each request under way.
MAX_BODY: Final = 32 * 1024 * 1024
MULTIPART: Final = "multipart/form-data"
_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})

#: JSON content, compiled by whoever sends it; None where a part has none.
J = TypeVar("J")


class Part(Struct, frozen=True):
    """A part as it is sent. `filename` empty: it is no file. `content_type` empty: it is text."""

    name: str
    data: bytes
    filename: str = ""
    content_type: str = ""


class PartPlan(Struct, Generic[J], frozen=True):
    """A declared part, compiled: one of `text`, `json` and `base64` is there."""

    name: str
    filename: Template | None
    content_type: str
    text: Value | None
    json: J | None
    base64: Value | None

    def part(self, variables: Mapping[str, Any], to_json: Callable[[J], bytes]) -> Part:
        """The part, filled. `Invalid` (SYN431, SYN499) for what can't be."""
        if self.json is not None:
            data = to_json(self.json)
        elif self.base64 is not None:
            data = self._decoded(_text(self.base64, variables))
        else:
            assert self.text is not None
            data = _text(self.text, variables).encode()
        filename = self.filename.render(variables) if self.filename is not None else ""
        if not filename.translate(_ESCAPES).isprintable():
            raise Invalid(f"part {self.name!r}: the file name has control characters", code="SYN499")
        return Part(self.name, data, filename, self.content_type)

    def _decoded(self, text: str) -> bytes:
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise Invalid(f"part {self.name!r}: its content isn't base64 (RFC 4648)", code="SYN499") from error


class MultipartPlan(Struct, Generic[J], frozen=True):
    """The parts of a body. `names` are the variables that their templates read, but for JSON's."""

    parts: tuple[PartPlan[J], ...]
    names: frozenset[str]

    def build(
        self, variables: Mapping[str, Any], places: Mapping[str, str | int], to_json: Callable[[J], bytes]
    ) -> tuple[bytes, str]:
        """
        The bytes and their Content-Type. `places` are texts by the name of their part, instead of it or besides.

        Raises `Invalid` (SYN431, SYN499).
        """
        declared = [plan.part(variables, to_json) for plan in self.parts if plan.name not in places]
        parts = [part for part in declared if part.data]
        parts += [Part(name, str(value).encode()) for name, value in places.items()]
        size = sum(len(part.data) for part in parts)
        if size > MAX_BODY:
            raise Invalid(f"the parts have {size:,} bytes, and at most {MAX_BODY:,} are sent", code="SYN499")
        return encode(parts)


def compile_parts(parts: Sequence[PartSpec], compile_json: Callable[[Any], J], what: str) -> MultipartPlan[J]:
    """Compiles declared parts. Raises `Invalid` (SYN430, SYN432)."""
    plans = []
    names: set[str] = set()
    for part in parts:
        if sum(given is not None for given in (part.text, part.content, part.base64)) != 1:
            raise Invalid(f"{what}: part {part.name!r} needs one of text, json and base64", code="SYN432")
        text = compiled_value(part.text, whole=True) if part.text is not None else None
        content = compile_json(part.content) if part.content is not None else None
        coded = compiled_value(part.base64) if part.base64 is not None else None
        filename = compiled(part.filename) if part.filename is not None else None
        templates = (text.template if text else None, coded.template if coded else None, filename)
        names |= frozenset().union(*(template.names for template in templates if template is not None))
        plans.append(PartPlan(part.name, filename, part.content_type or _usual(part), text, content, coded))
    return MultipartPlan(tuple(plans), frozenset(names))


def encode(parts: Sequence[Part]) -> tuple[bytes, str]:
    r"""A body of parts, and its Content-Type with the boundary.

    >>> body, content_type = encode([Part("kind", b"people"), Part("file", b"a;b", "p.csv", "text/csv")])
    >>> boundary = content_type.partition("boundary=")[2]
    >>> print(body.decode().replace("\r", "").replace(boundary, "…").strip())
    --…
    Content-Disposition: form-data; name="kind"
    <BLANKLINE>
    people
    --…
    Content-Disposition: form-data; name="file"; filename="p.csv"
    Content-Type: text/csv
    <BLANKLINE>
    a;b
    --…--
    """
    boundary = _boundary(parts)
    lines = [line for part in parts for line in (b"--" + boundary, *_headers(part), b"", part.data)]
    return b"\r\n".join([*lines, b"--" + boundary + b"--", b""]), f"{MULTIPART}; boundary={boundary.decode()}"


def with_type(headers: Mapping[str, str], content_type: str) -> dict[str, str]:
    """Headers with a body's Content-Type; a declared one wins, unless the body's boundary is in it."""
    if content_type.startswith(MULTIPART):
        headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    elif any(name.lower() == "content-type" for name in headers):
        return dict(headers)
    return {**headers, "Content-Type": content_type}


def _usual(part: PartSpec) -> str:
    if part.content is not None:
        return "application/json"
    if part.base64 is not None:
        return "application/octet-stream"
    return "text/plain; charset=utf-8" if part.filename is not None else ""


def _text(value: Value, variables: Mapping[str, Any]) -> str:
    """The text of a value. One that is a text alone may be longer than templates get."""
    found = value.find(variables)
    return found if isinstance(found, str) else value.template.render(variables)


def _headers(part: Part) -> Iterator[bytes]:
    said = f'form-data; name="{part.name.translate(_ESCAPES)}"'
    if part.filename:
        said += f'; filename="{part.filename.translate(_ESCAPES)}"'
    yield f"Content-Disposition: {said}".encode()
    if part.content_type:
        yield f"Content-Type: {part.content_type}".encode()


def _boundary(parts: Sequence[Part]) -> bytes:
    """A boundary that is in none of the parts, the same for the same parts."""
    digest = hashlib.sha256()
    for part in parts:
        for piece in (part.name.encode(), part.filename.encode(), part.content_type.encode(), part.data):
            digest.update(len(piece).to_bytes(8, "big"))
            digest.update(piece)
    boundary = digest.hexdigest()[:32].encode()
    while any(boundary in part.data for part in parts):
        boundary = hashlib.sha256(boundary).hexdigest()[:32].encode()
    return boundary
