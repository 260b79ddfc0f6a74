"""Whether pages keep to the declared schema: one that breaks it as a whole ends a run before its records are written.

A record that doesn't fit is a reject. Where all records of a page fail for the same field, that isn't about records any
more: the API has changed. What breaks the contract, in every record:

- a declared field of another type, or a null or nothing where the schema says `required` or not `nullable`;
- a field of the stream's key without a value;
- the cursor's field, or one that the mapping requires or keys by, gone by name, though all records of the first page
  had it. Other fields that are declared may be missing, as in many APIs they are: that is a notice (`drift.py`).

So that a few odd records at the end of a listing don't end it, `ENOUGH` of them in a row have to break it, over as many
pages as that takes. These pages are held back meanwhile, and the position before them is the one that is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from syncline.connectors.rest.decoding import Decoding
    from syncline.connectors.rest.drift import Drift
    from syncline.connectors.rest.tree import Step
    from syncline.model.schema import Schema
    from syncline.sdk.json_records import PageRecords

#: Records in a row that break the contract in the same way, before the run is stopped.
ENOUGH = 10
#: The same where a read from the start had no other records: what is replaced would be replaced by nothing.
ENOUGH_OF_ALL = 2
#: Pages that are held back at most; pages without records count too.
_MAX_HELD = 100


@dataclass(frozen=True, slots=True)
class Breach:
    """How a page breaks the contract in all of its records: the field's path, what was declared, and what came."""

    field: str
    declared: str
    came: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
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


def unbroken(steps: Iterator[Step], stream: str, *, fresh: bool) -> Iterator[Step]:
    """
    The steps of a read, as long as the contract is kept; `Invalid` (SYN424) before the first one that breaks it.

    `fresh`: it reads from the start.
    """
    held: list[Step] = []
    breach: Breach | None = None
    count, sound = 0, False
    for step in steps:
        page = step.page
        judged = page.judged if page is not None else 0
        found = page.breach if page is not None else None
        if judged and (found is None or (breach is not None and found.field != breach.field)):
            yield from held
            held, breach, count = [], None, 0
        sound = sound or (judged > 0 and found is None)
        if found is not None:
            breach, count = breach or found, count + judged
            if count >= ENOUGH:
                raise _broken(stream, breach, count)
        if breach is None:
            yield step
            continue
        held.append(step)
        if step.keep or len(held) >= _MAX_HELD:
            yield from held
            held, breach, count = [], None, 0
    if breach is not None and fresh and not sound and count >= ENOUGH_OF_ALL:
        raise _broken(stream, breach, count)
    yield from held


def _broken(stream: str, breach: Breach, count: int) -> Invalid:
    return Invalid(
        f"{breach.place}: the records of stream {stream} are no longer as declared: {breach.field!a} is "
        f"{breach.declared}; in all of {count} records in a row: {breach.came}",
        code="SYN424",
        help="None of these records was written, and the position is before them. Correct the connector's schema or "
        "the mapping, apply, and run again. What records may lack isn't `required`; what has several types is `any`.",
    )
