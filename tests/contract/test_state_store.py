"""What every state store promises, tried on each database. A new one is one more line in `PLACES`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update

from syncline.model.errors import Bug, Denied, Invalid, Stalled, Waiting
from syncline.model.key import ObjectKey
from syncline.model.run import TRANSITIONS, Counts, RunState
from syncline.state import tables
from syncline.state.empty import EmptyState
from syncline.state.lease import renew
from syncline.state.open import open_reader, open_store
from syncline.state.schema import HEAD
from syncline.state.store import AppliedObject, RunRecord, SealedRejects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.state.sql import SqlStore
    from syncline.state.store import StateReader, StateStore

PLACES = ("sqlite", "postgresql")

ORDERS = ObjectKey("acme", "Sync", "orders")
APPLIED = AppliedObject(ORDERS, "d1", '{"a":"ä"}', "orders.yaml:1:1", "r1", "p1", 1, "2026-11-25T18:00:00Z")
RUN = RunRecord("20261125T181500-abc123", ORDERS, RunState.pending, "manual", "r1", "p1", "2026-11-25T18:15:00Z")
SEALED = SealedRejects(RUN.id, 0, 2, {"email": 2}, b"\x00sealed\xff")


@dataclass
class Where:
    """A database without state, and the stores opened on it, which are closed with it."""

    url: str
    schema: str
    opened: list[StateReader]

    def store(self) -> SqlStore:
        """One more store on the same state."""
        store = open_store(self.url, schema=self.schema)
        self.opened.append(store)
        return store

    def reader(self) -> StateReader:
        """One more reader of the same state."""
        self.opened.append(open_reader(self.url, schema=self.schema))
        return self.opened[-1]

    def start(self, code: str) -> subprocess.Popen[str]:
        """A process with a `store` that runs `code`; its standard input and output are ours."""
        head = (
            "import sys\n"
            "from syncline.state.open import open_store\n"
            "store = open_store(sys.argv[1], schema=sys.argv[2])\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", head + code, self.url, self.schema],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Where]:
    """An empty place for state in each database."""
    schema = f"s{uuid.uuid4().hex[:12]}"
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/.syncline/state.db" if sqlite else request.getfixturevalue("postgres_url")
    made = Where(url, schema, [])
    yield made
    for store in made.opened:
        store.close()


@pytest.fixture
def store(where: Where) -> SqlStore:
    """A new store."""
    return where.store()


def apply(store: StateStore, *objects: AppliedObject, name: str = "apply-1") -> int:
    """Applies declarations; the serial after it."""
    with store.lease("apply") as lease:
        store.begin_apply(lease, name, "p1", "r1", [f"put {o.key}" for o in objects])
        for index, applied in enumerate(objects):
            store.put_object(lease, name, index, applied)
        return store.finish_apply(lease, name)


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
        assert (store.open_runs(ORDERS), store.run_state(RUN.id)) == ((), None)
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
        driver = Path(__file__).with_name("state_crash.py")
        done = subprocess.run(
            [sys.executable, str(driver), where.url, where.schema], check=True, capture_output=True, text=True
        )
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


HOLD = "with store.lease('apply', ttl={ttl}) as lease:\n    print(lease.token, flush=True)\n    input()\n"


class TestLease:
    def test_a_second_holder_waits(self, where, store):
        """While one holds a lease, another is told who it is and for how long; another name is free."""
        with store.lease("apply") as lease:
            with pytest.raises(Waiting) as caught, where.store().lease("apply"):
                pass
            with store.lease("run acme/Sync/orders"):
                pass
        assert caught.value.code == "SYN610"
        assert caught.value.on == lease.holder
        assert str(os.getpid()) in lease.holder
        assert caught.value.message.startswith(f"{lease.holder} holds the lease of apply for another ")

    def test_a_named_holder_is_shown_with_its_process(self, store):
        """A holder that gave itself a name is shown with it."""
        with (
            store.lease("apply", "syncline daemon"),
            pytest.raises(Waiting, match=rf"^syncline daemon \(.*:{os.getpid()}\) holds"),
            store.lease("apply"),
        ):
            pass

    def test_token_rises_with_each_holder(self, store):
        """Each holder has a higher token than the one before."""
        tokens = []
        for _ in range(3):
            with store.lease("apply") as lease:
                tokens.append(lease.token)
        assert tokens == sorted(set(tokens))

    def test_an_error_gives_the_lease_back(self, store):
        """A block that fails frees its lease."""
        with pytest.raises(ZeroDivisionError), store.lease("apply"):
            raise ZeroDivisionError
        with store.lease("apply"):
            pass

    def test_a_lease_is_renewed(self, store):
        """The end of a lease moves on while its holder lives."""
        with store.lease("apply", ttl=3) as lease:
            until = time.monotonic() + 120
            while expires(store) <= lease.expires:
                assert time.monotonic() < until
                time.sleep(0.02)

    def test_leases_held_at_once_are_each_renewed(self, store):
        """A short lease that is taken while a long one is held is renewed in its own time, and again after a pause."""
        with store.lease("long", ttl=600):
            for _ in range(2):
                with store.lease("apply", ttl=3) as lease:
                    until = time.monotonic() + 120
                    while expires(store) <= lease.expires:
                        assert time.monotonic() < until
                        time.sleep(0.02)

    def test_a_holder_that_stopped_is_fenced_off(self, where, store):
        """Who took over a lapsed lease writes; every late write of the earlier holder is refused and has no effect."""
        apply(store, APPLIED)
        late = where.store()
        with late.lease("apply", ttl=600) as stale:
            late.begin_apply(stale, "late", "p", "r", ["put"] * 4)
            lapse(late)
            with store.lease("apply") as fresh:
                assert fresh.token > stale.token
                writes = (
                    lambda: late.begin_apply(stale, "later", "p", "r", []),
                    lambda: late.put_object(stale, "late", 0, replace(APPLIED, digest="late")),
                    lambda: late.move_object(stale, "late", 1, ORDERS, ObjectKey("", "Sync", "late")),
                    lambda: late.delete_object(stale, "late", 2, ORDERS),
                    lambda: late.reset_cursor(stale, "late", 3, ORDERS),
                    lambda: late.finish_apply(stale, "late"),
                )
                for write in writes:
                    with pytest.raises(Denied, match="no longer holds the lease of apply") as caught:
                        write()
                    assert caught.value.code == "SYN611"
            # Giving back what it no longer has, the stale holder doesn't free the lease of the other.
        assert store.objects() == (APPLIED,)
        assert [entry.done for entry in store.unfinished_apply()] == [False] * 4

    def test_the_end_of_a_stale_holder_leaves_the_lease_alone(self, where, store):
        """A holder that lost its lease can't free or renew it for its follower."""
        held = where.store().lease("apply")
        stale = held.__enter__()
        lapse(store)
        with store.lease("apply", ttl=600):
            assert not renew(store._database, stale, 0.001)
            held.__exit__(None, None, None)
            with pytest.raises(Waiting, match=r"another (600|5\d\d) s"), store.lease("apply"):
                pass

    def test_a_lease_given_back_is_of_no_use(self, store):
        """A write with a lease after its block is refused, even if nobody else took it."""
        with store.lease("apply") as lease:
            pass
        with pytest.raises(Denied):
            store.begin_apply(lease, "1", "p", "r", [])

    def test_of_many_threads_one_gets_it(self, where):
        """Of eight threads that want a lease at once, exactly one gets it."""
        stores = [where.store() for _ in range(8)]
        gate, ended = threading.Barrier(8, timeout=120), threading.Barrier(8, timeout=120)

        def take(store: SqlStore) -> bool:
            gate.wait()
            try:
                with store.lease("apply"):
                    ended.wait()
                    return True
            except Waiting:
                ended.wait()
                return False

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(take, stores)) == [False] * 7 + [True]

    def test_another_process_waits_for_ours(self, where, store):
        """A process is refused while another one holds the lease, and gets it afterwards."""
        with where.start(HOLD.format(ttl=600)) as other:
            assert other.stdout.readline().strip().isdecimal()
            with pytest.raises(Waiting) as caught, store.lease("apply"):
                pass
            assert caught.value.on.endswith(f":{other.pid}")
            other.communicate("go\n", timeout=120)
        with store.lease("apply"):
            pass

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc to know about processes")
    def test_a_killed_holder_is_followed_at_once(self, where, store):
        """After kill -9 of the holder the lease is free without waiting, and the token shows the change of hands."""
        with where.start(HOLD.format(ttl=600)) as other:
            token = int(other.stdout.readline())
            other.kill()
            other.wait()
            with store.lease("apply") as lease:
                assert lease.token > token

    def test_a_holder_elsewhere_is_followed_when_its_time_is_over(self, where, store):
        """A holder that can't be looked at keeps its lease for its time, and not longer."""
        held = store.lease("apply", ttl=600)
        held.__enter__()
        elsewhere(store)
        with pytest.raises(Waiting), where.store().lease("apply"):
            pass
        lapse(store)
        with where.store().lease("apply"):
            pass
        held.__exit__(None, None, None)


class TestRuns:
    def test_run_comes_back_as_it_was(self, store):
        """Every field of a run survives, the receipt's exact text included."""
        full = replace(
            RUN,
            state=RunState.failed,
            finished="2026-11-25T18:16:00Z",
            counts=Counts(2**40, 1, 2, 3, 4, 5, 6),
            error="SYN401: ä\u2028",
            error_code="SYN401",
            parent="20261124T181500-abc123",
            receipt={"n": 2**53 + 1, "text": "\u0000 ä", "none": None, "list": [1, [2.5]]},
        )
        store.put_run(full)
        assert store.run(full.id) == full
        assert store.runs() == (full,)

    def test_text_of_bad_input_is_kept_readable(self, store):
        """NULs and lone surrogates, which bad input brings into messages, are replaced and never fail the record."""
        store.put_run(replace(RUN, error="bad \0 and \ud800"))
        store.log(RUN.id, "error", "bad \0 and \ud800")
        assert store.run(RUN.id).error == store.logs(RUN.id)[0].message == "bad \ufffd and ?"

    @pytest.mark.parametrize("before", list(RunState))
    @pytest.mark.parametrize("after", list(RunState))
    def test_only_known_transitions(self, store, before, after):
        """A recorded run goes only where the table of transitions says; refused, it stays as it was."""
        for number, state in enumerate(way_to(before)):
            store.put_run(replace(RUN, state=state, error=str(number)))
        kept = store.run(RUN.id)
        if after is before or after in TRANSITIONS[before].values():
            store.put_run(replace(RUN, state=after))
            assert store.run(RUN.id).state is after
        else:
            with pytest.raises(Bug, match=f"is {before} and can't become {after}"):
                store.put_run(replace(RUN, state=after))
            assert store.run(RUN.id) == kept

    @pytest.mark.parametrize("first", list(RunState))
    def test_a_new_run_was_pending(self, store, first):
        """A run that is new can be recorded in any state that a pending run may have next."""
        if first is RunState.pending or first in TRANSITIONS[RunState.pending].values():
            store.put_run(replace(RUN, state=first))
        else:
            with pytest.raises(Bug):
                store.put_run(replace(RUN, state=first))
            assert store.run(RUN.id) is None

    def test_newest_first(self, store):
        """Runs are listed from the newest, of one object or of all, and no more than asked for."""
        other = ObjectKey("acme", "Sync", "other")
        runs = [
            replace(
                RUN, id=f"2026112{n}T000000-aaaaaa", started=f"2026-11-2{n}T00:00:00Z", key=other if n % 2 else ORDERS
            )
            for n in range(6)
        ]
        for run in (runs[3], runs[0], runs[5], runs[1], runs[4], runs[2]):
            store.put_run(run)
        assert store.runs() == tuple(reversed(runs))
        assert store.runs(ORDERS) == (runs[4], runs[2], runs[0])
        assert store.runs(limit=2) == (runs[5], runs[4])

    def test_open_runs_are_those_that_can_go_on(self, store):
        """Of an object's newest runs those that are not final, newest first, and no other object's."""
        for number, state in enumerate(RunState):
            run = replace(RUN, id=f"run-{number}", started=f"2026-11-25T18:15:0{number}Z")
            for way in way_to(state):
                store.put_run(replace(run, state=way))
        store.put_run(replace(RUN, id="other", key=ObjectKey("other", "Sync", "orders")))
        found = store.open_runs(ORDERS)
        assert found == tuple(r for r in store.runs(ORDERS) if TRANSITIONS[r.state])
        assert [r.state for r in found] == [RunState.interrupted, RunState.running, RunState.pending]
        assert [r.id for r in store.open_runs(ORDERS, 4)] == ["run-2"]

    def test_a_runs_state_is_asked_by_its_whole_id(self, store):
        """The state of a run, and nothing for the beginning of its id."""
        store.put_run(RUN)
        assert (store.run_state(RUN.id), store.run_state(RUN.id[:-1])) == (RunState.pending, None)

    def test_a_run_its_checkpoint_and_its_counters_end_together(self, store):
        """All three are there after it; the cursor stays where none is given."""
        store.put_run(replace(RUN, state=RunState.running))
        done = replace(RUN, state=RunState.succeeded, finished="2026-11-25T18:16:00Z", receipt={"run": RUN.id})
        store.finish_run(done, "7", {"runs": 1})
        assert (store.run(RUN.id), store.cursor(ORDERS)) == (done, "7")
        store.finish_run(done, None, {"runs": 1})
        assert store.cursor(ORDERS) == "7"
        assert sum(m.values["runs"] for m in store.metrics(ORDERS)) == 2

    def test_a_run_that_may_not_end_leaves_nothing(self, store):
        """A refused transition, or a state that is not final, keeps neither checkpoint nor counters."""
        store.put_run(RUN)
        for state in (RunState.succeeded, RunState.running):
            with pytest.raises(Bug):
                store.finish_run(replace(RUN, state=state), "7", {"runs": 1})
        assert (store.run(RUN.id), store.cursor(ORDERS), store.metrics(ORDERS)) == (RUN, None, ())

    def test_found_by_a_unique_beginning(self, store):
        """The beginning of an id finds a run if it is long enough and only one has it; wildcards stand for themselves."""
        one, two = replace(RUN, id="20261125T181500-abc123"), replace(RUN, id="20261125T181501-def456")
        store.put_run(one)
        store.put_run(two)
        assert store.run("20261125T181501") == two
        assert store.run(one.id) == one
        assert store.run("20261125T1815%") is None
        assert store.run("20261125T18150_") is None
        with pytest.raises(Invalid, match=f"{two.id}, {one.id}") as caught:
            store.run("20261125T1815")
        assert caught.value.code == "SYN616"

    def test_too_short_a_beginning_is_refused(self, store):
        """Fewer than six characters are too few, even where only one run has them."""
        store.put_run(RUN)
        with pytest.raises(Invalid, match=RUN.id):
            store.run(RUN.id[:5])
        assert store.run(RUN.id[:6]) == RUN
        assert store.run("1999") is None

    def test_recorded_by_many_at_once(self, where):
        """Threads of several stores that record runs at once lose none, and one run recorded twice at once is one."""
        stores = [where.store() for _ in range(4)]

        def record(number: int) -> None:
            store = stores[number % 4]
            for n in range(10):
                run = replace(RUN, id=f"20261125T181500-{number:02}{n:02}")
                for state in (RunState.pending, RunState.running, RunState.succeeded):
                    store.put_run(replace(run, state=state))
                store.put_cursor(ORDERS, f"{number} {n}")
                store.add_metrics(ORDERS, {"operations": 1, "bytes": 10})
            store.put_run(RUN)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(record, range(8)))
        runs = stores[0].runs(limit=1000)
        assert len(runs) == 81
        assert {run.state for run in runs if run.id != RUN.id} == {RunState.succeeded}
        totals = [m.values for m in stores[0].metrics(ORDERS)]
        assert sum(v["operations"] for v in totals) == 80
        assert sum(v["bytes"] for v in totals) == 800


class TestEvidence:
    def test_cursor_is_replaced(self, store):
        """A cursor is what was put last."""
        store.put_cursor(ORDERS, "1")
        store.put_cursor(ORDERS, '{"after":"ü"}')
        assert store.cursor(ORDERS) == '{"after":"ü"}'
        assert store.cursors() == {ORDERS: '{"after":"ü"}'}

    def test_rejects_come_back_in_order(self, store):
        """Sealed rejects read back byte for byte and in order, however many; the same sequence replaces."""
        store.put_run(RUN)
        many = [replace(SEALED, sequence=n, blob=os.urandom(100)) for n in range(40)]
        for sealed in reversed(many):
            store.put_rejects(sealed)
        store.put_rejects(many[7])
        assert list(store.rejects(RUN.id)) == many
        many[7] = replace(many[7], count=1, blob=b"")
        store.put_rejects(many[7])
        assert list(store.rejects(RUN.id)) == many

    def test_rejects_of_uncommitted_batches_are_dropped(self, store):
        """Dropping from a sequence on keeps those before it, and those of other runs."""
        other = replace(RUN, id="20261125T181501-def456")
        for run in (RUN, other):
            store.put_run(run)
            for n in range(3):
                store.put_rejects(replace(SEALED, run=run.id, sequence=n))
        store.drop_rejects(RUN.id, 1)
        assert [r.sequence for r in store.rejects(RUN.id)] == [0]
        assert [r.sequence for r in store.rejects(other.id)] == [0, 1, 2]

    def test_retried_rejects_are_marked(self, store):
        """Rejects say which run retried them."""
        store.put_run(RUN)
        store.put_rejects(SEALED)
        store.mark_retried(RUN.id, "20261125T190000-abc123")
        assert list(store.rejects(RUN.id)) == [replace(SEALED, retried="20261125T190000-abc123")]

    def test_log_keeps_its_order(self, store):
        """Lines of a run's log come back in order, with their time, operation and details."""
        store.put_run(RUN)
        store.log(RUN.id, "info", "page 1", operation="read", details={"page": 1})
        store.log(RUN.id, "error", "page 2")
        first, second = store.logs(RUN.id)
        assert (first.level, first.message, first.operation, first.details) == ("info", "page 1", "read", {"page": 1})
        assert (second.level, second.message, second.operation, second.details) == ("error", "page 2", "", {})
        assert first.time.endswith("Z")
        assert first.time <= second.time

    def test_metrics_add_up_by_the_hour(self, store):
        """Counters of the same hour add up, and each object has its own."""
        store.add_metrics(ORDERS, {"operations": 1, "seconds": 0.25})
        store.add_metrics(ORDERS, {"operations": 2, "errors": 1})
        store.add_metrics(ORDERS, {})
        store.add_metrics(ObjectKey("other", "Sync", "orders"), {"operations": 50})
        periods = store.metrics(ORDERS)
        total: dict[str, float] = {}
        for period in periods:
            assert (period.key, period.start[13:], period.end[13:]) == (ORDERS, ":00:00Z", ":00:00Z")
            for counter, value in period.values.items():
                total[counter] = total.get(counter, 0) + value
        assert total == {"operations": 3, "seconds": 0.25, "errors": 1}


def replace_place(where: Where) -> Where:
    """Another state beside it, whose stores are closed with the first."""
    return Where(where.url.replace("state.db", "other.db"), f"{where.schema}_other", where.opened)


def way_to(state: RunState) -> tuple[RunState, ...]:
    """States that lead to one, from the first."""
    ways = {RunState.pending: (), RunState.running: (RunState.pending,)}
    return (*ways.get(state, (RunState.pending, RunState.running)), state)


def set_version(store: SqlStore, table: str, version: str) -> None:
    """Pretends that another program wrote the state."""
    with store._database.write() as connection:
        connection.exec_driver_sql(f"UPDATE {table} SET version_num = '{version}'")


def expires(store: SqlStore) -> float:
    """When the lease runs out, as others see it."""
    with store._database.read() as connection:
        return connection.execute(select(tables.leases.c.expires).where(tables.leases.c.name == "apply")).scalar_one()


def lapse(store: SqlStore) -> None:
    """Lets a lease run out, as if its holder had slept."""
    with store._database.write() as connection:
        now = store._database.now(connection)
        connection.execute(update(tables.leases).where(tables.leases.c.name == "apply").values(expires=now))


def elsewhere(store: SqlStore) -> None:
    """Makes a lease look as if its holder were on another machine."""
    with store._database.write() as connection:
        connection.execute(
            update(tables.leases).where(tables.leases.c.name == "apply").values(process="elsewhere 1 b n 1")
        )
