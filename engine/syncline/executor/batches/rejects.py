"""
Rejects at rest: sealed a batch at a time with a key of their run, opened one batch at a time.

Erasing somebody from a run's rejects seals what is left with a new key, of the next generation, and destroys the former
ones: what backups have of the run can't be read any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from syncline.model.run import PAGE, Reject
from syncline.sdk.source import TOMBSTONE
from syncline.state.store import SealedRejects

if TYPE_CHECKING:
    from syncline.model.errors import SynclineError
    from syncline.model.key import ObjectKey
    from syncline.model.sample import Sample
    from syncline.secrets.keys.ring import KeyRing
    from syncline.state.store import StateReader

#: The sequence that a run's sample is kept under. Batches count from 1, so that it stays while a run is continued.
_SAMPLE = 0


#: What a blob begins with; its generation follows, in four bytes. One without is sealed with the tenant's key.
_MAGIC: Final = b"SYR1"
_HEAD: Final = len(_MAGIC) + 4


def part_of(run: str, generation: int) -> str:
    """What the key of a run's rejects is for."""
    return f"rejects/{run}/{generation}"


def generation_of(sealed: SealedRejects) -> int:
    """The generation of the key that sealed a batch; -1 for the tenant's."""
    return int.from_bytes(sealed.blob[len(_MAGIC) : _HEAD]) if sealed.blob.startswith(_MAGIC) else -1


def sealed_part(run: str, blob: bytes) -> tuple[str, bytes]:
    """The part whose key sealed a blob that is kept of a run ('' for the tenant's key), and what that sealed."""
    if not blob.startswith(_MAGIC):
        return "", blob
    return part_of(run, int.from_bytes(blob[len(_MAGIC) : _HEAD])), blob[_HEAD:]


def destroy_keys(keys: KeyRing, key: ObjectKey, run: str, below: int) -> int:
    """Destroys the keys of a run's rejects of generations below one; how many there were."""
    return sum(keys.destroy(key.tenant, part_of(run, generation)) for generation in range(below))


def _path(run: str, sequence: int) -> str:
    return f"rejects/{run}/{sequence}"


def seal(
    keys: KeyRing, key: ObjectKey, run: str, sequence: int, rejects: Sequence[Reject], generation: int = 0
) -> SealedRejects:
    """Encrypts the rejects of one batch; what stays readable is how many there are, and how many broke which rule."""
    plain = msgspec.json.encode(rejects)
    reasons = (reason for reject in rejects for reason in reject.reasons)
    rules = Counter(f"{r.field}: {r.rule}" if r.field else r.rule for r in reasons)
    sealed = keys.envelope(key.tenant, part_of(run, generation)).seal(plain, _path(run, sequence))
    blob = b"".join((_MAGIC, generation.to_bytes(4), sealed))
    return SealedRejects(run, sequence, len(rejects), dict(sorted(rules.items())), blob)


def seal_sample(keys: KeyRing, key: ObjectKey, run: str, error: SynclineError, sample: Sample) -> SealedRejects:
    """Encrypts the sample of the answer that ended a run; the next one that ends the same run takes its place."""
    found = Reject(sample.request, "", PAGE, sample.body[:200], error.message, sample.to_json())
    return seal(keys, key, run, _SAMPLE, (found,))


def unseal(keys: KeyRing, key: ObjectKey, sealed: SealedRejects) -> tuple[Reject, ...]:
    """Decrypts them; an altered blob, or another's, is refused."""
    generation, blob = generation_of(sealed), sealed.blob
    if generation < 0:
        envelope = keys.envelope(key.tenant)
    else:
        envelope, blob = keys.opening(key.tenant, part_of(sealed.run, generation)), blob[_HEAD:]
    plain = envelope.open(blob, _path(sealed.run, sealed.sequence))
    return msgspec.json.decode(plain, type=tuple[Reject, ...])


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
