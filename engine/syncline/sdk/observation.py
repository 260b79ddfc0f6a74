"""What a destination shows of a table that it was to have: how it differs from what a run left there."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from syncline.sdk.destination import Target

#: `gone`: what was there isn't any more. `unfit`: it is there, and can't be written to as declared. `extra`: there is
#: more than was declared, which hinders nobody.
Change = Literal["gone", "unfit", "extra"]


class Difference(Struct, frozen=True):
    """One difference. `place` is what differs (`table orders`, `column note`, `rows`), `message` says how.

    `fits` is the type, as mappings write it, that a column has which can't hold what is declared; '' where none is it.

    >>> Difference("gone", "column note", "it was dropped").change
    'gone'
    """

    change: Change
    place: str
    message: str
    fits: str = ""


class Observation(Struct, frozen=True):
    """What was found. `empty`: the table is there, and has no rows.

    >>> Observation(()).empty
    False
    """

    differences: tuple[Difference, ...]
    empty: bool = False


@runtime_checkable
class Observing(Protocol):
    """What a destination may offer besides: looking at a table without changing anything.

    Example: `destination.observe(target).differences` is empty where all is as the last run left it.
    """

    def observe(self, target: Target) -> Observation:
        """How the table of a target that was written before differs from what it declares; nothing is changed."""
