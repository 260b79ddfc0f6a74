"""Keeping something from running for a while: part of flows, schedules, subscriptions and tenants."""

import datetime as dt
from typing import Annotated, Protocol, runtime_checkable

from pydantic import Field

from syncline.kinds.base import Spec


class Suspend(Spec):
    """Keeps it from running, with a reason."""

    reason: Annotated[str, Field(min_length=1, description="Why; shown to whoever starts it.")]
    until: Annotated[
        dt.date | None,
        Field(strict=False, description="Last day (UTC) on which it counts; absent: until it is removed."),
    ] = None

    def holds(self, today: dt.date) -> bool:
        """Whether it counts on a day (UTC)."""
        return self.until is None or self.until >= today


@runtime_checkable
class Suspendable(Protocol):
    """The fields of whatever can be suspended. Who asks needs to know of no kind what else it declares."""

    @property
    def suspend(self) -> Suspend | None:
        """Why it doesn't run, and until when; None where nothing keeps it from running."""
