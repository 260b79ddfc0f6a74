"""Whether a plan may be applied to a state: it is fresh, of the same environment, and changes what its source owns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from syncline.manifests.flow import flows
from syncline.manifests.load import from_document
from syncline.manifests.resolve import desired_of
from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from syncline.model.step import DeleteObject, DropTable, MoveObject, PutObject
from syncline.planner.ownership import Ownership, shown

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.plan import Basis, Plan
    from syncline.state.store import AppliedObject, StateReader


def check_fresh(plan: Plan, reader: StateReader) -> None:
    """`Invalid` when the state has moved since the plan was made, or is that of another environment."""
    basis = plan.basis
    check_environment(basis, reader.environment())
    if basis.lineage not in ("", reader.lineage):
        raise Invalid(
            "the plan was made from another state",
            code="SYN641",
            help="Plan again against this state, or set SYNCLINE_STATE to the one it was made from.",
        )
    serial = reader.serial()
    if serial != basis.serial:
        raise Invalid(
            f"the plan is stale: it was made from serial {basis.serial} of the state, which is now at {serial}",
            code="SYN641",
            help="Somebody applied in between. Plan again and look at what changed.",
        )


def check_environment(basis: Basis, applied: str) -> None:
    """`Invalid` when what is applied is of another environment than the plan is made of."""
    if applied not in {"", basis.environment, basis.formerly}:
        now = f"the environment {basis.environment!r}" if basis.environment else "a repository without environments"
        raise Invalid(
            f"the plan is of {now}, and this state is of the environment {applied!r}",
            code="SYN289",
            help="Each environment has a state of its own: set SYNCLINE_STATE or SYNCLINE_HOME. After a new name was "
            f"given to an environment: formerly: {applied}.",
        )


def check_moves(plan: Plan, reader: StateReader) -> None:
    """`Invalid` when a move doesn't fit what is applied. No plan made here has one; a file may say anything."""
    moves = [step for step in plan.steps if isinstance(step, MoveObject)]
    applied = {o.key for o in reader.objects()} if moves else set()
    for step in moves:
        previous, key = step.previous, step.key
        same = (previous.tenant, previous.kind) == (key.tenant, key.kind)
        if not same or previous not in applied or key in applied:
            raise Invalid(
                f"the plan moves {previous} to {key}, which doesn't fit what is applied",
                code="SYN640",
                help="Make the plan again.",
            )
        applied = applied - {previous} | {key}


def check_owned(plan: Plan, objects: Mapping[ObjectKey, AppliedObject], desired: Desired) -> None:
    """`Invalid` when a plan changes what its source doesn't own or may not declare: a file may say anything."""
    owners = Ownership.of(plan.basis.source, desired.of_kind("Source"), objects)
    if not owners.several:
        return
    put = [from_document(step.document) for step in plan.steps if isinstance(step, PutObject)]
    found = list(owners.findings(put))
    for step in plan.steps:
        key = step.previous if isinstance(step, MoveObject) else step.key
        if isinstance(step, PutObject) or owners.owns(key):
            continue
        if isinstance(step, DropTable | DeleteObject | MoveObject) or key not in _changed(objects, desired):
            found.append(Diagnostic("SYN744", f"{key} is another source's", subject=str(key)))
    if found:
        raise Invalid(
            f"the plan changes what the source {shown(plan.basis.source)} doesn't own",
            code="SYN744",
            diagnostics=found,
            help="Plan again, and look at which source declares it.",
        )


def _changed(objects: Mapping[ObjectKey, AppliedObject], desired: Desired) -> set[ObjectKey]:
    """The flows that are others afterwards, such as by an integration of another source: their positions may move."""
    before = desired_of(from_document(known.document) for known in objects.values())
    now = {flow.key: flow for flow in flows(desired)}
    return {flow.key for flow in flows(before) if now.get(flow.key) != flow}
