"""Parts of a plan: what has to do with what waits is held back, and nothing else."""

from __future__ import annotations

from syncline.model.errors import Waiting
from syncline.model.key import ObjectKey
from syncline.reconciler.hold import without
from tests import repository
from tests.unit.planner.states import applied, planned

FLOW = ObjectKey("acme", "Import", "customers")
SCHEDULE = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: often, tenant: acme}
spec: {every: 1h, run: [Import/customers]}
"""
#: Nothing to do with the import: another mapping.
UNUSED = repository.MAPPING.replace("name: customer,", "name: unused,")
RUNNING = Waiting("it is running", code="SYN643")


def parts(before, after, blocked=FLOW):
    """Objects that are taken, and those that are held back, from one repository to another."""
    state = applied(before, read={FLOW: 10})
    part, held = without(planned(after, state, allow_deletes=True), {blocked: RUNNING}, state.objects)
    return {str(step.key) for step in part.steps}, set(map(str, held)), part


def test_the_unrelated_goes_on():
    """A flow that is retired while it runs is held back with its schedule; another mapping is recorded."""
    before = {**repository.CUSTOMERS, "schedule.yaml": SCHEDULE}
    after = {k: v for k, v in before.items() if k not in {"import.yaml", "schedule.yaml"}} | {"unused.yaml": UNUSED}

    taken, held, part = parts(before, after)
    assert taken == {"acme/Mapping/unused"}
    assert held == {"acme/Import/customers", "acme/Schedule/often"}
    assert [str(change.key) for change in part.changes] == ["acme/Mapping/unused"]


def test_what_a_held_object_refers_to_waits_too():
    """A mapping that a held flow needs as it is isn't changed under it, before the change or after."""
    after = repository.edited("mapping.yaml", "from: name}", "from: email}")
    after["import.yaml"] = repository.IMPORT.replace("to: warehouse/customers", "to: warehouse/clients")

    taken, held, _ = parts(repository.CUSTOMERS, {**after, "unused.yaml": UNUSED})
    assert taken == {"acme/Mapping/unused"}
    assert held == {"acme/Import/customers", "acme/Mapping/customer"}


def test_what_makes_a_position_void_waits_with_it():
    """A cause far from the flow, such as its source's files, is held back with the reset that it leads to."""
    after = repository.edited("files.yaml", "customers*.csv", "clients*.csv")
    taken, held, part = parts(repository.CUSTOMERS, after)

    assert (taken, part.steps) == (set(), ())
    assert held == {"acme/Import/customers", "acme/Integration/crm"}


def test_a_move_waits_under_its_new_name():
    """A flow that can't be moved yet is shown under the name that the commit gives it."""
    after = repository.edited(
        "import.yaml", "{name: customers, tenant: acme}", "{name: clients, tenant: acme, moved: {name: customers}}"
    )
    taken, held, _ = parts(repository.CUSTOMERS, after)

    assert (taken, held) == (set(), {"acme/Import/clients"})


def test_without_anything_blocked_the_plan_is_whole():
    """Nothing is held back where nothing waits."""
    plan = planned(repository.CUSTOMERS, applied({}))
    assert without(plan, {}, {}) == (plan, {})
