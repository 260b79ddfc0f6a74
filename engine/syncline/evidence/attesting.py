"""Attests a run: a signed in-toto Statement of what the log says of it, noted in the log, as a Sigstore bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from syncline.audit import attestation, dsse, sigstore, tiles
from syncline.audit import checkpoint as checkpoints
from syncline.audit.attestation import Logged
from syncline.audit.dsse import Envelope
from syncline.audit.fetch import DirectoryFetcher, Fetcher, read_entries
from syncline.audit.log import encode_event
from syncline.audit.log_signer import load_signer
from syncline.audit.prove import prove_entry
from syncline.executor.services.facilities import open_facilities
from syncline.model.errors import Bug
from syncline.model.event import Action, Detail, EventOutcome, digest, from_ocsf
from syncline.model.key import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.audit.note import Signer, VerifierKey
    from syncline.settings import Settings
    from syncline.state.store import RunRecord


class Attested(Struct, frozen=True):
    """A signed envelope, and the entry of the log that notes it."""

    envelope: Envelope
    entry: bytes


def attest(settings: Settings, record: RunRecord) -> tuple[Envelope, bytes]:
    """Attests one run; the envelope and its bundle. `Invalid` (SYN911) where the log doesn't tell of its end."""
    (made,) = attest_each(settings, [record])
    return made


def attest_each(settings: Settings, records: Sequence[RunRecord]) -> list[tuple[Envelope, bytes]]:
    """Attests runs, all noted in the log together."""
    key, fetcher = load_signer(settings), DirectoryFetcher(settings.audit)
    noted = []
    with open_facilities(settings) as facilities:
        for record in records:
            destination = str((record.receipt or {}).get("destination") or record.key)
            made = envelope_of_run(fetcher, key, record.id, destination)
            event = facilities.recorder.event(
                Action.run_attest, key=record.key, run=record.id, statement=digest(made.payload)
            )
            noted.append(Attested(made, encode_event(event, sigstore.rekor_body(made, key.verifier))))
        facilities.recorder.append([one.entry for one in noted])
    return [(one.envelope, bundle_of(fetcher, key.verifier, one)) for one in noted]


def attest_statement(
    settings: Settings,
    statement: Mapping[str, Any],
    action: Action,
    tenant: str,
    outcome: EventOutcome,
    details: Mapping[str, Detail],
) -> bytes:
    """Signs a statement about a tenant, which the log notes with its digest; its bundle, with the proof of that."""
    key, fetcher = load_signer(settings), DirectoryFetcher(settings.audit)
    made = dsse.sign(attestation.PAYLOAD, attestation.encode(statement), key)
    with open_facilities(settings) as facilities:
        event = facilities.recorder.event(action, outcome=outcome, key=ObjectKey.of_tenant(tenant))
        event = replace(event, tenant=tenant, details={"statement": digest(made.payload), **details})
        noted = Attested(made, encode_event(event, sigstore.rekor_body(made, key.verifier)))
        facilities.recorder.append([noted.entry])
    return bundle_of(fetcher, key.verifier, noted)


def envelope_of_run(fetcher: Fetcher, key: Signer, run: str, destination: str) -> Envelope:
    """The signed statement about a run, from the log; notes nothing."""
    size = checkpoints.verify(fetcher.fetch(tiles.CHECKPOINT), key.verifier.name, [key.verifier]).size
    found = attestation.entries_of_run(entries_about(fetcher, size, run), run)
    made = attestation.statement(found, run, key.verifier.name, destination)
    return dsse.sign(attestation.PAYLOAD, attestation.encode(made), key)


def bundle_of(fetcher: Fetcher, key: VerifierKey, noted: Attested) -> bytes:
    """The bundle of an envelope that the log notes, with the proof that it does."""
    head = checkpoints.verify(fetcher.fetch(tiles.CHECKPOINT), key.name, [key])
    index = next((i for i, entry in _numbered(fetcher, head.size) if entry == noted.entry), None)
    if index is None:
        raise Bug("the log lacks an attestation that was just recorded")
    entry, proof = prove_entry(fetcher, index)
    proved = checkpoints.verify(proof.note, key.name, [key])
    return sigstore.encode(sigstore.bundle(noted.envelope, key, entry, proof, proved.size, proved.root))


def logged(index: int, entry: bytes) -> Logged:
    """An entry with its event."""
    event: Mapping[str, Any] = json.loads(entry)
    return Logged(index, entry, from_ocsf(event))


def entries_about(fetcher: Fetcher, size: int, run: str) -> Iterator[Logged]:
    """Entries that may be about a run. Others aren't even parsed: a log may have millions."""
    words = (run.encode(), Action.policy_decision.value.encode())
    for index, entry in _numbered(fetcher, size):
        if any(word in entry for word in words):
            yield logged(index, entry)


def _numbered(fetcher: Fetcher, size: int) -> Iterator[tuple[int, bytes]]:
    return enumerate(read_entries(fetcher, size))
