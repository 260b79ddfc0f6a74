"""Commits that are proposed on branches: what is known of each, so that it is proposed once."""

from __future__ import annotations

from typing import Final, Protocol

from msgspec import Struct

from syncline.model.key import ObjectKey

#: What the names of branches begin with that a daemon pushes.
BRANCHES: Final = "syncline/adopt/"


class Proposal(Struct, frozen=True):
    """
    What was proposed of an object: why (a digest of what differs), on which branch, and with which commit as its `tip`
    ('': it isn't there). `code` says how it stands (SYN728: it waits for a person, SYN729: it couldn't be, '': it was
    decided), and so does `said`, in words. `changed` is when that was noted, RFC 3339 UTC.
    """

    cause: str
    branch: str
    tip: str
    code: str
    said: str
    changed: str


class Proposals(Protocol):
    """What is proposed, one for an object. Safe for threads, and of several processes at once."""

    def of(self, key: ObjectKey) -> Proposal | None:
        """What is proposed of an object; None for nothing."""

    def put(self, key: ObjectKey, proposal: Proposal | None) -> None:
        """Keeps what is proposed of an object, in the place of what was; None: nothing is any more. Durable."""
