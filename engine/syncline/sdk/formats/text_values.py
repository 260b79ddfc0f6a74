"""Records of formats that only have text (CSV, XML), as a schema declares them: digits become numbers, exactly.

A text becomes a value of its field's declared type where it is written as one; any other stays text, which the record's
decoder refuses with field and reason. An empty text is null where the type isn't a string.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from syncline.model.schema import Field, Schema

_INTEGER = re.compile(r"\s*([+-]?)0*(\d+)\s*")
_NUMBER = re.compile(r"\s*([+-]?)0*(\d+)(\.\d+)?([eE][+-]?\d+)?\s*")
_BOOLEANS = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}
_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder().decode


class TextValues:
    """Turns texts of records into the values that a schema declares.

    >>> from syncline.model.schema import INTEGER, NUMBER
    >>> values = TextValues(Schema((Field("id", INTEGER), Field("price", NUMBER))))
    >>> values.record(b'{"id": "007", "price": "1.10"}')
    b'{"id":7,"price":1.10}'
    """

    def __init__(self, schema: Schema) -> None:
        self._fields = schema.fields

    def record(self, raw: bytes) -> bytes:
        """A record as JSON, with values by the schema; fields that it doesn't list are left out."""
        found = _DECODE(raw)
        if not isinstance(found, dict):
            return raw
        return _ENCODE(_struct(found, self._fields))

    def records(self, raws: list[bytes]) -> list[bytes]:
        """Records, one by one."""
        return [self.record(raw) for raw in raws]


def _struct(found: dict[str, Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    return {field.name: _value(found[field.name], field) for field in fields if field.name in found}


def _value(value: Any, field: Field) -> Any:
    if value is None:
        return None
    if field.repeated:
        items = value if isinstance(value, list) else [value]
        return [_single(item, field) for item in items]
    return _single(value, field)


def _single(value: Any, field: Field) -> Any:
    if field.fields:
        if isinstance(value, str):
            value = {"#text": value} if value else {}
        return _struct(value, field.fields) if isinstance(value, dict) else value
    if isinstance(value, dict) and field.type.name != "json" and all(name[:1] in "@#" for name in value):
        value = value.get("#text", "")  # attributes that the schema doesn't list are not read
    return _scalar(value, field.type.name) if isinstance(value, str) else value


def _scalar(text: str, kind: str) -> Any:
    if kind in {"string", "json"}:
        return text
    if not text.strip():
        return None
    if kind == "boolean":
        return _BOOLEANS.get(text.strip(), text)
    match = (_INTEGER if kind in {"integer", "int32"} else _NUMBER).fullmatch(text)
    if match is None or not text.isascii():
        return text
    sign = "-" if match[1] == "-" else ""
    return msgspec.Raw((sign + "".join(part or "" for part in match.groups()[1:])).encode())
