"""An evidence bundle: a zip that an auditor can verify with a script of one file, without Syncline and without network.

Deterministic: the same log and selection give the same bytes.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import BinaryIO, Final

from syncline.audit import tiles
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.fetch import Fetcher, fetch_tile, read_entries
from syncline.audit.note import VerifierKey
from syncline.audit.prove import prove_entry
from syncline.audit.tiles import ENTRIES

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: members carry no time of their own

_README: Final = """\
Evidence from the audit log {origin}
{entries} entries, up to number {last}

Verify it on any machine with Python 3.9 or later:

    pip install cryptography
    python verify.py

The script is short and meant to be read. It checks the signature of `checkpoint`, recomputes all hashes
from the entries and compares them with the signed root, and checks each proof in `proofs/`.

`log.pub` is the log's public key as this bundle's maker states it:

    {key}

Compare it with the one you were given by another way, or pass that one: python verify.py --key '...'

  entries.jsonl     the entries, one a line, in order: OCSF events as canonical JSON (RFC 8785)
  checkpoint        size and root hash of the log, signed (C2SP tlog-checkpoint)
  tile/             hashes and entries of the log (C2SP tlog-tiles)
  proofs/           for single entries, a proof that stands alone (C2SP tlog-proof)

What it shows: nothing in these entries was changed, removed or inserted since the checkpoint was signed.
What it does not show: that the log was told everything, or that its key was not used for a second log.
"""


def export(fetcher: Fetcher, key: VerifierKey, out: BinaryIO, proofs: Sequence[int] = ()) -> Checkpoint:
    """Write the bundle of the log as it is now, with a proof for each entry number in `proofs`.

    The log is copied, not verified: evidence of damage is evidence as well. Raises FileNotFoundError or Malformed when
    a part is missing or cannot be read, Invalid for an entry number that the log does not have.
    """
    note = fetcher.fetch(tiles.CHECKPOINT)
    head = Checkpoint.parse(note.decode().rpartition("\n\n")[0] + "\n")
    proven = {index: prove_entry(fetcher, index)[1].encode() for index in sorted(set(proofs))}
    readme = _README.format(origin=head.origin, entries=head.size, last=head.size - 1, key=key)
    script = files("syncline.audit").joinpath("offline_verifier.py").read_bytes()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        _add(bundle, "README.txt", readme.encode())
        _add(bundle, "verify.py", script)
        _add(bundle, "log.pub", f"{key}\n".encode())
        _add(bundle, tiles.CHECKPOINT, note)
        for path, data in _parts(fetcher, head.size):
            _add(bundle, path, data)
        with bundle.open(_member("entries.jsonl"), "w") as lines:
            for entry in read_entries(fetcher, head.size):
                lines.write(entry + b"\n")
        for index, proof in proven.items():
            _add(bundle, f"proofs/{index}.tlog-proof", proof)
    return head


def _parts(fetcher: Fetcher, size: int) -> Iterator[tuple[str, bytes]]:
    for level in (*tiles.levels_of(size), ENTRIES):
        for tile in tiles.tiles_at(level, size):
            yield tile.path, fetch_tile(fetcher, tile)[1]


def _add(bundle: zipfile.ZipFile, name: str, data: bytes) -> None:
    bundle.writestr(_member(name), data)


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    member.create_system = 3
    return member
