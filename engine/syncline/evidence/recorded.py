"""Proves that a record was among those that a run wrote, from the commitments that the run noted and the log."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from syncline.audit import canonical_json, records
from syncline.audit.export import head_of
from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log_signer import load_signer
from syncline.audit.malformed import Malformed
from syncline.audit.prove import prove_entry
from syncline.evidence.attesting import entries_about
from syncline.executor.batches.provable import folder_of, read
from syncline.executor.services.recorder import publish_pending
from syncline.model.errors import Invalid
from syncline.model.event import Action
from syncline.secrets.keys.ring import KeyRing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.settings import Settings
    from syncline.state.store import RunRecord


def prove_record(settings: Settings, record: RunRecord, row: Mapping[str, object]) -> bytes:
    """
    The proof, as canonical JSON: the record with its nonce, the steps to the run's root, the entry of the log that
    states it, and the proof of that. `Invalid` (SYN913) where the run noted no rows, or none of them is this record.
    """
    publish_pending(settings.audit, lambda: load_signer(settings))
    fetcher = DirectoryFetcher(settings.audit)
    found = entries_about(fetcher, head_of(fetcher).size, record.id)
    ends = [one for one in found if one.event.action is Action.run_finish and "records_root" in one.event.details]
    if not ends:
        raise Invalid(f"the rows of run {record.id} aren't noted", code="SYN913", help="Declare evidence: records.")
    end = ends[-1]
    key = KeyRing.look(settings.keys, settings.environ).tenant_hash_key(record.key.tenant)
    assert record.receipt is not None
    try:
        batches = read(folder_of(settings, record.id), record.receipt["batches"])
        proof = records.prove(record.id, records.canonical(row), key, batches)
    except FileNotFoundError:
        raise Invalid(f"what run {record.id} noted of its rows isn't in {settings.home}", code="SYN913") from None
    except Malformed as error:
        raise Invalid(
            str(error),
            code="SYN913",
            help="Give every column as it was written: dates and decimals as texts, bytes in hex.",
        ) from None
    if proof.root.hex() != end.event.details["records_root"]:
        raise Invalid(f"what is noted of the rows of run {record.id} isn't what the log states", code="SYN913")
    _, inclusion = prove_entry(fetcher, end.index)
    more = {"entry": end.entry, "proof": inclusion.encode()}
    return canonical_json.dumps(
        {**proof.to_json(), **{name: base64.b64encode(data).decode() for name, data in more.items()}}
    )
