"""What becomes of a table when its flow is no longer declared: it stays, unless the flow that was applied said otherwise."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from syncline import workflow
from syncline.connectors.sql.destination import SqlDestination
from syncline.executor.progress import Silent
from syncline.model.change import EffectKind
from syncline.model.errors import Again, Invalid
from syncline.model.step import DeleteObject, DropTable
from syncline.planner.serialize import dumps, loads
from syncline.state.open import open_reader
from tests.e2e.house import FLOW, Scenario, build, customers
from tests.e2e.test_adopting import Warehouse


class House:
    """A flow that has filled its table, in SQLite."""

    def __init__(self, root, deletion, more=None):
        customers(root, 6)
        scenario = Scenario("upsert")
        self.warehouse = Warehouse(root, scenario)
        self.texts = dict(scenario.texts) | (more or {})
        self.texts["sync.yaml"] = self.texts["sync.yaml"].replace("write: upsert", f"write: upsert{deletion}")
        self.settings = build(root, self.texts)
        workflow.apply(self.settings)
        workflow.run(self.settings, FLOW, progress=Silent())
        self.root = root

    def without(self, *files):
        """The settings once some manifests are no longer declared."""
        for file in files:
            (self.root / file).unlink()
        return self.settings

    def applied(self):
        reader = open_reader(self.settings.state_url)
        try:
            return {applied.key for applied in reader.objects()}
        finally:
            reader.close()


def second(deletion=""):
    """Another flow into the same table."""
    text = Scenario("upsert").texts["sync.yaml"].replace("name: customers", "name: second")
    return {"second.yaml": text.replace("write: upsert", f"write: upsert{deletion}")}


def effects(plan):
    return {e.kind for change in plan.changes for e in change.effects}


def test_a_table_stays_unless_it_is_said(tmp_path):
    """Retiring a flow leaves its rows; the plan says so, and no step touches the table."""
    house = House(tmp_path, "")
    plan = workflow.plan(house.without("sync.yaml"))
    workflow.apply(house.settings, plan)

    assert EffectKind.table_dropped not in effects(plan)
    assert len(house.warehouse.rows()) == 6


def test_a_table_goes_with_its_flow_where_that_said_so(tmp_path):
    """The plan says what is lost and that it can't be undone; then table and flow are gone, with evidence of it."""
    house = House(tmp_path, ", deletion: delete")
    plan = workflow.plan(house.without("sync.yaml"))
    workflow.apply(house.settings, loads(dumps(plan)))

    (dropped,) = [e for c in plan.changes for e in c.effects if e.kind is EffectKind.table_dropped]
    assert not dropped.reversible
    assert dropped.message == "warehouse/customers is dropped with all its rows, if a flow made it (deletion: delete)"
    (rows,) = [e.message for c in plan.changes for e in c.effects if e.kind is EffectKind.rows_counted]
    assert rows.startswith("warehouse/customers had 6 rows of this flow when its last run ended at 20")
    assert rows.endswith("Z; they go with it")
    assert plan.steps[-2:] == (DropTable(FLOW), DeleteObject(FLOW))
    assert "customers" not in house.warehouse.tables()
    assert FLOW not in house.applied()
    reader = open_reader(house.settings.state_url)
    assert [e.reason for e in reader.events(FLOW)][-2:] == ["TableDropped", "Retired"]
    reader.close()


@pytest.mark.parametrize("deletion", ["", ", deletion: delete"])
def test_a_table_that_another_flow_writes_stays(tmp_path, deletion):
    """Neither a flow that is left nor one that is retired with it, and keeps its rows, loses them to another's word."""
    house = House(tmp_path, ", deletion: delete", second(deletion))
    workflow.apply(house.without("sync.yaml"))
    assert len(house.warehouse.rows()) == 6

    house.without("second.yaml")
    workflow.apply(house.settings)
    assert ("customers" in house.warehouse.tables()) is not bool(deletion)


def through_another(flow, path):
    """Another integration to a database file, and a flow that writes `customers` through it."""
    warehouse = Scenario("upsert").texts["warehouse.yaml"].replace("name: warehouse", "name: lake")
    assert "path: warehouse.db" in warehouse
    sync = flow["second.yaml"].replace("to: warehouse/", "to: lake/")
    assert "to: lake/" in sync
    return {"second.yaml": sync, "lake.yaml": warehouse.replace("path: warehouse.db", f"path: {path}")}


def test_a_table_stays_that_another_flow_writes_through_another_integration(tmp_path):
    """Two integrations that lead to one database are one place, however the path is written: no plan drops there."""
    house = House(tmp_path, ", deletion: delete", through_another(second(), "x/../warehouse.db"))

    plan = workflow.plan(house.without("sync.yaml"))
    workflow.apply(house.settings, plan)

    assert EffectKind.table_dropped not in effects(plan)
    assert len(house.warehouse.rows()) == 6


def test_a_table_stays_that_another_flow_has_filled_by_a_path_which_only_the_disk_knows(tmp_path):
    """What manifests can't tell, a link to the same file, the checkpoint there does: the table is kept, and that told."""
    house = House(tmp_path, ", deletion: delete", through_another(second(), "link.db"))
    (tmp_path / "link.db").symlink_to(tmp_path / "warehouse.db")
    workflow.run(house.settings, replace(FLOW, name="second"), progress=Silent())

    plan = workflow.plan(house.without("sync.yaml"))
    workflow.apply(house.settings, plan)

    assert EffectKind.table_dropped in effects(plan)
    assert len(house.warehouse.rows()) == 6
    reader = open_reader(house.settings.state_url)
    told = [(e.reason, e.message) for e in reader.events(FLOW)][-2]
    reader.close()
    assert told == ("TableKept", "the table stays with its rows: acme/Sync/second has written to it")


def test_a_table_stays_that_a_flow_wrote_until_this_plan(tmp_path):
    """A flow that goes elsewhere by the same commit leaves its rows, which the other's word doesn't take."""
    house = House(tmp_path, ", deletion: delete", through_another(second(), "warehouse.db"))
    lake = tmp_path / "lake.yaml"
    lake.write_text(lake.read_text().replace("path: warehouse.db", "path: elsewhere.db"))

    plan = workflow.plan(house.without("sync.yaml"))
    workflow.apply(house.settings, plan)

    assert EffectKind.table_dropped not in effects(plan)
    assert len(house.warehouse.rows()) == 6


def test_flows_that_are_retired_together_keep_what_one_of_them_keeps(tmp_path):
    """A table goes only if all flows that wrote it are retired and say that it goes."""
    house = House(tmp_path, ", deletion: delete", second())
    workflow.apply(house.without("sync.yaml", "second.yaml"), allow_deletes=True)
    assert len(house.warehouse.rows()) == 6


def test_what_was_applied_counts(tmp_path):
    """A saved plan that drops the table of a flow which keeps it is refused, whatever the file says."""
    house = House(tmp_path, "")
    plan = workflow.plan(house.without("sync.yaml"))
    forged = replace(plan, steps=(DropTable(FLOW), *plan.steps))

    with pytest.raises(Invalid, match="which is to stay") as raised:
        workflow.apply(house.settings, forged)
    assert raised.value.code == "SYN640"
    assert len(house.warehouse.rows()) == 6
    assert FLOW in house.applied()


def test_a_table_that_cannot_be_reached_keeps_its_flow(tmp_path, monkeypatch):
    """The flow stays applied until its table is gone; the next apply ends what was begun, with or without a table."""
    house = House(tmp_path, ", deletion: delete")
    house.without("sync.yaml")
    real = SqlDestination.drop

    def dropped_and_killed(destination, stream, flow):
        real(destination, stream, flow)
        raise Again("no answer came", code="SYN480")

    monkeypatch.setattr(SqlDestination, "drop", dropped_and_killed)
    with pytest.raises(Again):
        workflow.apply(house.settings)
    assert FLOW in house.applied()

    monkeypatch.undo()
    workflow.apply(house.settings)
    assert FLOW not in house.applied()
    assert "customers" not in house.warehouse.tables()


@pytest.mark.parametrize(
    ("destination", "how", "said"),
    [
        ("sqlite", "upsert, existing: adopt", "existing: adopt takes over a table that may have rows of others"),
        ("jsonl", "replace", "this version drops tables of databases, and nothing by file"),
    ],
)
def test_only_a_table_of_its_own_can_go(tmp_path, destination, how, said):
    """Files and adopted tables are refused before anything is applied."""
    texts = dict(Scenario("upsert", destination).texts)
    texts["sync.yaml"] = texts["sync.yaml"].replace("write: upsert", f"write: {how}, deletion: delete")

    found = [d for d in workflow.validate(build(tmp_path, texts)).diagnostics if d.code == "SYN781"]
    assert [d.message for d in found] == [f"deletion: delete can't run: {said}"]


def test_a_table_stays_under_a_legal_hold(tmp_path):
    """Whatever the flow said: a hold of its tenant keeps the table, whether or not its last day is over."""
    tenant = Scenario("upsert").texts["tenant.yaml"]
    hold = "spec: {holds: [{flows: [Sync/cust*], reason: case 7, owner: legal, until: 2020-01-01}], "
    house = House(tmp_path, ", deletion: delete", {"tenant.yaml": tenant.replace("spec: {", hold)})
    settings = house.without("sync.yaml", "mapping.yaml")

    plan = workflow.plan(settings, allow_deletes=True)

    assert EffectKind.table_dropped not in effects(plan)
    workflow.apply(settings, plan)
    assert house.warehouse.rows()
