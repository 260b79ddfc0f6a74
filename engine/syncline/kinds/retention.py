"""Retention: after what time rows of a flow, and what its runs leave with us, are deleted."""

from typing import Annotated

from pydantic import Field

from syncline.kinds.base import Duration, Identifier, Spec


class Retention(Spec):
    """
    How long rows are kept at the destination, by a time in them. A daemon deletes older ones once an hour, within
    guards.maxDeletes and legal holds, and runs don't write them again. Needs a database.
    """

    after: Annotated[Duration, Field(description="Age at which rows are deleted: 365d.")]
    by: Annotated[
        Identifier,
        Field(description="Target field with a date or a time that tells the age of a row; one without it is kept."),
    ]


class OwnRetention(Spec):
    """How long what runs leave with us is kept: what they set aside, and their logs. Counts and receipts stay."""

    rejects: Annotated[
        Duration | None,
        Field(description="Age of a run at which its rejects are deleted: they can't be retried then. Absent: never."),
    ] = None
    logs: Annotated[
        Duration | None, Field(description="Age of a run at which its log lines are deleted. Absent: never.")
    ] = None
