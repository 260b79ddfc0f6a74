"""What a look at something found: each difference between what is there and what was left, with whose move it is.

`intent`: it is declared, and not carried out yet. An `actor` took away or altered what had been left. The `contract`
with a system is broken. `noise` is there besides, and hinders nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from syncline.model.errors import SynclineError
from syncline.model.key import ObjectKey

_COLUMN: Final = "column "

Cause = Literal["intent", "actor", "contract", "noise"]


class Finding(Struct, frozen=True):
    """One difference: whose doing, what differs, and how. `lost`: healing would bring it back. `fits` is the type that
    a column has by now, as a mapping would declare it. `reaction` is what is declared to be done about it, once that
    was looked up.
    """

    cause: Cause
    place: str
    message: str
    lost: bool = False
    fits: str = ""
    reaction: str = ""


class ObjectDrift(Struct, frozen=True):
    """What was found of an object. `unknown` is why it couldn't be looked at, or why there is nothing to look at yet.

    `to` is where that was, for people; '' where the object itself says so. `error` is what kept it from being looked
    at, where that may have words from outside. `proposed` is how it stands with a commit that adopts it.
    """

    key: ObjectKey
    to: str = ""
    findings: tuple[Finding, ...] = ()
    unknown: str = ""
    error: SynclineError | None = None
    proposed: str = ""

    @property
    def told(self) -> str:
        """What `unknown` says, for logs."""
        return self.unknown if self.error is None else f"{self.error.code} {self.error.told}"

    @property
    def drifted(self) -> bool:
        """Whether something differs that matters."""
        return any(finding.cause != "noise" or finding.reaction == "report" for finding in self.findings)

    @property
    def acted(self) -> tuple[Finding, ...]:
        """What somebody took away or altered."""
        return tuple(finding for finding in self.findings if finding.cause == "actor")

    @property
    def adopts(self) -> bool:
        """Whether some of what somebody did is declared to be adopted."""
        return any(finding.reaction == "adopt" for finding in self.acted)

    @property
    def adoptable(self) -> dict[str, str]:
        """The columns that somebody gave another type, with it, or dropped, with ''."""
        changed = (one for one in self.acted if one.place.startswith(_COLUMN) and (one.lost or one.fits))
        return {one.place.removeprefix(_COLUMN): "" if one.lost else one.fits for one in changed}

    @property
    def healable(self) -> bool:
        """Whether healing would bring back all that differs."""
        return can_heal(self)


def as_left(columns: Mapping[str, str]) -> str:
    """How a table is declared that has some columns no more, and others with another type.

    >>> as_left({"born": "", "note": "", "balance": "string"})
    'without born, note and with balance as string'
    """
    dropped = ", ".join(column for column, kind in columns.items() if not kind)
    others = ", ".join(f"{column} as {kind}" for column, kind in columns.items() if kind)
    return " and ".join([*([f"without {dropped}"] if dropped else []), *([f"with {others}"] if others else [])])


def can_heal(found: ObjectDrift) -> bool:
    """Whether somebody did something, and healing would bring back all that differs."""
    if found.unknown or not found.acted:
        return False
    return all(finding.lost for finding in found.findings if finding.cause not in {"noise", "intent"})
