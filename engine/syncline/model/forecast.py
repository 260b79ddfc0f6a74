"""A forecast of a flow: its first records were read, mapped and compared with the destination; nothing was written."""

from __future__ import annotations

from msgspec import Struct, field

from syncline.model.key import ObjectKey
from syncline.model.run import Counts


class Reason(Struct, frozen=True):
    """Why a record would be rejected: its place in the source, the field, the rule and what that says; no value."""

    place: str
    field: str
    rule: str
    message: str


class Forecast(Struct, frozen=True):
    """
    What the next run of a flow would do, as far as it was tried.

    `exact`: everything that it would read was read; else `counts` are of the first records only, and `total` is about
    how many there are (None: unknown). `resumed`: it goes on from a saved position. `compared` is False where it isn't
    known which rows are there: then `written` isn't divided, and `note` says why. `requests` were made;
    `requests_needed` and `seconds_needed` are what the whole run takes, within `limit` (`100/min`; '' for none).
    `problem` is why nothing could be tried; `notes` are what connectors told, and what values showed and may flow.
    """

    key: ObjectKey
    exact: bool = False
    resumed: bool = False
    counts: Counts = Counts()
    compared: bool = False
    note: str = ""
    total: int | None = None
    requests: int = 0
    requests_needed: int | None = None
    seconds_needed: float | None = None
    limit: str = ""
    reasons: tuple[Reason, ...] = field(default=())
    problem: str = ""
    notes: tuple[str, ...] = ()
