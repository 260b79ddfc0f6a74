"""What a check of a system found: what answered, as whom, how fast, over which TLS, and what it announces."""

from __future__ import annotations

from msgspec import Struct

from syncline.sdk.announced import Ending, Quota
from syncline.sdk.http import Spoken


class Reached(Struct, frozen=True):
    """
    A system that answered. `place` is what was asked or looked at; `system` names what answered, as far as known.

    `identity` is who the system says that we are, '' where it says nothing. `seconds` is the time from asking to the
    whole answer, connecting included. `status` is of HTTP. `proxy` is what it was reached through, '' for nothing.

    >>> Reached("/data/in: readable and writable").quotas
    ()
    """

    place: str
    system: str = ""
    seconds: float = 0.0
    status: int | None = None
    identity: str = ""
    proxy: str = ""
    tls: Spoken | None = None
    quotas: tuple[Quota, ...] = ()
    ending: Ending | None = None
