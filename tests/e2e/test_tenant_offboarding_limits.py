"""What an offboarding must not take away, and what it must not say: others' tables, flows that run, who came back."""

from __future__ import annotations

import sqlite3

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.key import ObjectKey
from syncline.state.open import open_store
from syncline.tenancy.offboarding import offboard
from tests.e2e import house
from tests.e2e.test_tenant_offboarding import commit, git, left, lived_in, retired, wanted

NAMES = ("tenant", "source", "mapping", "warehouse", "sync")


def destinations_of(done):
    return {step.subject: step for step in done.steps if step.what == "destination"}


def count(path, table):
    database = sqlite3.connect(path)
    try:
        ((found,),) = database.execute(f'SELECT count(*) FROM "{table}"').fetchall()
        return found
    finally:
        database.close()


def test_a_table_that_another_tenant_writes_stays(tmp_path):
    """A tenant that was renamed goes on with the table: it keeps its rows, and their ownership, without the former."""
    root = tmp_path / "repo"
    root.mkdir()
    texts = dict(house.Scenario("upsert").texts)
    texts["warehouse.yaml"] = texts["warehouse.yaml"].replace(", tenant: acme", "")
    texts["sync.yaml"] = texts["sync.yaml"].replace("read: full", "read: full, deletion: delete")
    settings = house.build(root, texts)
    (root / ".gitignore").write_text(".syncline/\n*.db\ndata/\n")
    git(root, "init", "-q")
    house.customers(root, 20)
    commit(root, "Acme")
    workflow.apply(settings)
    workflow.run(settings, house.FLOW, progress=Silent())
    for name in NAMES:
        if name != "warehouse":
            path = root / f"{name}.yaml"
            path.write_text(path.read_text().replace("acme", "acme-eu").replace("deletion: delete", "deletion: retain"))
    commit(root, "Acme is acme-eu")
    workflow.apply(settings, allow_deletes=True)
    workflow.run(settings, ObjectKey("acme-eu", "Sync", "customers"), progress=Silent())
    rows, owned = count(root / "warehouse.db", "customers"), count(root / "warehouse.db", "_syncline_tables")
    assert rows
    assert owned

    done, _ = offboard(settings, "acme", wanted(settings), lambda _: None)

    assert done.finished
    assert destinations_of(done)["acme/Sync/customers"].message == "rows stay, since another flow writes them"
    assert count(root / "warehouse.db", "customers") == rows
    assert count(root / "warehouse.db", "_syncline_tables") == owned
    again = workflow.run(settings, ObjectKey("acme-eu", "Sync", "customers"), progress=Silent())
    assert again.receipt is not None


def test_a_flow_that_is_busy_is_not_given_up(tmp_path):
    """What only has to be waited for is tried again, whatever --give-up says."""
    settings = retired(lived_in(tmp_path / "repo"))
    store = open_store(settings.state_url)
    try:
        with store.lease("run/acme/Sync/customers", "somebody's run"):
            done, proof = offboard(settings, "acme", wanted(settings, give_up=True), lambda _: None)
    finally:
        store.close()
    assert destinations_of(done)["acme/Sync/customers"].state == "failed"
    assert (done.finished, proof) == ("", b"")
    assert left(settings)[1]
    done, _ = offboard(settings, "acme", wanted(settings), lambda _: None)
    assert destinations_of(done)["acme/Sync/customers"].state == "done"
