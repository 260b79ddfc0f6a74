"""An evidence bundle: a zip that an auditor can verify with a script of one file, without Syncline and without network.

Deterministic: the same log and selection give the same bytes.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib.resources import files
from itertools import chain
from typing import BinaryIO, Final

from syncline.audit import tiles
from syncline.audit.checkpoint import Checkpoint, unverified
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
  cosigned          the newest checkpoint that witnesses cosigned, where there is one (C2SP tlog-cosignature)
  witnesses.policy  which witnesses must have, as this bundle's maker states it (C2SP tlog-policy)

What it shows: nothing in these entries was changed, removed or inserted since the checkpoint was signed.
What it does not show: that the log was told everything, or, without witnesses or a checkpoint that you kept
(--since), that its key was not used for a second log.
"""


def export(
    fetcher: Fetcher, key: VerifierKey, out: BinaryIO, proofs: Sequence[int] = (), policy: bytes | None = None
) -> Checkpoint:
    """Write the bundle of the log as it is now, with a proof for each entry number in `proofs`.

    `policy` says which witnesses must have cosigned. The log is copied, not verified: evidence of damage is evidence as
    well. Raises FileNotFoundError or Malformed when a part is missing or cannot be read, Invalid for an entry number
    that the log does not have.
    """
    head = head_of(fetcher)
    readme = _README.format(origin=head.origin, entries=head.size, last=head.size - 1, key=key)
    write_zip(out, chain([("README.txt", readme.encode())], files_of(fetcher, key, head, proofs, policy)))
    return head


def head_of(fetcher: Fetcher) -> Checkpoint:
    """The log's checkpoint as it is now, not verified."""
    return unverified(fetcher.fetch(tiles.CHECKPOINT))


def files_of(
    fetcher: Fetcher, key: VerifierKey, head: Checkpoint, proofs: Sequence[int], policy: bytes | None
) -> Iterator[tuple[str, bytes]]:
    """The files that an auditor needs of a log: entries, hashes, checkpoints, key, proofs and the verifier."""
    proven = {index: prove_entry(fetcher, index)[1].encode() for index in sorted(set(proofs))}
    yield "verify.py", files("syncline.audit").joinpath("offline_verifier.py").read_bytes()
    yield "log.pub", f"{key}\n".encode()
    yield tiles.CHECKPOINT, fetcher.fetch(tiles.CHECKPOINT)
    with suppress(FileNotFoundError):
        yield tiles.COSIGNED, fetcher.fetch(tiles.COSIGNED)
    if policy is not None:
        yield "witnesses.policy", policy
    yield from _parts(fetcher, head.size)
    yield "entries.jsonl", b"".join(entry + b"\n" for entry in read_entries(fetcher, head.size))
    for index, proof in proven.items():
        yield f"proofs/{index}.tlog-proof", proof


def write_zip(out: BinaryIO, members: Iterable[tuple[str, bytes]]) -> None:
    """Write files into a zip that has no times of its own: the same files give the same bytes."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in members:
            bundle.writestr(_member(name), data)


def _parts(fetcher: Fetcher, size: int) -> Iterator[tuple[str, bytes]]:
    for level in (*tiles.levels_of(size), ENTRIES):
        for tile in tiles.tiles_at(level, size):
            yield tile.path, fetch_tile(fetcher, tile)[1]


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    member.create_system = 3
    return member
