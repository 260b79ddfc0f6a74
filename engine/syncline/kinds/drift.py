"""How often it is looked whether things are as they were left, and what is done where not: for flows and tenants."""

from typing import Annotated, Literal

from pydantic import Field

from syncline.kinds.base import Duration, Spec

#: What is done about a difference. Which of them a place can have: `manifests/demands/reactions.py`.
Reaction = Literal["report", "heal", "adopt", "ignore"]

DRIFT = "What is done where its destination isn't as its runs left it; what is absent here, its tenant says."


class Drift(Spec):
    """
    What is done where a destination isn't as runs left it.

    To heal is to read everything again, as `syncline run --full-refresh` does: what is gone comes back, and what others
    added stays. It is done where an upsert or a replace can bring back all that differs. To adopt is to propose a
    commit, on a branch, that declares things as somebody left them.
    """

    every: Annotated[
        Duration | None,
        Field(description="Time between looks of the daemon, such as 1h. Absent: only `syncline drift` looks."),
    ] = None
    compare: Annotated[
        int | None,
        Field(
            ge=1,
            le=100_000,
            description="Records that each look reads from the start of the source and compares with the rows of their "
            "keys, so that rows are counted that were changed or deleted one by one. Absent: none are read.",
        ),
    ] = None
    tables: Annotated[
        Reaction | None,
        Field(
            description="Reaction to tables, columns and checkpoints that are gone: report (where nobody says), heal, "
            "or adopt, which proposes to leave out columns that were dropped, and to declare those of another type so."
        ),
    ] = None
    rows: Annotated[
        Reaction | None,
        Field(
            description="Reaction to a table that lost all of its rows, and to rows that `compare` found to differ: "
            "report (where nobody says) or heal."
        ),
    ] = None
    contract: Annotated[
        Reaction | None,
        Field(
            description="Reaction to a source that isn't as declared any more, as the last run found: report (where "
            "nobody says), or heal, which runs it again at each look until the source is as declared."
        ),
    ] = None
    noise: Annotated[
        Reaction | None,
        Field(
            description="Reaction to what others added, and hinders nobody: ignore (where nobody says; `syncline "
            "drift` shows it), or report."
        ),
    ] = None

    def over(self, default: "Drift") -> "Drift":
        """With what `default` says where this says nothing."""
        return Drift(
            every=self.every or default.every,
            compare=self.compare or default.compare,
            tables=self.tables or default.tables,
            rows=self.rows or default.rows,
            contract=self.contract or default.contract,
            noise=self.noise or default.noise,
        )


class TenantDrift(Drift):
    """What is done where things aren't as they were left: at destinations of a tenant's flows, and elsewhere."""

    webhooks: Annotated[
        Reaction | None,
        Field(
            description="Reaction to webhooks that somebody deleted, changed or disabled: report (where nobody says) "
            "or heal."
        ),
    ] = None
    intent: Annotated[
        Reaction | None,
        Field(
            description="Reaction to webhooks that are declared and not registered yet, or left over: heal (where "
            "nobody says), or report, so that only `syncline drift --heal` carries it out."
        ),
    ] = None
    schedules: Annotated[
        Reaction | None,
        Field(
            description="Reaction to a schedule whose position is ahead of the clock, or can't be read, so that it "
            "starts nothing: report, or heal by going on from now."
        ),
    ] = None
    credentials: Annotated[
        Reaction | None,
        Field(description="Reaction to a credential with a rotation that can't be had: report."),
    ] = None
    keys: Annotated[
        Reaction | None,
        Field(description="Reaction to a data key whose wrapping key is gone, or that a rotation left behind: report."),
    ] = None
