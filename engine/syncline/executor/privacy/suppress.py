"""Suppressing people who were erased, and lifting that again; evidence has who did it, and why, but not whom."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from syncline.executor.batches.suppressor import Marks, aad, opened
from syncline.executor.privacy.subjects import value_at
from syncline.model.errors import Invalid
from syncline.model.event import Action, rfc3339
from syncline.model.key import ObjectKey
from syncline.model.suppression import Suppression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncline.executor.privacy.subjects import Place
    from syncline.executor.services.facilities import Facilities
    from syncline.model.erasure import Erasure
    from syncline.model.subject import Subject


def suppress(facilities: Facilities, request: Erasure, places: Sequence[Place], subject: Subject) -> None:
    """
    Has runs set aside, from now on, what sources still have of a person: by the value that was given, and by what each
    place writes of it. Durable, and in the log, when it returns.
    """
    keys, book, tenant = facilities.keys, facilities.store.suppressions(), request.tenant
    found = book.find(request.id)
    if found is not None and found.lifted:
        return  # somebody lifted it while the request was open
    texts = {subject.value}
    texts |= {str(value) for place in places if (value := value_at(place, subject, keys)) is not None}
    known = found or book.about(tenant, request.subject)
    before = opened(keys, known) if known is not None else None
    data = Marks.of(keys.tenant_hash_key(tenant), subject.kind).dumps(texts, before)
    if data == before:
        return
    id_ = known.id if known is not None else request.id
    since = known.since if known is not None else rfc3339()
    sealed = keys.seal(tenant, data, aad(id_))
    book.put(Suppression(id_, tenant, subject.kind, request.subject, since, sealed))
    recorder, key = facilities.recorder, ObjectKey.of_tenant(tenant)
    recorder.record([recorder.event(Action.privacy_suppress, key=key, request=id_, subject=request.subject)])


def lift(facilities: Facilities, request: str, by: str, reason: str) -> Suppression:
    """Lets a person come back, and forgets by what they are told; `Invalid` (SYN850) where nobody is suppressed."""
    book = facilities.store.suppressions()
    found = book.find(request)
    if found is None or found.lifted:
        raise Invalid(
            f"nobody is suppressed by request {request!r}",
            code="SYN850",
            help="`syncline privacy suppressions` lists who is.",
        )
    recorder, key = facilities.recorder, ObjectKey.of_tenant(found.tenant)
    event = recorder.event(Action.privacy_lift, key=key, request=request, subject=found.subject, by=by, reason=reason)
    recorder.record([event])
    done = replace(found, sealed=None, lifted=rfc3339(), by=by, reason=reason)
    book.put(done)
    return done
