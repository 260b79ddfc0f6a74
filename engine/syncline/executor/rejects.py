"""Rejects at rest: sealed a batch at a time with the tenant's key, opened one batch at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import msgspec

from syncline.model.run import PAGE, Reject
from syncline.sdk.source import TOMBSTONE
from syncline.state.store import SealedRejects

if TYPE_CHECKING:
    from syncline.model.errors import SynclineError
    from syncline.model.key import ObjectKey
    from syncline.model.sample import Sample
    from syncline.secrets.ring import KeyRing
    from syncline.state.store import StateReader

#: The sequence that a run's sample is kept under. Batches count from 1, so that it stays while a run is continued.
_SAMPLE = 0


def _path(run: str, sequence: int) -> str:
    return f"rejects/{run}/{sequence}"


def seal(keys: KeyRing, key: ObjectKey, run: str, sequence: int, rejects: Sequence[Reject]) -> SealedRejects:
    """Encrypts the rejects of one batch; what stays readable is how many there are, by field and rule."""
    plain = json.dumps([asdict(r) for r in rejects], ensure_ascii=False, separators=(",", ":")).encode()
    rules = Counter(f"{r.field}: {r.rule}" if r.field else r.rule for r in rejects)
    blob = keys.seal(key.tenant, plain, _path(run, sequence))
    return SealedRejects(run, sequence, len(rejects), dict(sorted(rules.items())), blob)


def seal_sample(keys: KeyRing, key: ObjectKey, run: str, error: SynclineError, sample: Sample) -> SealedRejects:
    """Encrypts the sample of the answer that ended a run; the next one that ends the same run takes its place."""
    found = Reject(sample.request, "", PAGE, sample.body[:200], error.message, sample.to_json())
    return seal(keys, key, run, _SAMPLE, (found,))


def unseal(keys: KeyRing, key: ObjectKey, sealed: SealedRejects) -> tuple[Reject, ...]:
    """Decrypts them; an altered blob, or another's, is refused."""
    plain = keys.unseal(key.tenant, sealed.blob, _path(sealed.run, sealed.sequence))
    return tuple(Reject(**item) for item in json.loads(plain))


def shown(reject: Reject) -> Reject:
    """A reject as people see it: without the field that tells tombstones, which no source and no manifest has."""
    if TOMBSTONE not in reject.record:
        return reject
    try:
        fields = msgspec.json.decode(reject.record, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return reject
    fields.pop(TOMBSTONE, None)
    record = msgspec.json.encode(fields).decode()
    begins = bool(reject.value) and reject.record.startswith(reject.value)
    return replace(reject, record=record, value=record[: len(reject.value)] if begins else reject.value)


def rejects_of(reader: StateReader, keys: KeyRing, key: ObjectKey, run: str) -> Iterator[Reject]:
    """All rejects of a run as people see them, in the order in which they were read."""
    for sealed in reader.rejects(run):
        yield from map(shown, unseal(keys, key, sealed))
