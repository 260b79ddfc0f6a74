"""What every state store promises of identity, applied objects and the journal of applies, on each database."""

from __future__ import annotations

import json
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from syncline.model.errors import Bug, Stalled
from syncline.model.key import ObjectKey
from syncline.model.retired_flow import RetiredFlow
from syncline.state import tables
from syncline.state.empty import EmptyState
from syncline.state.schema import HEAD
from syncline.state.store import Standing
from tests import warm
from tests.contract.state_places import APPLIED, ORDERS, RUN, SEALED, Where, apply

if TYPE_CHECKING:
    from syncline.state.sql import SqlStore


class TestIdentity:
    def test_new_state_is_empty(self, store):
        """A new state has an identity, serial 0 and nothing in it."""
        assert uuid.UUID(store.lineage).version == 4
        assert (store.serial(), store.objects(), store.cursors(), store.runs(), store.unfinished_apply()) == (
            0,
            (),
            {},
            (),
            (),
        )
        assert (store.object(ORDERS), store.cursor(ORDERS), store.run("20261125")) == (None, None, None)
        assert (store.open_runs(ORDERS), store.run_state(RUN.id), store.standing(ORDERS)) == ((), None, Standing())
        assert (list(store.rejects("x")), store.logs("x"), store.metrics(ORDERS)) == ([], (), ())

    def test_lineage_stays(self, where):
        """Every store and reader of a state sees the same lineage, and another state has another."""
        lineage = where.store().lineage
        assert where.store().lineage == lineage == where.reader().lineage
        other = replace_place(where)
        assert other.store().lineage != lineage
        other.opened[-1].close()

    def test_reader_before_any_state(self, where):
        """A reader before the first apply is empty and leaves the place without state."""
        assert isinstance(where.reader(), EmptyState)
        assert isinstance(where.reader(), EmptyState)

    def test_reader_sees_what_is_applied(self, where, store):
        """A reader that is open sees the changes of a store."""
        reader = where.reader()
        apply(store, APPLIED)
        assert (reader.objects(), reader.serial()) == ((APPLIED,), 1)

    def test_opened_by_many_at_once(self, where):
        """Eight threads and two processes that open a fresh state at once all get the same one."""
        processes = [where.start("print(store.lineage, flush=True)") for _ in range(2)]
        gate = threading.Barrier(8, timeout=120)

        def open_at_once(_: int) -> str:
            gate.wait()
            return where.store().lineage

        with ThreadPoolExecutor(8) as pool:
            seen = set(pool.map(open_at_once, range(8)))
        seen |= {process.communicate(timeout=120)[0].strip() for process in processes}
        assert len(seen) == 1
        assert all(process.returncode == 0 for process in processes)

    def test_newer_state_is_refused(self, where, store):
        """A state that a newer program wrote is refused by stores and readers, and keeps what is in it."""
        apply(store, APPLIED)
        table = "alembic_version" if where.url.startswith("sqlite") else f"{where.schema}.alembic_version"
        set_version(store, table, "9999")
        for opener in (where.store, where.reader):
            with pytest.raises(Stalled) as caught:
                opener()
            assert caught.value.code == "SYN612"
            assert "9999" in caught.value.message
        set_version(store, table, HEAD)
        assert where.store().objects() == (APPLIED,)


class TestObjects:
    def test_object_comes_back_as_it_was(self, store):
        """What is applied reads back equal, by itself and in the list."""
        apply(store, APPLIED)
        assert store.object(ORDERS) == APPLIED
        assert store.objects() == (APPLIED,)

    def test_objects_are_in_key_order(self, store):
        """Objects are listed in the order of their keys, by code point and whatever the database's language."""
        names = ("b", "B", "a-1", "a1", "a.1", "ä", "Z")
        keys = [ObjectKey(tenant, "Sync", name) for tenant in ("", "b", "B") for name in names]
        apply(store, *(replace(APPLIED, key=key) for key in keys))
        assert [o.key for o in store.objects()] == sorted(keys)

    def test_tenants_do_not_see_each_other(self, store):
        """A tenant's objects are its own: neither another's, whose name is alike, nor the shared ones."""
        keys = [ObjectKey(t, "Sync", "orders") for t in ("a", "b", "a_", "a%", "", "A")]
        apply(store, *(replace(APPLIED, key=key) for key in keys))
        for key in keys:
            assert [o.key for o in store.objects(tenant=key.tenant)] == [key]
        assert store.objects(tenant="%") == ()

    def test_generation_counts_changes(self, store):
        """The generation is 1 at first and rises with the digest only, whatever the caller says."""
        apply(store, replace(APPLIED, generation=9), name="1")
        assert store.object(ORDERS).generation == 1
        apply(store, replace(APPLIED, place="moved.yaml:1:1"), name="2")
        assert (store.object(ORDERS).generation, store.object(ORDERS).place) == (1, "moved.yaml:1:1")
        apply(store, replace(APPLIED, digest="d2"), name="3")
        assert store.object(ORDERS).generation == 2

    def test_move_takes_everything_along(self, store):
        """A renamed object keeps its cursor, runs, rejects, log and metrics, and nothing stays under the old name."""
        renamed = ObjectKey("acme", "Sync", "sales")
        apply(store, APPLIED)
        store.put_cursor(ORDERS, "7")
        store.put_run(RUN)
        store.put_rejects(SEALED)
        store.log(RUN.id, "info", "hello")
        store.add_metrics(ORDERS, {"operations": 1})
        store.put_cursor(renamed, "left by an earlier object of this name")
        with store.lease("apply") as lease:
            store.begin_apply(lease, "move", "p2", "r2", ["move"])
            store.move_object(lease, "move", 0, ORDERS, renamed)
            assert store.finish_apply(lease, "move") == 2
        assert store.objects() == (replace(APPLIED, key=renamed),)
        assert store.cursors() == {renamed: "7"}
        assert store.runs(renamed) == (replace(RUN, key=renamed),)
        assert (store.runs(ORDERS), store.metrics(ORDERS)) == ((), ())
        assert (len(list(store.rejects(RUN.id))), len(store.logs(RUN.id)), len(store.metrics(renamed))) == (1, 1, 1)

    def test_move_renames_the_declaration(self, store):
        """What is recorded as applied under the new name says so, before the new declaration is recorded."""
        renamed = ObjectKey("acme", "Sync", "sales")
        document = '{"kind":"Sync","metadata":{"labels":{"a":"ä"},"name":"%s","tenant":"acme"},"spec":{"n":1}}'
        apply(store, replace(APPLIED, document=document % "orders"))
        with store.lease("apply") as lease:
            store.begin_apply(lease, "move", "p2", "r2", ["move"])
            store.move_object(lease, "move", 0, ORDERS, renamed)
            store.finish_apply(lease, "move")
        assert store.objects() == (replace(APPLIED, key=renamed, document=document % "sales"),)

    def test_move_takes_what_a_flow_wrote_elsewhere_along(self, store):
        """Under the new name, beside what a former flow of that has left, the newest first."""
        renamed = ObjectKey("acme", "Sync", "sales")
        document = '{"kind":"Sync","metadata":{"name":"%s"}}'
        mine = RetiredFlow(ORDERS, "1", (document % "orders", "{}"), "2026-11-25T18:00:00Z", led=True)
        theirs = RetiredFlow(renamed, "2", ("[]",), "2026-11-25T17:00:00Z", wrote=False)
        apply(store, APPLIED)
        store.retired_flows().keep([mine, theirs], {})
        with store.lease("apply") as lease:
            store.begin_apply(lease, "move", "p2", "r2", ["move"])
            store.move_object(lease, "move", 0, ORDERS, renamed)
            store.finish_apply(lease, "move")
        moved = replace(mine, key=renamed, documents=(document % "sales", "{}"))
        assert store.retired_flows().of(renamed) == (moved, theirs)
        assert store.retired_flows().of(ORDERS) == ()

    def test_move_of_or_onto_the_wrong_object_is_a_bug(self, store):
        """Moving what isn't there, or onto what is there, changes nothing."""
        other = replace(APPLIED, key=ObjectKey("acme", "Sync", "other"))
        apply(store, APPLIED, other)
        with store.lease("apply") as lease:
            store.begin_apply(lease, "move", "p2", "r2", ["move"])
            with pytest.raises(Bug, match="already"):
                store.move_object(lease, "move", 0, ORDERS, other.key)
            with pytest.raises(Bug, match="not"):
                store.move_object(lease, "move", 0, ObjectKey("x", "Sync", "no"), ObjectKey("x", "Sync", "new"))
        assert (store.objects(), store.serial()) == (
            (APPLIED, other) if APPLIED.key < other.key else (other, APPLIED),
            2,
        )

    def test_delete_keeps_runs(self, store):
        """A deleted object goes with its cursor; its runs stay."""
        apply(store, APPLIED)
        store.put_cursor(ORDERS, "7")
        store.put_run(RUN)
        with store.lease("apply") as lease:
            store.begin_apply(lease, "delete", "p2", "r2", ["delete"])
            store.delete_object(lease, "delete", 0, ORDERS)
            assert store.finish_apply(lease, "delete") == 2
        assert (store.objects(), store.cursors(), store.runs(ORDERS)) == ((), {}, (RUN,))


class TestJournal:
    def test_serial_rises_only_with_changes(self, store):
        """Applying the same declaration again leaves the serial alone; another digest raises it."""
        assert apply(store, APPLIED, name="1") == 1
        assert apply(store, APPLIED, name="2") == 1
        assert apply(store, name="3") == 1
        assert apply(store, replace(APPLIED, digest="d2"), name="4") == 2

    def test_journal_shows_what_is_left(self, store):
        """Between begin and finish the journal lists all steps and which are done; after it, none."""
        with store.lease("apply") as lease:
            store.begin_apply(lease, "1", "p", "r", ["first", "second"])
            store.put_object(lease, "1", 0, APPLIED)
            assert [(e.apply, e.index, e.step, e.done) for e in store.unfinished_apply()] == [
                ("1", 0, "first", True),
                ("1", 1, "second", False),
            ]
            assert store.serial() == 1, "a plan made before an apply that died half-way is stale"
            assert store.finish_apply(lease, "1") == 1
        assert store.unfinished_apply() == ()

    def test_every_call_may_be_repeated(self, store):
        """Beginning, each step and finishing have no second effect when a caller repeats them."""
        with store.lease("apply") as lease:
            for _ in range(2):
                store.begin_apply(lease, "1", "p", "r", ["put", "reset", "delete"])
                store.put_object(lease, "1", 0, APPLIED)
            store.put_cursor(ORDERS, "7")
            store.reset_cursor(lease, "1", 1, ORDERS)
            store.put_cursor(ORDERS, "8")
            store.reset_cursor(lease, "1", 1, ORDERS)
            assert store.cursor(ORDERS) == "8"
            store.put_object(lease, "1", 0, replace(APPLIED, digest="d2"))
            assert store.object(ORDERS) == APPLIED
            assert store.finish_apply(lease, "1") == store.finish_apply(lease, "1") == 2

    def test_a_new_apply_gives_up_the_old(self, store):
        """An apply that died is replaced by the next, whose steps alone are then unfinished."""
        with store.lease("apply") as lease:
            store.begin_apply(lease, "died", "p", "r", ["put"])
            store.begin_apply(lease, "next", "p", "r", ["other"])
            assert [e.step for e in store.unfinished_apply()] == ["other"]
            with pytest.raises(Bug, match="ended before"):
                store.put_object(lease, "died", 0, APPLIED)
        assert store.objects() == ()

    def test_steps_that_were_not_planned_are_bugs(self, store):
        """An unknown apply, an unknown step and other steps under a known name are refused."""
        with store.lease("apply") as lease:
            store.begin_apply(lease, "1", "p", "r", ["put"])
            with pytest.raises(Bug, match="no step 1"):
                store.put_object(lease, "1", 1, APPLIED)
            with pytest.raises(Bug, match="other steps"):
                store.begin_apply(lease, "1", "p", "r", ["another"])
            with pytest.raises(Bug, match="never begun"):
                store.finish_apply(lease, "2")
        assert (store.objects(), store.serial()) == ((), 0)

    def test_old_journals_are_dropped(self, store):
        """The steps of old applies, which hold whole declarations, don't pile up."""
        for number in range(25):
            apply(store, replace(APPLIED, digest=f"d{number}"), name=f"apply-{number}")
        with store._database.read() as connection:
            assert connection.execute(select(func.count()).select_from(tables.steps)).scalar_one() == 20
            assert connection.execute(select(func.count()).select_from(tables.applies)).scalar_one() == 25

    @pytest.mark.slow
    def test_killed_anywhere_the_next_apply_converges(self, where):
        """Killed (SIGKILL) before any change or commit of an apply, the same apply repeated ends alike, at once."""
        command = [sys.executable, "-m", "tests.contract.state_crash", where.url, where.schema]
        done = warm.run(command, cwd=warm.ROOT, check=True, capture_output=True, text=True)
        outcomes = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(outcomes) > 30
        assert [outcome.pop("point") for outcome in outcomes] == list(range(1, len(outcomes) + 1))
        assert [outcome.pop("through") for outcome in outcomes] == [False] * (len(outcomes) - 1) + [True]
        expected = {
            "consistent": True,
            "left": 0,
            "serial": 7,
            "objects": {"acme/Sync/gone": 1, "acme/Sync/kept": 1, "acme/Sync/new": 1},
            "cursors": {},
        }
        assert all(outcome == expected for outcome in outcomes)


def replace_place(where: Where) -> Where:
    """Another state beside it, whose stores are closed with the first."""
    return Where(where.url.replace("state.db", "other.db"), f"{where.schema}_other", where.opened)


def set_version(store: SqlStore, table: str, version: str) -> None:
    """Pretends that another program wrote the state."""
    with store._database.write() as connection:
        connection.exec_driver_sql(f"UPDATE {table} SET version_num = '{version}'")
