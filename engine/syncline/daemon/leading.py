"""The lease by which one daemon works, and what another one says that finds out late that it has lost it.

What it was at isn't wrong in any way, and comes again by the daemon that works now: nobody has to look after the object
that it is told of.
"""

from __future__ import annotations

from typing import Final

from syncline.model.errors import Followed, SynclineError

#: The lease of the daemon that works.
LEADING: Final = "daemon"
#: Why what was begun here isn't gone on with.
ELSEWHERE: Final = "another daemon works by now"


def is_followed(error: SynclineError) -> bool:
    """Whether an error says that another daemon works; others who are followed, such as runs, aren't meant."""
    return isinstance(error, Followed) and error.lease == LEADING
