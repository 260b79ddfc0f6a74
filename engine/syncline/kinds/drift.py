"""How often destinations are looked at for what nobody declared, and what is done about it: for flows and tenants."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from syncline.kinds.base import Duration, Spec

Reaction = Literal["report", "heal"]

DRIFT = "What is done where its destination isn't as its runs left it; what is absent here, its tenant says."


class Drift(Spec):
    """
    What is done where a destination isn't as runs left it.

    To heal is to read everything again, as `syncline run --full-refresh` does: what is gone comes back, and what others
    added stays. It is done where an upsert or a replace can bring back all that differs.
    """

    every: Annotated[
        Duration | None,
        Field(description="Time between looks of the daemon, such as 1h. Absent: only `syncline drift` looks."),
    ] = None
    tables: Annotated[
        Reaction | None,
        Field(description="Reaction to tables, columns and checkpoints that are gone; report where nobody says."),
    ] = None
    rows: Annotated[
        Reaction | None,
        Field(description="Reaction to a table that lost all of its rows; report where nobody says."),
    ] = None

    def over(self, default: Drift) -> Drift:
        """With what `default` says where this says nothing."""
        return Drift(
            every=self.every or default.every, tables=self.tables or default.tables, rows=self.rows or default.rows
        )


class TenantDrift(Drift):
    """What is done where things aren't as they were left: at destinations of a tenant's flows, and elsewhere."""

    webhooks: Annotated[
        Reaction | None,
        Field(description="Reaction to webhooks that somebody deleted, changed or disabled; report where nobody says."),
    ] = None
    schedules: Annotated[
        Reaction | None,
        Field(
            description="Reaction to a schedule whose position is ahead of the clock, or can't be read, so that it "
            "starts nothing: report, or heal by going on from now."
        ),
    ] = None
