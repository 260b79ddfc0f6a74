"""Dropping the table of a flow that is retired, where its declaration says so: `deletion: delete`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncline.executor.applied import read_applied
from syncline.executor.instance import resolver
from syncline.executor.opening import Opener
from syncline.model.errors import Invalid
from syncline.model.step import DeleteObject, DropTable
from syncline.planner.retirement import dropped_tables
from syncline.sdk.offers import offers
from syncline.sdk.table_owner import Owning

if TYPE_CHECKING:
    from syncline.executor.applied import Applied
    from syncline.executor.facilities import Facilities
    from syncline.model.key import ObjectKey
    from syncline.model.plan import Plan
    from syncline.planner.compiled import CompiledFlow


@dataclass(frozen=True, slots=True)
class Dropping:
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
        parts: tuple[dict[ObjectKey, CompiledFlow], dict[ObjectKey, CompiledFlow]] = {}, {}
        for key, item in applied.flows.items():
            parts[key not in gone][key] = item
        allowed = frozenset(key for key, _ in dropped_tables(*parts, applied.desired))
        if more := sorted(asked - allowed):
            raise Invalid(
                f"the plan drops the table of {more[0]}, which is to stay", code="SYN640", help="Make the plan again."
            )
        return cls(facilities, applied, allowed)

    def drop(self, key: ObjectKey) -> None:
        """Drops the table of a flow, if a flow made it; gone when this returns. Raises what keeps it from that."""
        assert self.applied is not None
        assert key in self.allowed
        settings, recorder = self.facilities.settings, self.facilities.recorder
        item = self.applied.flow(key)
        opener = Opener(item, self.applied, settings, resolver(settings, self.facilities.keep), self.facilities.keep)
        with closing(opener.destination()) as destination:
            recorder.record(recorder.secret_uses(key, opener.secrets.names))
            if offers(destination, Owning):
                destination.drop(item.flow.target.stream, str(key))
