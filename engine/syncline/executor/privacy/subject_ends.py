"""The systems at both ends of flows, where a person is found and erased: searched by us, or asked by their API."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from syncline.executor.flows.rows_left import may_have_rows
from syncline.executor.flows.sealed_ledger import ledgers
from syncline.executor.privacy.subjects import value_at
from syncline.mapping.keyed import keyed_hash
from syncline.model.spelling import without
from syncline.sdk.destination import Fence, Fencing
from syncline.sdk.offers import offers
from syncline.sdk.subject_requests import Acknowledged, Person, SubjectRequests
from syncline.sdk.subject_rows import SubjectRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.executor.engine import Engine
    from syncline.executor.privacy.subjects import Place
    from syncline.model.subject import Subject
    from syncline.sdk.destination import Destination
    from syncline.state.store import Lease

_UNSEARCHABLE = "this destination can't be searched"
_GONE = "what its runs wrote isn't there: it was dropped, renamed or moved, or this is another database or folder"


class Rows(Struct, frozen=True):
    """The person's rows at a place; `unable` says why they can't be found. `asked`: by requests to an API."""

    rows: tuple[dict[str, Any], ...] = ()
    unable: str = ""
    asked: bool = False


def rows_of(engine: Engine, place: Place, subject: Subject) -> Rows:
    """The person's rows at a place."""
    with _opened(engine, place) as end:
        person = _person(engine, place, subject)
        if offers(end, SubjectRequests):
            if person is None:
                return Rows(asked=True)
            if why := end.unable(place.side.stream, person):
                return Rows(unable=why)
            return Rows(tuple(end.find(place.side.stream, person)), asked=True)
        if not offers(end, SubjectRows):
            return Rows(unable=_UNSEARCHABLE)
        if person is None:
            return Rows()
        found = tuple(end.find(place.side.stream, place.field, person.value))
        wrote = place.former is not None or may_have_rows(engine.facilities.store, place.flow)
        gone = wrote and not end.has(place.side.stream)
        return Rows(found, _GONE if gone else "")


def erase_rows(engine: Engine, place: Place, subject: Subject, lease: Lease, request: str) -> Acknowledged:
    """Deletes the person's rows, or has them deleted; how many, and how many are left."""
    with _opened(engine, place) as end:
        person = _person(engine, place, subject, request)
        if person is None:
            return Acknowledged()
        if offers(end, SubjectRequests):
            return end.erase(place.side.stream, person)
        if not offers(end, SubjectRows):
            return Acknowledged()
        name, rows, stream = str(place.flow), end, place.side.stream
        if not rows.has(stream) and not rows.find(stream, place.field, person.value):
            return Acknowledged()  # nothing is made to look for somebody
        if offers(end, Fencing):
            end.fence(name, Fence(engine.facilities.store.lineage, lease.token))
        deleted = rows.erase(name, stream, place.field, person.value)
        return Acknowledged(deleted, len(rows.find(stream, place.field, person.value)), rows.remains())


def without_name(engine: Engine, place: Place, subject: Subject, text: str) -> str:
    """A text about what went wrong at a place, in which the person isn't named, as URLs do."""
    value = value_at(place, subject, engine.facilities.keys)
    for name in {subject.value, *((str(value),) if value is not None else ())}:
        text = without(text, name)
    return text


def _person(engine: Engine, place: Place, subject: Subject, request: str = "") -> Person | None:
    """Who is meant, as that system knows them; None where the flow would never write such a one."""
    keys = engine.facilities.keys
    again = keyed_hash(f"erase\0{request}\0{place.key}", keys.tenant_hash_key(place.key.tenant))[:32]
    if place.source:
        return Person(place.column, subject.value, again=again)
    value = value_at(place, subject, keys)
    return None if value is None else Person(place.field, value, place.item.flow.target_key == (place.field,), again)


@contextmanager
def _opened(engine: Engine, place: Place) -> Iterator[Destination | SubjectRequests]:
    """The system of a place, and evidence of the secrets that it was opened with."""
    facilities = engine.facilities
    opener = engine.opener(place.item, engine.applied(), facilities.settings, engine.resolve, facilities.keep)
    opener.ledgers = ledgers(facilities)
    try:
        with closing(opener.subjects(place.side) or opener.destination()) as end:
            yield end
    finally:
        facilities.recorder.record(facilities.recorder.secret_uses(place.key, opener.secrets.names))
