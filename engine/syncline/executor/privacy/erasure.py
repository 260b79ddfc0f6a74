"""Erasing a person, and exporting what there is of one: place after place, so that a kill anywhere is gone on from.

A place is noted with what was found before anything is deleted, and as erased when nothing is left; the same request
again takes up the places that are open. No run of a flow, or of another that writes to its table, is under way
meanwhile. What a request did is certified by a signed note, whose digest is in the audit log.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from syncline.audit import canonical_json, note
from syncline.executor.batches.holds import holds_over, writers_of
from syncline.executor.batches.holds import told as told_hold
from syncline.executor.batches.rejects import shown
from syncline.executor.flows.rows_left import led_since
from syncline.executor.image_keys import destroy_images
from syncline.executor.privacy.subject_ends import Rows, erase_rows, rows_of, without_name
from syncline.executor.privacy.subject_notes import erase_notes
from syncline.executor.privacy.subjects import erase_rejects, rejects_about, subject_hash
from syncline.executor.privacy.suppress import suppress
from syncline.executor.privacy.unsearched import reach
from syncline.executor.services.facilities import signer_for
from syncline.executor.start import new_run_id
from syncline.model.erasure import SETTLED, Erasure, ErasurePlace
from syncline.model.errors import Invalid, SynclineError
from syncline.model.event import Action, EventOutcome, rfc3339
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.executor.engine import Engine
    from syncline.executor.privacy.subjects import Place
    from syncline.executor.privacy.unsearched import Unsearched
    from syncline.executor.services.facilities import Facilities
    from syncline.model.subject import Subject
    from syncline.sdk.subject_requests import Acknowledged
    from syncline.state.store import StateStore

#: What the key that signs certificates is for.
PURPOSE: Final = "privacy"
_BY_HAND: Final = "find the person there by hand, and acknowledge it"
#: What is said of a place before its API is asked.
_BY_REQUESTS: Final = "by requests to the API"


class Held(Struct, frozen=True):
    """What there is of a person at one place: rows as they are, and records that runs set aside."""

    key: ObjectKey
    to: str
    field: str
    rows: tuple[dict[str, Any], ...]
    rejects: tuple[str, ...]
    problem: str = ""
    unable: str = ""
    asked: bool = False


def export(engine: Engine, tenant: str, subject: Subject) -> tuple[Held, ...]:
    """
    Everything that there is of a person, by flow, and which flows can't be searched; evidence says that it was taken,
    with how many rows.
    """
    looked = reach(engine, tenant, subject.kind, dt.datetime.now(dt.UTC).date())
    found = (
        *(_held(engine, place, subject) for place in looked.places),
        *(Held(one.key, one.to, "", (), (), one.why, one.why) for one in looked.others),
    )
    recorder, who = engine.facilities.recorder, subject_hash(engine.facilities.keys, tenant, subject)
    recorder.record(
        [
            recorder.event(
                Action.privacy_export,
                key=held.key,
                subject=who,
                kind=subject.kind,
                rows=len(held.rows),
                rejects=len(held.rejects),
            )
            for held in found
        ]
    )
    return found


def _held(engine: Engine, place: Place, subject: Subject) -> Held:
    found, problem = Rows(), ""
    try:
        found = rows_of(engine, place, subject)
        problem = found.unable
    except SynclineError as error:
        problem = without_name(engine, place, subject, f"{error.code} {error.told}")
    rejects = tuple(shown(reject).record for reject in rejects_about(engine, place, subject))
    return Held(place.key, place.to, place.column, found.rows, rejects, problem, found.unable, asked=found.asked)


def expect(engine: Engine, tenant: str, subject: Subject, today: dt.date) -> Erasure:
    """What a request would find now; nothing is changed or kept."""
    who = subject_hash(engine.facilities.keys, tenant, subject)
    looked = reach(engine, tenant, subject.kind, today)
    places = (
        *(_found(engine, place, subject, today) for place in looked.places),
        *(_open(one) for one in looked.others),
    )
    return Erasure("", tenant, subject.kind, who, rfc3339(), places=places)


def erase(
    engine: Engine, tenant: str, subject: Subject, today: dt.date, told: Callable[[ErasurePlace], None]
) -> Erasure:
    """
    Erases a person at every place that can do it and that no hold covers; goes on with a request that was not finished.
    Runs that begin from now on set aside what sources still have.

    What keeps a place from it is noted there, and the others are done all the same. What can't be searched is open.
    """
    facilities = engine.facilities
    book, who = facilities.store.erasures(), subject_hash(facilities.keys, tenant, subject)
    looked = reach(engine, tenant, subject.kind, today)
    request = book.unfinished(tenant, who)
    if request is None:
        request = Erasure(new_run_id(), tenant, subject.kind, who, rfc3339())
        book.put(request)
    suppress(facilities, request, looked.places, subject)
    before = {place.key: place for place in request.places}
    for place in looked.places:
        known = before.get(place.key)
        if _is_done(facilities, request, known, place.flow):
            continue
        done = _erased(engine, request, place, subject, today, known)
        before[place.key] = done
        told(done)
    for one in looked.others:
        known = before.get(one.key)
        if not _is_done(facilities, request, known, one.key):
            before[one.key] = _noted(facilities, request, _open(one, known))
            told(before[one.key])
    _uncover(facilities, request)
    return _settled(facilities, replace(request, places=tuple(before[key] for key in sorted(before))))


def _is_done(facilities: Facilities, request: Erasure, known: ErasurePlace | None, flow: ObjectKey) -> bool:
    """Whether a place is settled, and still what it was: its flow may have been led to another table meanwhile."""
    if known is None or known.state not in SETTLED - {"held"}:
        return False
    return known.key != flow or not led_since(facilities.store, flow, request.begun)


def _uncover(facilities: Facilities, request: Erasure) -> None:
    """Has copies of the key folder open nothing of what was destroyed, where its key isn't in such a copy itself."""
    remains = facilities.keys.renew_parts(request.tenant)
    recorder = facilities.recorder
    event = recorder.event(
        Action.key_rotate,
        key=ObjectKey.of_tenant(request.tenant),
        purpose="parts",
        request=request.id,
        place=facilities.keys.cover_place(request.tenant).partition(":")[0],
        remains="; ".join(remains),
    )
    recorder.record([event])


def acknowledge(facilities: Facilities, request: str, key: ObjectKey, by: str, message: str) -> Erasure:
    """Notes that somebody did by hand what a request left open at a place; `Invalid` (SYN844) where nothing is."""
    found = find(facilities, request)
    place = next((place for place in found.places if place.key == key), None)
    if place is None or place.state in SETTLED:
        raise Invalid(
            f"request {request} has nothing open at {key}",
            code="SYN844",
            help="`syncline privacy show REQUEST` lists its places.",
        )
    done = replace(place, state="acknowledged", message=f"{by}: {message}")
    event = facilities.recorder.event(Action.privacy_acknowledge, key=key, request=request, by=by, reason=message)
    facilities.recorder.record([event])
    places = tuple(done if p.key == key else p for p in found.places)
    return _settled(facilities, replace(found, places=places))


def find(facilities: Facilities, request: str) -> Erasure:
    """A request by its id; `Invalid` (SYN844) where there is none."""
    return lookup(facilities.store, request)


def lookup(store: StateStore | None, request: str) -> Erasure:
    """A request by its id, of a state; `Invalid` (SYN844) where there is none."""
    found = store.erasures().find(request) if store is not None else None
    if found is None:
        raise Invalid(f"there is no request {request!r}", code="SYN844", help="`syncline privacy list` shows them.")
    return found


def certificate(facilities: Facilities, request: Erasure) -> bytes:
    """A signed note (C2SP signed-note) of what became of a request; it has no personal data."""
    return note.sign(_text(request), [signer_for(facilities, PURPOSE)])


def read_certificate(data: bytes, key: str) -> dict[str, Any]:
    """What a certificate says; `Invalid` (SYN845) where the key (a C2SP verifier key) didn't sign it."""
    try:
        text = note.verify(data, [note.VerifierKey.parse(key)]).text
        found = json.loads(text)
        if not isinstance(found, dict) or found.get("type") != "syncline/erasure/v1":
            raise ValueError("it certifies something else")
    except ValueError as error:
        raise Invalid(
            f"this is no certificate that the key signed: {error}",
            code="SYN845",
            help="`syncline privacy key` prints the key of the state that issued it.",
        ) from None
    return found


def _text(request: Erasure) -> str:
    return canonical_json.dumps(request.to_json()).decode() + "\n"


def _found(engine: Engine, place: Place, subject: Subject, today: dt.date) -> ErasurePlace:
    """A place as it is before anything is done there."""
    held = _held(engine, place, subject)
    about = ErasurePlace(place.key, place.to, place.column, "begun", len(held.rows), len(held.rejects))
    holds = holds_over(engine.applied(), place.item, engine.facilities.settings.root, today, reading=place.source)
    if reasons := "; ".join(map(told_hold, holds)):
        return replace(about, state="held", message=reasons)
    if held.unable:
        return replace(about, state="open", message=f"{held.unable}: {_BY_HAND}")
    if held.problem:
        return replace(about, state="failed", message=held.problem)
    return replace(about, message=_BY_REQUESTS if held.asked else "")


def _erased(
    engine: Engine,
    request: Erasure,
    place: Place,
    subject: Subject,
    today: dt.date,
    known: ErasurePlace | None,
) -> ErasurePlace:
    facilities = engine.facilities
    book = facilities.store.erasures()
    try:
        with ExitStack() as leases:
            lease = leases.enter_context(facilities.store.lease(place.lease, ""))
            if not place.source:  # whose images of the table go as well
                for other in writers_of(engine.applied(), place.item, facilities.settings.root):
                    if other != place.flow:
                        leases.enter_context(facilities.store.lease(f"run/{other}", ""))
            found = _found(engine, place, subject, today)
            if known is not None:
                found = replace(found, rows=max(found.rows, known.rows), rejects=max(found.rejects, known.rejects))
            book.put(replace(request, places=(found,)))  # durable before anything goes
            if found.state != "held":
                erase_rejects(engine, place, subject)
                erase_notes(engine, place, subject)
            if found.state == "begun":
                found = _after(found, erase_rows(engine, place, subject, lease, request.id))
                if not place.source:
                    destroy_images(engine, place.item)
    except SynclineError as error:
        base = known or ErasurePlace(place.key, place.to, place.column, "failed")
        message = without_name(engine, place, subject, f"{error.code} {error.told}")
        found = replace(base, state="failed", message=message)
    return _noted(facilities, request, found)


def _noted(facilities: Facilities, request: Erasure, found: ErasurePlace) -> ErasurePlace:
    """A place as it is now, kept, and in the log."""
    outcome = {"failed": EventOutcome.failure, "held": EventOutcome.denied}.get(found.state, EventOutcome.success)
    event = facilities.recorder.event(
        Action.privacy_erase,
        outcome=outcome,
        key=found.key,
        request=request.id,
        subject=request.subject,
        state=found.state,
        rows=found.rows,
        rejects=found.rejects,
        acknowledged=found.message if found.state in {"erased", "asked"} else "",
    )
    facilities.recorder.record([event])
    facilities.store.erasures().put(replace(request, places=(found,)))
    return found


def _open(one: Unsearched, known: ErasurePlace | None = None) -> ErasurePlace:
    """A place that isn't searched; what is known of it, from when it was, stays."""
    place = known or ErasurePlace(one.key, one.to, "", "open")
    return replace(place, state="held" if one.held else "open", message=one.held or one.why)


def _after(found: ErasurePlace, said: Acknowledged) -> ErasurePlace:
    """A place after its deletes, with what an API acknowledged."""
    found = replace(found, rows=max(found.rows, said.rows), message=said.words)
    if said.left:
        return replace(found, state="failed", message=f"{said.left:,} rows are still there, or came meanwhile")
    return replace(found, state="asked" if said.later else "erased")


def _settled(facilities: Facilities, request: Erasure) -> Erasure:
    """The request as it stands now, kept; the log has the digest of the certificate of one that is complete."""
    if request.complete:
        request = replace(request, finished=rfc3339())
        digest = hashlib.sha256(_text(request).encode()).hexdigest()
        recorder = facilities.recorder
        recorder.record(
            [
                recorder.event(
                    Action.privacy_erase,
                    key=ObjectKey.of_tenant(request.tenant),
                    request=request.id,
                    subject=request.subject,
                    certificate=digest,
                )
            ]
        )
    facilities.store.erasures().put(request)
    return request
