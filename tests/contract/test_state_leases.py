"""What every state store promises of leases, on each database: one holder, renewed, fenced off, followed."""

from __future__ import annotations

import os
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from msgspec import structs
from sqlalchemy import select, update

from syncline.model.errors import Bug, Denied, Waiting
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.state import tables
from syncline.state.lease import renew
from tests.contract.state_places import APPLIED, ORDERS, RUN, SEALED, apply

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from syncline.state.sql import SqlStore


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

    def test_the_serial_is_that_of_the_moment_in_which_it_is_taken(self, where, store):
        """Whoever had to wait for the row knows what was committed meanwhile, and not what was so when it asked."""
        other, asked = where.store(), threading.Event()
        with store.lease("run/acme/Sync/orders"):
            pass

        def taken() -> int:
            asked.set()
            with other.lease("run/acme/Sync/orders") as lease:
                return lease.serial

        with ThreadPoolExecutor(1) as pool:
            with store._database.write() as connection:
                connection.execute(update(tables.leases).values(token=tables.leases.c.token + 1))
                connection.execute(update(tables.meta).values(serial=7))
                taking = pool.submit(taken)
                asked.wait()
                time.sleep(0.5)  # until it waits
            assert taking.result(60) == store.serial() == 7

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
        with store.lease("long", ttl=60):
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
        with late.lease("apply", ttl=60) as stale:
            late.begin_apply(stale, "late", "p", "r", ["put"] * 4)
            lapse(late)
            with store.lease("apply") as fresh:
                assert fresh.token > stale.token
                writes = (
                    lambda: late.begin_apply(stale, "later", "p", "r", []),
                    lambda: late.put_object(stale, "late", 0, structs.replace(APPLIED, digest="late")),
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
        with store.lease("apply", ttl=60):
            assert not renew(store._database, stale, 0.001)
            held.__exit__(None, None, None)
            with pytest.raises(Waiting, match=r"another (60|5\d) s"), store.lease("apply"):
                pass

    def test_a_fenced_store_refuses_everything_once_its_lease_went(self, where, store):
        """Under a lease that changed hands, nothing is written: runs, cursors, counters, rejects, records of writes."""
        late = where.store()
        with late.lease("run/acme/Sync/orders", ttl=60) as stale:
            fenced = late.fenced(stale)
            fenced.put_run(structs.replace(RUN, state=RunState.running))
            fenced.put_cursor(ORDERS, "before")
            lapse(late, stale.name)
            with store.lease(stale.name):
                assert late.holds(stale)  # it can't know yet
                writes = (
                    lambda: fenced.put_run(structs.replace(RUN, state=RunState.failed)),
                    lambda: fenced.finish_run(structs.replace(RUN, state=RunState.failed), "late", {"runs": 1}),
                    lambda: fenced.put_cursor(ORDERS, "late"),
                    lambda: fenced.put_rejects(SEALED),
                    lambda: fenced.add_metrics(ORDERS, {"runs": 1}),
                    lambda: fenced.ledger("acme", "crm").begin("acme/Sync/orders", "e"),
                )
                for write in writes:
                    with pytest.raises(Denied, match="no longer holds the lease of run/acme/Sync/orders"):
                        write()
        assert store.cursor(ORDERS) == "before"
        assert store.run_state(RUN.id) is RunState.running
        assert not store.metrics(ORDERS)
        assert not tuple(store.rejects(RUN.id))
        late.put_cursor(ORDERS, "by another way")  # only the fenced one is bound to the lease

    def test_a_fence_upon_a_fence_needs_both_leases(self, where, store):
        """What is fenced twice writes while both leases are held, and gives back what it holds when one went."""
        late = where.store()
        with late.lease("daemon", ttl=60) as outer, late.fenced(outer).lease("apply") as inner:
            both = late.fenced(outer).fenced(inner)
            both.put_cursor(ORDERS, "1")
            lapse(late, "daemon")
            with store.lease("daemon"), pytest.raises(Denied, match="lease of daemon"):
                both.put_cursor(ORDERS, "2")
        assert store.cursor(ORDERS) == "1"
        with store.lease("apply"):
            pass

    def test_a_lease_that_is_not_renewed_in_time_is_not_held(self, where):
        """Whoever can't reach the store to renew a lease knows when it may be somebody else's."""
        store = where.store()
        with store.lease("daemon", ttl=60) as lease:
            assert store.holds(lease)
            store._renewals._held[lease] = structs.replace(store._renewals._held[lease], until=time.monotonic())
            assert not store.holds(lease)
        assert not store.holds(lease)

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
        with where.start(HOLD.format(ttl=60)) as other:
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
        with where.start(HOLD.format(ttl=60)) as other:
            token = int(other.stdout.readline())
            other.kill()
            other.wait()
            with store.lease("apply") as lease:
                assert lease.token > token

    def test_a_clock_that_was_set_back_makes_nobody_wait_for_longer(self, where, store):
        """A lease that ends hours from now, since the clock was ahead when it was taken, ends a minute from now.

        Who holds it still loses nothing by that: it keeps its token, and renews it.
        """
        with store.lease("apply", ttl=60) as lease:
            ends(store, lease.expires + 7200)
            with pytest.raises(Waiting, match=r"another (60|5\d) s"), where.store().lease("apply"):
                pass
            assert lease.expires <= expires(store) < lease.expires + 3600
            store.prove(lease)
            assert store.holds(lease)
            assert renew(store._database, lease, 60)

    def test_no_lease_lasts_longer_than_one_may(self, store):
        """One that did could be taken from who holds it."""
        with pytest.raises(Bug, match="lasts 60 s at most, and not 61 s"), store.lease("apply", ttl=61):
            pass

    def test_who_lost_one_lease_takes_no_other_under_it(self, where, store):
        """A fenced store refuses to take a lease, and leaves it free for whoever may."""
        late = where.store()
        with late.lease("daemon", ttl=60) as outer:
            lapse(late, "daemon")
            with store.lease("daemon"):
                with pytest.raises(Denied, match="lease of daemon"), late.fenced(outer).lease("apply"):
                    pass
                with store.lease("apply") as lease:
                    assert lease.token == 1

    def test_a_holder_elsewhere_is_followed_when_its_time_is_over(self, where, store):
        """A holder that can't be looked at keeps its lease for its time, and not longer."""
        held = store.lease("apply", ttl=60)
        held.__enter__()
        elsewhere(store)
        with pytest.raises(Waiting), where.store().lease("apply"):
            pass
        lapse(store)
        with where.store().lease("apply"):
            pass
        held.__exit__(None, None, None)


def expires(store: SqlStore) -> float:
    """When the lease runs out, as others see it."""
    with store._database.read() as connection:
        return connection.execute(select(tables.leases.c.expires).where(tables.leases.c.name == "apply")).scalar_one()


def lapse(store: SqlStore, name: str = "apply") -> None:
    """Lets a lease run out, as if its holder had slept."""
    with store._database.write() as connection:
        now = store._database.now(connection)
        connection.execute(update(tables.leases).where(tables.leases.c.name == name).values(expires=now))


def ends(store: SqlStore, at: float) -> None:
    """Has the lease end then, as if another clock had said when."""
    with store._database.write() as connection:
        connection.execute(update(tables.leases).where(tables.leases.c.name == "apply").values(expires=at))


def elsewhere(store: SqlStore) -> None:
    """Makes a lease look as if its holder were on another machine."""
    with store._database.write() as connection:
        connection.execute(
            update(tables.leases).where(tables.leases.c.name == "apply").values(process="elsewhere 1 b n 1")
        )


def test_a_session_that_falls_silent_in_a_transaction_is_ended(postgres_server_url, monkeypatch):
    """Whoever was cut off in the middle of a transaction keeps others from its rows for so long at most."""
    from sqlalchemy import text

    from syncline.model.errors import Again
    from syncline.state import database

    monkeypatch.setattr(database, "SILENT_SECONDS", 1)
    opened = database.open_postgresql(postgres_server_url, "public")

    def silent() -> None:
        with opened.write() as connection:
            connection.execute(text("SELECT 1"))
            time.sleep(2.5)
            connection.execute(text("SELECT 1"))

    with pytest.raises(Again):
        silent()
    opened.close()


def test_who_waits_for_a_silent_session_of_ours_ends_it(postgres_server_url, monkeypatch):
    """A row that a silent transaction holds is waited for so long and no longer; the next try has it."""
    from sqlalchemy import text

    from syncline.model.errors import Again
    from syncline.state import database
    from tests.servers import postgres_database

    monkeypatch.setattr(database, "LOCK_SECONDS", 1)
    with postgres_database(postgres_server_url) as url:
        cut_off, other = database.open_postgresql(url, "public"), database.open_postgresql(url, "public")
        with other.write() as connection:
            connection.execute(text("CREATE TABLE held AS SELECT 1 AS number"))
        silent = cut_off.engine.connect()
        silent.execute(text("UPDATE held SET number = 2"))

        with pytest.raises(Again), other.write() as connection:
            connection.execute(text("UPDATE held SET number = 3"))
        with other.write() as connection:
            connection.execute(text("UPDATE held SET number = 3"))
        silent.invalidate()
        silent.close()
        cut_off.close()
        other.close()


def test_silent_sessions_of_others_are_left_alone(postgres_server_url, monkeypatch):
    """Who waits in vain for a row of the state ends no session of data's or of another state's, silent or not."""
    import psycopg
    from sqlalchemy import text

    from syncline.model.errors import Again
    from syncline.state import database
    from tests.servers import postgres_database

    monkeypatch.setattr(database, "LOCK_SECONDS", 1)
    with postgres_database(postgres_server_url) as url:
        one, other = database.open_postgresql(url, "public"), database.open_postgresql(url, "other")
        with one.write() as connection:
            connection.execute(text("CREATE TABLE held AS SELECT 1 AS number"))
        with psycopg.connect(url, application_name="syncline") as data, other.engine.connect() as another:
            data.execute("UPDATE held SET number = 2")
            another.execute(text("SELECT 1"))
            with pytest.raises(Again, match="is busy: another session has held a row"), one.write() as connection:
                connection.execute(text("UPDATE held SET number = 3"))
            assert data.execute("SELECT number FROM held").fetchone() == (2,)
            assert another.execute(text("SELECT 1")).scalar() == 1
        one.close()
        other.close()


def test_a_migration_is_waited_for(postgres_server_url, monkeypatch):
    """Of two processes that migrate, the second waits past the time that a row is waited for, and doesn't end the first."""
    from syncline.state import database
    from syncline.state.schema import migrate, ready
    from tests.servers import postgres_database

    monkeypatch.setattr(database, "LOCK_SECONDS", 1)
    begun, whole = threading.Event(), threading.Event()
    patient = database.Database.patient

    def slow(self: database.Database, connection: Connection) -> None:
        patient(self, connection)
        if not begun.is_set():
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({zlib.crc32(b'public')})")
            begun.set()
            whole.wait(2)

    monkeypatch.setattr(database.Database, "patient", slow)
    with postgres_database(postgres_server_url) as url, ThreadPoolExecutor(1) as pool:
        first, second = database.open_postgresql(url, "public"), database.open_postgresql(url, "public")
        migrating = pool.submit(migrate, first)
        assert begun.wait(10)
        migrate(second)
        migrating.result()
        assert ready(second)
        first.close()
        second.close()
