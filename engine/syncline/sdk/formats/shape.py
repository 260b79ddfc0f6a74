"""Records reshaped before a schema is applied: lists to records, filtered, fields added, flattened, removed, renamed.

In this order, whatever the order of the declaration. Expressions look at a record as it came, after `explode`. Values
that nothing changes keep their bytes, so that no number loses a digit; expressions compute with exact ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct, field

from syncline.model.errors import Invalid, SynclineError
from syncline.sdk.expression import Expression
from syncline.sdk.formats.json_records import BadRecord
from syncline.sdk.template import Template

_RAWS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODE = msgspec.json.Encoder(decimal_format="number").encode
_MAX_RAW = 64 * 1024
#: Most records that one record may become.
_MAX_EXPLODED = 100_000
_Record = dict[str, msgspec.Raw]


class Shaped(Struct, frozen=True):
    """Records after shaping, each with the index on the page of what it came from. `skipped`: filtered out.

    >>> Shape(filter=Expression("a > `1`")).apply([b'{"a": 1}', b'{"a": 2}'])
    Shaped(raws=[b'{"a": 2}'], rows=[1], skipped=1, bad=())
    """

    raws: list[bytes]
    rows: list[int]
    skipped: int = 0
    bad: tuple[BadRecord, ...] = ()


class Shape(Struct, frozen=True):
    """A declared shape, compiled. Variables of templates are what `apply` is given, and `record`.

    >>> from syncline.sdk.template import compile_template
    >>> shape = Shape(add={"site": compile_template("{{ config.site }}"), "mail": Expression("who.mail")}, flatten="_")
    >>> shape.apply([b'{"id": 1.10, "who": {"mail": "a@b.example"}}'], {"config": {"site": "eu"}}).raws
    [b'{"id":1.10,"who_mail":"a@b.example","site":"eu","mail":"a@b.example"}']
    """

    explode: str = ""
    filter: Expression | None = None
    add: Mapping[str, Template | Expression] = field(default_factory=dict)
    flatten: str = ""
    remove: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)

    def apply(self, raws: Sequence[bytes], variables: Mapping[str, Any] | None = None) -> Shaped:
        """Shapes the records of a page. One that can't be is set aside; the others go on."""
        good: list[bytes] = []
        rows: list[int] = []
        bad: list[BadRecord] = []
        skipped = 0
        for index, raw in enumerate(raws):
            try:
                for one in self._exploded(raw):
                    shaped = self._shaped(one, variables or {})
                    if shaped is None:
                        skipped += 1
                    else:
                        good.append(shaped)
                        rows.append(index)
            except (SynclineError, msgspec.ValidationError) as error:
                kept = next((n for n, row in enumerate(rows) if row == index), len(rows))
                del good[kept:], rows[kept:]
                message = error.message if isinstance(error, SynclineError) else str(error)
                bad.append(BadRecord(index, message, "", bytes(raw)[:_MAX_RAW].decode(errors="replace")))
        return Shaped(good, rows, skipped, tuple(bad))

    def _exploded(self, raw: bytes) -> list[bytes]:
        """A record for each element of the field `explode`, in its place; one with null for a list without any."""
        if not self.explode or raw[:1] != b"{":
            return [raw]
        record = _RAWS.decode(raw)
        found = bytes(record.get(self.explode, msgspec.Raw(b"null")))
        items: Sequence[msgspec.Raw] = _LIST.decode(found) if found[:1] == b"[" else [msgspec.Raw(found)]
        if len(items) > _MAX_EXPLODED:
            raise Invalid(f"{self.explode} has more than {_MAX_EXPLODED:,} elements", code="SYN413")
        return [_ENCODE(record | {self.explode: item}) for item in items or [msgspec.Raw(b"null")]]

    def _shaped(self, raw: bytes, variables: Mapping[str, Any]) -> bytes | None:
        """A record after shaping; None when it is filtered out."""
        if raw[:1] != b"{":
            return raw  # no record: the decoder says so
        parsed = exact(raw) if self.filter is not None or self.add else None
        if self.filter is not None and not self.filter.true_of(parsed):
            return None
        if not (self.add or self.flatten or self.remove or self.rename):
            return raw
        record = _RAWS.decode(raw)
        added = {name: self._added(value, parsed, variables) for name, value in self.add.items()}
        if self.flatten:
            record = _flat(record, self.flatten)
            added = _flat(added, self.flatten)
        record |= added
        if self.remove:
            record = {name: value for name, value in record.items() if name not in self.remove}
        return _ENCODE(_renamed(record, self.rename) if self.rename else record)

    def _added(self, value: Template | Expression, parsed: Any, variables: Mapping[str, Any]) -> msgspec.Raw:
        if isinstance(value, Expression):
            return msgspec.Raw(_ENCODE(value.search(parsed)))
        return msgspec.Raw(_ENCODE(value.render({**variables, "record": parsed})))


def exact(raw: bytes) -> Any:
    """A record's values, exactly. `Invalid` (SYN412) for numbers past every bound.

    >>> exact(b'{"id": 12345678901234567890123, "price": 1.10}')
    {'id': 12345678901234567890123, 'price': Decimal('1.10')}
    """
    try:
        return json.loads(raw, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Invalid("a number or structure in it is beyond every bound", code="SYN412") from error


def _flat(record: _Record, separator: str) -> _Record:
    """The fields of objects inside, by names joined with the separator. Lists and empty objects stay as they are."""
    found: _Record = {}
    put = found.setdefault
    for name, value in record.items():
        _flatten(name, value, separator, put)
    return found


def _flatten(name: str, value: msgspec.Raw, separator: str, put: Callable[[str, msgspec.Raw], msgspec.Raw]) -> None:
    inner = _RAWS.decode(value) if memoryview(value)[:1].tobytes() == b"{" else None
    if not inner:
        if put(name, value) is not value:
            raise Invalid(f"two of its fields become {name[:80]!a} when it is flattened", code="SYN413")
        return
    for each, raw in inner.items():
        _flatten(f"{name}{separator}{each}", raw, separator, put)


def _renamed(record: _Record, names: Mapping[str, str]) -> _Record:
    found: _Record = {}
    for name, value in record.items():
        new = names.get(name, name)
        if new in found:
            raise Invalid(f"two of its fields become {new[:80]!a} when they are renamed", code="SYN413")
        found[new] = value
    return found
