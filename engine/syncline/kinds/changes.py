"""When and by whose approval what a tenant declares may change."""

from typing import Annotated, Literal

from pydantic import Field

from syncline.kinds.base import Spec
from syncline.kinds.window import Windows

#: Which changes need an approval: those that can't be undone or open something up, or every one.
Required = Literal["risky", "always"]


class Approvals(Spec):
    """Whose approval a change needs before it is applied, besides what a daemon's operator demands."""

    required: Annotated[
        Required,
        Field(description="Which changes: risky ones, that can't be undone or open something up, or always."),
    ] = "risky"
    count: Annotated[
        int, Field(ge=1, le=10, description="How many people must have approved, none of them an author of the change.")
    ] = 2


class Changes(Spec):
    """
    What holds for changes of what a tenant declares, and of what is shared by tenants. What is applied counts: a commit
    that loosens it is judged by what it was. `syncline apply --override` passes over it, and the audit log says why.
    """

    approvals: Annotated[
        Approvals | None, Field(description="Approvals that changes need. Absent: those that the operator demands.")
    ] = None
    windows: Annotated[
        Windows, Field(description="Spans of the week in which changes may, or may not, be applied; others wait.")
    ] = Windows.model_construct()
    time_zone: Annotated[
        str, Field(description="IANA time zone that the windows are read in, such as Europe/Berlin.")
    ] = "UTC"
