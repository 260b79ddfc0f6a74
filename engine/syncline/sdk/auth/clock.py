"""Time as a server sees it: what this machine's clock says, moved by what the server's Date header taught.

Signatures and assertions carry the time of their making, and a server refuses those of another time than its own. A
difference of up to five minutes is corrected; a greater one is a clock to be set right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from syncline.model.errors import Stalled

if TYPE_CHECKING:
    from syncline.sdk.http import Response

#: Greatest difference between the clocks that is tolerated, in seconds.
TOLERANCE = 300.0
#: Differences below this are the network's delay and the Date header's whole seconds.
_NOTICEABLE = 5.0


@dataclass(slots=True)
class Time:
    """A clock with the offset of one server's.

    >>> from syncline.sdk.http import Response
    >>> time = Time(lambda: 1_700_000_000.0)
    >>> time.learn(Response(401, {"date": "Tue, 14 Nov 2023 22:15:00 GMT"}, b""))
    True
    >>> time()
    1700000100.0
    """

    now: Callable[[], float]
    offset: float = 0.0

    def __call__(self) -> float:
        return self.now() + self.offset

    def learn(self, response: Response) -> bool:
        """Takes over the server's time from a refusal; True if it differs from what was assumed: then try again.

        Raises `Stalled` where the clocks are too far apart.
        """
        try:
            theirs = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        except (ValueError, TypeError, OverflowError):
            return False
        offset = theirs - self.now()
        if abs(offset - self.offset) < _NOTICEABLE:
            return False
        if abs(offset) > TOLERANCE:
            raise Stalled(
                f"the clock of this machine differs from the server's by {abs(offset):,.0f} s, and it refuses us",
                code="SYN443",
                help=f"Set the clock right (NTP); up to {TOLERANCE:.0f} s are corrected.",
            )
        self.offset = offset
        return True
