"""Changes of the key that signs a log, and which key signs at which size.

A change is a checkpoint whose one extension line names the former key and the next, signed by both. It is kept in an
entry of the log, the first one that the next key signs: whoever trusts one of a log's keys finds all others from there,
and a key that the former one didn't name is none of them. A witness takes it like any other checkpoint.
"""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct

from syncline.audit import checkpoint as checkpoints
from syncline.audit import note, tiles, tree
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.fetch import Fetcher, fetch_tile, node_reader
from syncline.audit.malformed import Malformed
from syncline.audit.note import Signer, VerifierKey, read_verifier
from syncline.audit.tiles import ENTRIES, WIDTH, Tile

PREFIX: Final = "syncline/key-change/v1"
_ACTION: Final = "key.rotate"
_PURPOSE: Final = "audit"


class KeyChange(Struct, frozen=True):
    """Up to `head.size` entries are signed by the former key; what comes after, by the next."""

    head: Checkpoint
    former: VerifierKey
    next: VerifierKey
    note: bytes

    @property
    def details(self) -> Mapping[str, str]:
        """What the entry of a change says."""
        return {
            "purpose": _PURPOSE,
            "former": str(self.former),
            "verifier": str(self.next),
            "change": base64.b64encode(self.note).decode(),
        }


def sign(head: Checkpoint, former: Signer, following: Signer) -> KeyChange:
    """The change of keys after a checkpoint, signed by both."""
    line = f"{PREFIX} {former.verifier} {following.verifier}"
    marked = Checkpoint(head.origin, head.size, head.root, (line,))
    return parse(checkpoints.sign(marked, [former, following]))


def parse(data: bytes) -> KeyChange:
    """Read a change strictly; `Malformed` unless both keys that it names signed it, and nobody else."""
    found = note.parse(data)
    head = Checkpoint.parse(found.text)
    words = head.extensions[0].split(" ") if len(head.extensions) == 1 else []
    if len(words) != 3 or words[0] != PREFIX:
        raise Malformed("this checkpoint is no change of keys")
    former, following = read_verifier(words[1]), read_verifier(words[2])
    if not former.name == following.name == head.origin or former == following:
        raise Malformed("a change of keys is from one key of its log to another one")
    if len(found.signatures) != 2:
        raise Malformed("a change of keys has two signatures, by the former key and the next")
    for key in (former, following):
        note.verify(data, [key])
    return KeyChange(head, former, following, data)


def is_change(head: Checkpoint) -> bool:
    """Whether a checkpoint says that it is a change of keys."""
    return any(line.startswith(f"{PREFIX} ") for line in head.extensions)


class KeyHistory(Struct, frozen=True):
    """Which keys sign a log, as those that are trusted vouch for it."""

    trusted: tuple[VerifierKey, ...]
    changes: tuple[KeyChange, ...] = ()

    def at(self, size: int) -> Sequence[VerifierKey]:
        """The keys of which one signs the log's checkpoint of this size."""
        if not self.changes:
            return self.trusted
        return (self.keys[bisect_left([change.head.size for change in self.changes], size)],)

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """All keys, oldest first."""
        return (self.changes[0].former, *(change.next for change in self.changes)) if self.changes else self.trusted

    def verify(self, data: bytes, origin: str | None) -> Checkpoint:
        """A checkpoint that was signed by the key of its size; `Malformed` says what is wrong."""
        return checkpoints.verify(data, origin, self.at(checkpoints.unverified(data).size))


def history(trusted: Sequence[VerifierKey], changes: Sequence[KeyChange]) -> KeyHistory:
    """The history in which each key names the next; `Malformed` where one doesn't, or none of them is trusted."""
    for former, following in pairwise(changes):
        if former.next != following.former or former.head.size >= following.head.size:
            raise Malformed(
                f"the change of keys after {following.head.size:,} entries isn't made by the key that signed until then"
            )
    found = KeyHistory(tuple(trusted), tuple(changes))
    if not set(found.keys) & set(trusted):
        names = " or ".join(map(str, trusted))
        raise Malformed(f"the keys that signed this log don't lead to the one that is trusted, {names}")
    return found


def of_entry(entry: bytes) -> bytes | None:
    """The note of the change that an entry of a log tells of; None for any other entry, `Malformed` for a wrong one."""
    if _ACTION.encode() not in entry:
        return None
    try:
        event: Any = json.loads(entry)
        details = event["unmapped"]["details"]
        if event["metadata"]["event_code"] != _ACTION or details.get("purpose") != _PURPOSE:
            return None
        return base64.b64decode(details["change"], validate=True)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise Malformed("this entry tells of a change of keys, and has none") from None


def changes_in(fetcher: Fetcher, size: int, *, throughout: bool = False) -> Iterator[tuple[int, KeyChange | Malformed]]:
    """
    The changes of keys in the first `size` entries of a log with the numbers of their entries, or what is wrong with
    one. Entries that can't be read are the end, or `throughout` are passed over: verifying the log names them.
    """
    for tile in tiles.tiles_at(ENTRIES, size):
        first = tile.index * WIDTH
        try:
            data = fetch_tile(fetcher, Tile(ENTRIES, tile.index, min(WIDTH, size - first)))[1]
            if _ACTION.encode() not in data:
                continue
            entries = tiles.decode_bundle(data)
        except (OSError, Malformed):
            if throughout:
                continue
            return
        for index, entry in enumerate(entries, first):
            try:
                if (found := of_entry(entry)) is None:
                    continue
                change = parse(found)
                if change.head.size != index:
                    raise Malformed(f"this change of keys belongs to entry {change.head.size}")
                yield index, change
            except Malformed as error:
                yield index, error


def history_of(fetcher: Fetcher, trusted: Sequence[VerifierKey]) -> KeyHistory:
    """
    The keys of a log, from the changes that it tells of; `Malformed` where one of them is wrong, or the log doesn't
    continue the checkpoint that was changed after.
    """
    changes = []
    head = checkpoints.unverified(fetcher.fetch(tiles.CHECKPOINT))
    for index, found in changes_in(fetcher, head.size):
        if isinstance(found, Malformed):
            raise Malformed(f"entry {index}: {found}")
        if not _continues(fetcher, found.head, head):
            raise Malformed(f"entry {index}: this change of keys is of another log")
        changes.append(found)
    return history(trusted, changes)


def _continues(fetcher: Fetcher, old: Checkpoint, new: Checkpoint) -> bool:
    if old.size == 0:
        return old.root == tree.root_of([])
    try:
        steps = tree.prove_consistency(old.size, new.size, node_reader(fetcher, new.size))
    except OSError as error:
        raise Malformed(f"a tile of the log can't be read: {error.strerror}") from None
    return tree.verify_consistency(old.size, new.size, old.root, new.root, steps)
