"""Plans: what they list, in which order, and what they say of data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from syncline.manifests.load import to_document
from syncline.model.change import Action, EffectKind
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from syncline.model.step import DeleteObject, MoveObject, PutObject, ResetCursor
from syncline.planner.compiled import compile_flows
from syncline.planner.make import changes_of, make_plan
from syncline.planner.observed import Observed
from syncline.planner.serialize import digest, dumps, loads
from syncline.state.store import AppliedObject
from tests.repository import CUSTOMERS, desired, edited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.model.plan import Plan

FLOW = ObjectKey("acme", "Import", "customers")


def observed(texts: Mapping[str, str] | None, *, read: int | None = None) -> Observed:
    """The state after applying the texts; with a cursor of the import, if it has read records."""
    declared = desired(texts) if texts else None
    objects = {
        key: AppliedObject(key, m.digest, to_document(m), str(m.place), "rev", "plan", 1, "2026-01-01T00:00:00Z")
        for key, m in (declared.objects.items() if declared else ())
    }
    cursors = frozenset([FLOW]) if read is not None else frozenset()
    return Observed("lineage", 5, objects, cursors, {FLOW: read} if read is not None else {})


def plan_of(
    after: Mapping[str, str],
    state: Observed,
    before: Mapping[str, str] | None = None,
    *,
    allow_deletes: bool = False,
) -> Plan:
    """The plan from a state (made of `before`) to the texts."""
    wanted = desired(after)
    old = compile_flows(desired(before)) if before else {}
    changes = changes_of(wanted, state, old, compile_flows(wanted))
    return make_plan(wanted, state, changes, (), revision="abc", dirty=False, allow_deletes=allow_deletes)


def effects(plan: Plan) -> set[EffectKind]:
    """Kinds of all effects of a plan."""
    return {e.kind for c in plan.changes for e in c.effects}


def test_everything_is_created_from_nothing() -> None:
    """Against an empty state every object is a create, tenants are put first, and the table is announced."""
    plan = plan_of(CUSTOMERS, observed(None))

    assert {c.action for c in plan.changes} == {Action.create}
    assert str(plan.steps[0].key) == "Tenant/acme"
    assert str(plan.steps[-1].key) == "acme/Import/customers"
    assert effects(plan) == {EffectKind.table_created, EffectKind.class_flow}


def test_nothing_changed_is_an_empty_plan() -> None:
    """Planning what is applied gives a plan without changes or steps."""
    plan = plan_of(CUSTOMERS, observed(CUSTOMERS, read=10), CUSTOMERS)

    assert plan.empty
    assert plan.changes == ()


def test_an_update_names_the_fields_that_changed() -> None:
    """An update lists old and new values by path, list items named by what they map to."""
    after = edited("mapping.yaml", "from: name", "from: upper(name)")
    plan = plan_of(after, observed(CUSTOMERS), CUSTOMERS)

    (change,) = plan.changes
    (field,) = change.fields
    assert (change.action, field.path, field.before, field.after) == (
        Action.update,
        "spec.fields[name].from",
        '"name"',
        '"upper(name)"',
    )


def test_a_new_key_starts_the_flow_over() -> None:
    """Changing the key of a flow is a replace that resets its cursor and says how much will be read again."""
    after = edited("import.yaml", "write: upsert", "write: upsert, key: [email]")
    plan = plan_of(after, observed(CUSTOMERS, read=1234), CUSTOMERS)

    (change,) = plan.changes
    assert change.action is Action.replace
    assert {EffectKind.cursor_reset, EffectKind.rows_reread} <= effects(plan)
    assert "1,234" in " ".join(e.message for e in change.effects)
    assert any(isinstance(s, ResetCursor) and s.key == FLOW for s in plan.steps)


def test_a_mapping_change_keeps_the_cursor() -> None:
    """A new column doesn't move the position; the plan says that old rows keep it null."""
    after = edited("mapping.yaml", "- {to: name, from: name}", "- {to: name, from: name}\n  - {to: town, from: town}")
    plan = plan_of(after, observed(CUSTOMERS, read=9), CUSTOMERS)

    assert effects(plan) == {EffectKind.columns_added}
    assert not any(isinstance(s, ResetCursor) for s in plan.steps)


def test_a_field_of_a_class_newly_flowing_is_shown() -> None:
    """A field that gets a class and no protection is announced as newly flowing in the clear."""
    after = edited("mapping.yaml", "from: name}", "from: name, class: pii.name}")
    plan = plan_of(after, observed(CUSTOMERS), CUSTOMERS)

    (effect,) = plan.changes[0].effects
    assert effect.kind is EffectKind.class_flow
    assert "pii.name newly flows to warehouse in the clear: name" in effect.message
    assert not effect.reversible


def test_a_rename_moves_history() -> None:
    """An object that says what it was before is moved, not deleted and created."""
    after = edited(
        "import.yaml", "{name: customers, tenant: acme}", "{name: clients, tenant: acme, moved: {name: customers}}"
    )
    plan = plan_of(after, observed(CUSTOMERS, read=3), CUSTOMERS)

    (change,) = plan.changes
    assert change.action is Action.move
    assert change.previous == FLOW
    assert [type(s) for s in plan.steps] == [MoveObject, PutObject]
    assert EffectKind.history_moved in effects(plan)
    assert EffectKind.cursor_reset not in effects(plan)


def test_deletes_come_last_and_in_reverse() -> None:
    """What is no longer declared is retired after everything else, dependants before what they refer to."""
    after = {k: v for k, v in CUSTOMERS.items() if k not in ("import.yaml", "mapping.yaml")}
    plan = plan_of(after, observed(CUSTOMERS), CUSTOMERS)

    assert [str(s.key) for s in plan.steps] == ["acme/Import/customers", "acme/Mapping/customer"]
    assert all(isinstance(s, DeleteObject) for s in plan.steps)


def test_mass_deletion_is_refused_unless_asked_for() -> None:
    """Deleting most of what is applied is an error of the plan; --allow-deletes lets it pass."""
    after = {"tenant.yaml": CUSTOMERS["tenant.yaml"]}
    state = observed(CUSTOMERS)

    refused = plan_of(after, state, CUSTOMERS)
    allowed = plan_of(after, state, CUSTOMERS, allow_deletes=True)

    assert [d.code for d in refused.findings] == ["SYN624", "SYN620"]
    assert not refused.can_apply
    assert allowed.can_apply


def test_a_protected_object_is_not_deleted() -> None:
    """Protection outlives the manifest: it is read from what was applied."""
    before = edited(
        "import.yaml", "{name: customers, tenant: acme}", "{name: customers, tenant: acme, protected: true}"
    )
    after = {k: v for k, v in CUSTOMERS.items() if k != "import.yaml"}

    plan = plan_of(after, observed(before), before, allow_deletes=True)

    assert [d.code for d in plan.findings] == ["SYN621"]


def test_a_plan_is_read_back_as_it_was() -> None:
    """Writing and reading a plan gives the same plan and the same bytes."""
    after = edited("import.yaml", "write: upsert", "write: upsert, key: [email]")
    plan = plan_of(after, observed(CUSTOMERS, read=5), CUSTOMERS)

    again = loads(dumps(plan))

    assert digest(again) == digest(plan)
    assert dumps(again) == dumps(plan)


def test_an_altered_plan_is_refused() -> None:
    """A plan file in which anything was changed is not a plan any more."""
    data = json.loads(dumps(plan_of(CUSTOMERS, observed(None))))
    data["steps"] = data["steps"][1:]

    with pytest.raises(Invalid, match="altered"):
        loads(json.dumps(data))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "syncline/plan/v9"}', "not json"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    """Any other file is refused with a code."""
    with pytest.raises(Invalid) as caught:
        loads(text)

    assert caught.value.code == "SYN640"


def test_the_order_of_files_does_not_matter() -> None:
    """Every order of files gives the same plan, byte for byte (places included)."""
    names = list(CUSTOMERS)
    plans = {
        dumps(plan_of({n: CUSTOMERS[n] for n in names[i:] + names[:i]}, observed(None))) for i in range(len(names))
    }

    assert len(plans) == 1
