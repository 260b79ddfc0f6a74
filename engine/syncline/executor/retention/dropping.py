"""Dropping the table of a flow that is retired, where its declaration says so: `deletion: delete`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from syncline.executor.flows.applied import read_applied
from syncline.executor.flows.instance import resolver
from syncline.executor.flows.opening import Opener
from syncline.executor.flows.rows_left import may_have_rows
from syncline.model.errors import Invalid
from syncline.model.step import DeleteObject, DropTable
from syncline.planner.retirement import dropped_tables
from syncline.sdk.offers import offers
from syncline.sdk.table_owner import Owning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from syncline.executor.flows.applied import Applied
    from syncline.executor.services.facilities import Facilities
    from syncline.manifests.flow import Flow
    from syncline.model.key import ObjectKey
    from syncline.model.plan import Plan
    from syncline.sdk.destination import Destination

_GONE: Final = "nothing was dropped, since somebody renamed, moved or dropped it before"


class Dropping(Struct, frozen=True):
    """Drops tables of flows as they were applied before a plan; `allowed` are those whose tables may be dropped."""

    facilities: Facilities
    applied: Applied | None
    allowed: frozenset[ObjectKey] = frozenset()

    @classmethod
    def of(cls, facilities: Facilities, plan: Plan) -> Dropping:
        """For the steps of a plan. `Invalid` where it drops a table that is to stay: a file may say anything."""
        asked = {step.key for step in plan.steps if isinstance(step, DropTable)}
        if not asked:
            return cls(facilities, None)
        applied = read_applied(facilities.store)
        gone = {step.key for step in plan.steps if isinstance(step, DeleteObject)}
        left = [item.flow for key, item in applied.flows.items() if key not in gone]
        retired = {key: item for key, item in applied.flows.items() if key in gone}
        allowed = frozenset(key for key, _ in dropped_tables(retired, left, applied.desired))
        if more := sorted(asked - allowed):
            raise Invalid(
                f"the plan drops the table of {more[0]}, which is to stay", code="SYN640", help="Make the plan again."
            )
        return cls(facilities, applied, allowed)

    def drop(self, key: ObjectKey) -> str:
        """
        Drops the table of a flow, if a flow made it and no other has written to it; gone when this returns.

        Why it stays, '' where it is gone. Raises what keeps it from that.
        """
        assert self.applied is not None
        assert key in self.allowed
        settings, recorder = self.facilities.settings, self.facilities.recorder
        item = self.applied.flow(key)
        opener = Opener(item, self.applied, settings, resolver(settings, self.facilities.keep), self.facilities.keep)
        with closing(opener.destination()) as destination:
            recorder.record(recorder.secret_uses(key, opener.secrets.names))
            others = [other.flow for found, other in self.applied.flows.items() if found not in self.allowed]
            if (other := writer_there(others, item.flow, destination)) is not None:
                return f"{other if other.tenant == key.tenant else 'a flow of another tenant'} has written to it"
            if not offers(destination, Owning):
                return "nothing is dropped at such a destination"
            if destination.drop(item.flow.target.stream, str(key)):
                return ""
            if destination.owner(item.flow.target.stream).there:
                return "no flow made it"
            # What was written may be under another name. Of a drop before a kill, that is said as well.
            return _GONE if may_have_rows(self.facilities.store, key) else ""


def writer_there(others: Iterable[Flow], flow: Flow, destination: Destination) -> ObjectKey | None:
    """
    Which of the other flows has written the table of a flow at its destination.

    Their checkpoints tell, also where two names of a server, or two paths to a file, hide from manifests that they are
    one place.
    """
    name = flow.target.stream.casefold()
    for other in others:
        alike = other.key != flow.key and other.target.stream.casefold() == name
        if alike and destination.checkpoint(str(other.key)) is not None:
            return other.key
    return None
