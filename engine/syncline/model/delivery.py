"""Webhooks that schedules wait for, kept from before their sender is answered until runs have started for them."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from syncline.model.key import ObjectKey


class Delivery(Struct, frozen=True):
    """One that was kept. Numbers of a schedule rise in the order in which its deliveries became visible."""

    number: int
    received: str


class Deliveries(Protocol):
    """What was delivered for schedules. Safe for threads, and of several processes at once."""

    def keep(self, schedule: ObjectKey, mark: str, received: str, forget: str) -> bool:
        """
        Keeps a delivery; durable when it returns. False for one whose mark is kept already, and for a schedule that
        isn't applied. Deliveries of the schedule before `forget` are deleted, but never the newest. Times are RFC 3339.
        """

    def newest(self, schedule: ObjectKey) -> Delivery | None:
        """The last that was kept for a schedule; None where there is none."""
