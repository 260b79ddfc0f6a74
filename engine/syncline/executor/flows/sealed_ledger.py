"""What is remembered of writes to APIs, at rest: sealed with the tenant's key, and found by keyed digests.

A record's key and its values are digests already, but such as anybody can make who guesses a value; its id is the
system's. So the state has a digest of each that needs the tenant's key, and the rest sealed. Where that key was
destroyed nothing is remembered any more: what is written next is written as for the first time.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from syncline.model.errors import Stalled
from syncline.model.ledger import Known, Mark
from syncline.secrets.keys.envelope import DESTROYED

if TYPE_CHECKING:
    from syncline.executor.services.facilities import Facilities
    from syncline.model.ledger import Ledger
    from syncline.secrets.keys.envelope import Envelope
    from syncline.secrets.keys.ring import KeyRing

#: What sealed text begins with. A state of before has it in the clear, which is read, and sealed when it is written.
_SEALED: Final = "sealed:"


def ledgers(facilities: Facilities) -> Callable[[str, str], Ledger]:
    """What is remembered of a tenant's writes to an integration, by the names of both."""
    return lambda tenant, integration: SealedLedger.over(
        facilities.store.ledger(tenant, integration), facilities.keys, tenant
    )


def exported(keys: KeyRing, tenant: str, table: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row of the state's `write_marks` or `write_records` in the clear, but for what a destroyed key had sealed."""
    envelope = keys.opening(tenant, "")
    if table == "write_marks":
        mark = _opened(envelope, Mark(row["epoch"], row["checkpoint"]))
        return row | {"checkpoint": mark.checkpoint or row["checkpoint"]}
    known = _record(envelope, Known(row["id"], row["version"], row["digest"]), row["place"], row["key"])
    return row if known is None else row | {"id": known.id, "version": known.version, "digest": known.digest}


@dataclass(slots=True)
class SealedLedger:
    """See `Ledger`; safe to share between threads as `inner` is."""

    inner: Ledger
    envelope: Envelope
    hash_key: bytes
    _clear: set[tuple[str, str]] = field(default_factory=set)  # places and keys that the state has in the clear

    @classmethod
    def over(cls, inner: Ledger, keys: KeyRing, tenant: str) -> SealedLedger:
        """Over what the state has of a tenant."""
        return cls(inner, keys.envelope(tenant), keys.tenant_hash_key(tenant))

    def mark(self, flow: str) -> Mark | None:
        found = self.inner.mark(flow)
        return None if found is None else _opened(self.envelope, found)

    def begin(self, flow: str, epoch: str) -> Mark:
        return _opened(self.envelope, self.inner.begin(flow, epoch))

    def known(self, place: str, keys: Iterable[str]) -> dict[str, Known]:
        hidden = {self._digest(key): key for key in keys}
        found = self.inner.known(place, hidden.values())
        self._clear.update((place, key) for key in found)
        for name, known in self.inner.known(place, hidden).items():
            if (opened := _record(self.envelope, known, place, name)) is not None:
                found[hidden[name]] = opened
        return found

    def applied(self, flow: str) -> frozenset[str]:
        return self.inner.applied(flow)

    def progress(self, flow: str, place: str, records: Mapping[str, Known], applied: Iterable[str] = ()) -> None:
        self.inner.progress(flow, place, self._sealed(place, records), applied)
        self._forget_clear(place, records)

    def save(self, flow: str, checkpoint: str, place: str, records: Mapping[str, Known]) -> None:
        mark = self.inner.mark(flow)
        sealed = self._text(checkpoint, f"marks/{mark.epoch if mark is not None else ''}")
        self.inner.save(flow, sealed, place, self._sealed(place, records))
        self._forget_clear(place, records)

    def drop(self, place: str, keys: Iterable[str]) -> None:
        known = list(keys)
        self.inner.drop(place, [*known, *map(self._digest, known)])

    def drop_ids(self, place: str, ids: Iterable[str]) -> None:
        known = list(ids)
        self.inner.drop_ids(place, [*known, *map(self._digest, known)])

    def forget(self, flow: str) -> None:
        self.inner.forget(flow)

    def move(self, previous: str, flow: str) -> None:
        self.inner.move(previous, flow)

    def _sealed(self, place: str, records: Mapping[str, Known]) -> dict[str, Known]:
        found = {}
        for key, known in records.items():
            name = self._digest(key)
            said = json.dumps([known.id, known.version, known.digest], ensure_ascii=False)
            found[name] = Known(
                self._digest(known.id) if known.id else "",
                self._text(said, f"records/{place}/{name}"),
                pending=known.pending,
            )
        return found

    def _forget_clear(self, place: str, records: Mapping[str, Known]) -> None:
        if gone := [key for key in records if (place, key) in self._clear]:
            self.inner.drop(place, gone)
            self._clear.difference_update((place, key) for key in gone)

    def _digest(self, text: str) -> str:
        return hmac.digest(self.hash_key, b"ledger\0" + text.encode(), "sha256").hex()[:32]

    def _text(self, text: str, path: str) -> str:
        return _SEALED + base64.b64encode(self.envelope.seal(text.encode(), path)).decode()


def _record(envelope: Envelope, known: Known, place: str, name: str) -> Known | None:
    if not known.version.startswith(_SEALED):
        return known
    text = _clear_text(envelope, known.version, f"records/{place}/{name}")
    if text is None:
        return None
    id_, version, digest = json.loads(text)
    return Known(id_, version, digest, known.pending)


def _opened(envelope: Envelope, mark: Mark) -> Mark:
    if mark.checkpoint is None or not mark.checkpoint.startswith(_SEALED):
        return mark
    return replace(mark, checkpoint=_clear_text(envelope, mark.checkpoint, f"marks/{mark.epoch}"))


def _clear_text(envelope: Envelope, sealed: str, path: str) -> str | None:
    """What was sealed; None where its key was destroyed."""
    try:
        return envelope.open(base64.b64decode(sealed.removeprefix(_SEALED)), path).decode()
    except Stalled as error:
        if error.code != DESTROYED:
            raise
        return None
