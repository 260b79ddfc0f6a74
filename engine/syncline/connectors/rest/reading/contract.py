"""Whether pages keep to the declared schema: one that breaks it as a whole ends a run before its records are written.

A record that doesn't fit is a reject. Where all records of a page fail for the same field, that isn't about records any
more: the API has changed. What breaks the contract, in every record:

- a declared field of another type, or a null or nothing where the schema says `required` or not `nullable`;
- a field of the stream's key without a value;
- the cursor's field, or one that the mapping requires or keys by, gone by name, though all records of the first page
  had it. Other fields that are declared may be missing, as in many APIs they are: that is a notice (`drift.py`).

What becomes of a run whose pages break it: `unbroken.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.decoding import Decoding
    from syncline.connectors.rest.reading.drift import Drift
    from syncline.model.schema import Schema
    from syncline.sdk.formats.json_records import PageRecords


class Breach(Struct, frozen=True):
    """How a page breaks the contract in all of its records: the field's path, what was declared, and what came."""

    field: str
    declared: str
    came: str
    place: str = ""


class Contract(Struct, frozen=True):
    """What pages have to keep to. `key` are fields that need a value, `needed` those that need to be there."""

    schema: Schema
    key: tuple[str, ...]
    needed: frozenset[str]

    def breach(
        self, found: PageRecords, decoding: Decoding, drift: Drift | None, document: Any, place: str
    ) -> Breach | None:
        """How a page with these records breaks it; None for one that doesn't, and for one without records.

        It looks at one record, unless that one gives cause to look at the others.
        """
        if found.bad:
            first = found.bad[0]
            if found.good or not first.field or any(b.field != first.field for b in found.bad):
                return None
            return Breach(first.field, self._declared(first.field), first.message, place)
        if not found.good:
            return None
        for name in self.key:
            one = decoding.values(found.good[:1], (name,))
            if one == [None] and all(value is None for value in decoding.values(found.good, (name,))):
                return Breach(name, f"{self._declared(name)}, in the stream's key", "it is null or missing", place)
        for name in drift.lost(document, self.needed) if drift is not None else ():
            came = "it is missing, though all records of the first page had it"
            return Breach(name, f"{self._declared(name)}, and needed by the mapping or the cursor", came, place)
        return None

    def _declared(self, path: str) -> str:
        field, fields = None, self.schema.fields
        for name in path.replace("[...]", "").split("."):
            field = next((f for f in fields if f.name == name), None)
            if field is None:
                return "declared otherwise"
            fields = field.fields
        assert field is not None
        kind = "object" if field.fields else str(field.type)
        return f"{'list of ' if field.repeated else ''}{kind}{'' if field.nullable else ', never null or missing'}"


def contract_of(schema: Schema, key: Collection[str], needed: Collection[str]) -> Contract:
    """The contract of a stream with this schema. Fields that its records don't have by themselves aren't looked at."""
    names = frozenset(schema.names)
    single = frozenset(field.name for field in schema.fields if not field.repeated)
    return Contract(schema, tuple(name for name in key if name in single), names & frozenset(needed))
