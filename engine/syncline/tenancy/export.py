"""Everything that is a tenant's, in one archive: state, rejects, versions of manifests, and its part of the log.

The log is shared, so that only the tenant's own entries are in it, each with the proof that it is in the log.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from importlib.resources import files
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from msgspec import to_builtins

from syncline.audit import checkpoint as checkpoints
from syncline.audit import tiles, tree
from syncline.audit.fetch import DirectoryFetcher, node_reader, read_entries
from syncline.audit.log_signer import load_signer
from syncline.executor.batches import at_rest
from syncline.executor.batches.rejects import rejects_of
from syncline.executor.flows import sealed_ledger
from syncline.executor.flows.former import in_git, versions
from syncline.model.errors import SynclineError
from syncline.model.event import Action, rfc3339
from syncline.model.key import ObjectKey
from syncline.tenancy.archive import Archive, digest_of, writing

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.executor.services.facilities import Facilities

EXPORTED: Final = "urn:syncline:attestation:tenant-export:v1"

#: What says that a record was erased with its key.
_DESTROYED: Final = "SYN823"

_README: Final = """\
Everything that Syncline had of tenant {tenant}, of the state {lineage}

Verify it on any machine with Python 3.9 or later:

    pip install cryptography
    python verify.py --key '...'

with the log's public key as you were given it by another way than this archive.

  state/*.jsonl         rows of the state, a file a table: runs with receipts, positions, counters, messages
  rejects.jsonl         records that runs set aside, in the clear
  manifests.jsonl       every version of the tenant's manifests in Git, with its commit
  audit/entries.jsonl   the tenant's entries of the audit log, each with the proof that it is in the log
  audit/checkpoint      size and root of the log, signed (C2SP tlog-checkpoint)
  evidence.dsse.json    every file here with its digest, signed (DSSE, in-toto Statement)

Values of secrets and stored tokens are not in it.
"""


def export(facilities: Facilities, tenant: str, path: Path, recipients: tuple[str, ...]) -> tuple[str, int]:
    """Writes the archive; its SHA-256, and how many rows, records, versions and entries are in it."""
    settings, store = facilities.settings, facilities.store
    key = load_signer(settings)
    counts: dict[str, int] = {}
    with writing(path, recipients) as archive:
        readme = _README.format(tenant=tenant, lineage=store.lineage)
        archive.write("README.txt", [readme.encode()])
        archive.write("verify.py", [files("syncline.audit").joinpath("offline_verifier.py").read_bytes()])
        archive.write("log.pub", [f"{key.verifier}\n".encode()])
        for table, rows in groupby(store.tenants().rows(tenant), key=itemgetter(0)):
            clear = (_clear(facilities, tenant, table, row) for _, row in rows)
            counts[f"state/{table}"] = archive.lines(f"state/{table}.jsonl", clear)
        counts["rejects"] = archive.lines("rejects.jsonl", _rejects(facilities, tenant))
        counts["manifests"] = archive.lines("manifests.jsonl", versions(settings.root, tenant) if in_git(store) else ())
        counts["entries"] = _entries(facilities, tenant, archive)
        about = {"tenant": tenant, "lineage": store.lineage, "made": rfc3339(), "counts": counts}
        archive.sign(EXPORTED, about, key)
    return digest_of(path), sum(counts.values())


def _clear(facilities: Facilities, tenant: str, table: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row of the state without seals: its key is destroyed soon."""
    if table in {"write_marks", "write_records"}:
        return sealed_ledger.exported(facilities.keys, tenant, table, row)
    return at_rest.exported(facilities.keys, tenant, table, row)


def _rejects(facilities: Facilities, tenant: str) -> Iterator[dict[str, Any]]:
    """Records that runs set aside; where their key was destroyed, a line says so."""
    store = facilities.store
    for run in store.tenants().runs(tenant):
        record = store.run(run)
        if record is None:
            continue
        try:
            for reject in rejects_of(store, facilities.keys, record.key, run):
                yield {"run": run, "object": str(record.key), **to_builtins(reject)}
        except SynclineError as error:
            if error.code != _DESTROYED:  # what can't be read now may be readable later, while there is a key
                raise
            yield {"run": run, "object": str(record.key), "problem": f"{error.code} {error.message}"}


def _entries(facilities: Facilities, tenant: str, archive: Archive) -> int:
    fetcher = DirectoryFetcher(facilities.settings.audit)
    note = fetcher.fetch(tiles.CHECKPOINT)
    size = checkpoints.unverified(note).size
    archive.write("audit/checkpoint", [note])
    nodes = node_reader(fetcher, size)

    def lines() -> Iterator[dict[str, Any]]:
        for index, entry in enumerate(read_entries(fetcher, size)):
            if is_about(entry, tenant):
                steps = [base64.b64encode(step).decode() for step in tree.prove_inclusion(index, size, nodes)]
                yield {"index": index, "entry": entry.decode(), "steps": steps}

    return archive.lines("audit/entries.jsonl", lines())


def is_about(entry: bytes, tenant: str) -> bool:
    """
    Whether an entry of the log is a tenant's, or is needed to verify it: a change of the key that signs the log. Others
    aren't even parsed.
    """
    rotates = Action.key_rotate.value.encode() in entry
    if not rotates and tenant.encode() not in entry:
        return False
    event = json.loads(entry)
    if rotates and event["unmapped"]["details"].get("purpose") == "audit":
        return True
    about = str(event["unmapped"].get("object") or "")
    own = event["metadata"].get("tenant_uid") == tenant or about.startswith(f"{tenant}/")
    return own or about == str(ObjectKey.of_tenant(tenant))
