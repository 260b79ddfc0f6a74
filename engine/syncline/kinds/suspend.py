"""Keeping something from running for a while: part of flows, schedules, subscriptions and tenants."""

import datetime as dt
from typing import Annotated

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
