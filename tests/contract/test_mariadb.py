"""What only MariaDB has: tables that commit, LOAD DATA, other unique keys, and its own ways to fail."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from syncline.connectors.sql.mariadb import database as mariadb
from syncline.connectors.sql.mariadb.database import MariadbDatabase
from syncline.connectors.sql.runtime import check
from syncline.connectors.sql.settings import settings
from syncline.model.errors import Again, Denied, Invalid, Stalled
from syncline.model.secret import Secret
from syncline.sdk.destination import Fence, Refusal, Written, refusals
from syncline.sdk.source import Credentials
from tests import warm
from tests.contract.mariadb_run import BATCHES, rows
from tests.contract.sql_places import FLOW, Place, frame_of, mariadb_place, schema_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.sdk.destination import WriteMode

ORDERS = schema_of({"id": "integer", "name": "string", "total": "decimal(14,2)"}, "id")
ROW = frame_of(ORDERS, (1, "secret-value", Decimal(1)))


@pytest.fixture
def server(mariadb_server_url: str, tmp_path: Path) -> Iterator[Place]:
    """A database of its own on the server."""
    place = mariadb_place(mariadb_server_url, tmp_path)
    yield place
    place.close()


class TestReaching:
    def test_nobody_answers(self, server: Place):
        """A server that can't be reached is worth another try."""
        with pytest.raises(Again) as caught:
            check(replace(server.instance, config={"url": "mariadb://127.0.0.1:1/x"}))

        assert caught.value.code == "SYN480"

    def test_no_such_database(self, server: Place):
        """A database that isn't there needs a person."""
        other = urlsplit(server.url)._replace(path="/none_such").geturl()
        with pytest.raises(Stalled, match="none_such") as caught:
            check(replace(server.instance, config={"url": other}))

        assert caught.value.code == "SYN482"

    def test_no_such_user(self, server: Place):
        """A user that the server refuses needs a person, and the password is not told."""
        login = Credentials("basic", {"username": "nobody_here"}, {"password": Secret("geheim")})
        with pytest.raises(Stalled) as caught:
            check(replace(server.instance, credentials=login))

        assert caught.value.code == "SYN482"
        assert "geheim" not in repr(caught.value)

    def test_a_server_without_tls(self, server: Place):
        """Where TLS is asked for, a server that has none, or whose certificate can't be verified, is not talked to."""
        with pytest.raises((Stalled, Again)) as caught:
            check(replace(server.instance, config={**server.instance.config, "tls": "verify"}))

        assert caught.value.code == "SYN482"

    def test_a_check(self, server: Place):
        """The check names the database, the server and the user."""
        reached = check(server.instance)

        assert f"database {urlsplit(server.url).path[1:]}, at " in reached.place
        assert reached.identity.startswith(server.login["user"])


class TestLoading:
    def test_no_file_is_opened(self, server: Place):
        """Whatever file the server asks for, it gets the rows that it was to get."""
        server.execute("CREATE TABLE items (line longtext CHARACTER SET utf8mb4)")
        found = settings(server.instance)
        database = MariadbDatabase(found)  # type: ignore[arg-type]
        database.copy("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE items", (b"ours\n",), 1)
        database.close()

        assert server.execute("SELECT line FROM items") == [("ours",)]

    def test_what_is_only_a_warning_to_the_server(self, server: Place):
        """Rows that LOAD DATA would drop in silence, since a key is there, are an error, and nothing is written."""
        server.open().open(target_of(ORDERS, "append")).write(ROW, "1")
        server.execute("CREATE UNIQUE INDEX by_id ON orders (id)")
        with pytest.raises(Invalid, match="'by_id'") as caught:
            server.open().open(target_of(ORDERS, "append")).write(ROW, "2")

        assert caught.value.code == "SYN486"
        assert "secret-value" not in str(caught.value)
        assert (server.open().checkpoint(FLOW), len(server.read("orders", ORDERS))) == ("1", 1)

    def test_a_check_of_the_table(self, server: Place):
        """Rows that a constraint of the table refuses are an error that names it, without a value."""
        server.open().open(target_of(ORDERS)).write(ROW, "1")
        server.execute("ALTER TABLE orders ADD CONSTRAINT cheap CHECK (total < 100)")
        with pytest.raises(Invalid, match="'cheap'|orders.cheap") as caught:
            server.open().open(target_of(ORDERS)).write(frame_of(ORDERS, (2, "secret-value", Decimal(1000))), "2")

        assert "secret-value" not in str(caught.value)
        assert len(server.read("orders", ORDERS)) == 1


class TestKeys:
    def test_another_unique_key_takes_no_row(self, server: Place):
        """A row whose e-mail another key has already is an error, and never an update of that other row."""
        people = schema_of({"id": "integer", "mail": "string", "age": "integer"}, "id")
        server.open().open(target_of(people)).write(frame_of(people, (1, "a", 1), (2, "b", 2)), "1")
        server.execute("CREATE UNIQUE INDEX by_age ON orders (age)")
        writer = server.open().open(target_of(people))
        written = writer.write(frame_of(people, (1, "a", 1), (2, "c", 2), (3, "d", 3)), "2")
        with pytest.raises(Invalid, match="'by_age'"):
            writer.write(frame_of(people, (9, "x", 1)), "3")

        assert written == Written(1, 1, 1)
        assert server.read("orders", people) == [(1, "a", 1), (2, "c", 2), (3, "d", 3)]

    def test_texts_that_collations_take_for_one(self, server: Place):
        """Keys that differ in case, accents or spaces at their end only are different keys."""
        schema = schema_of({"key": "string", "n": "integer"}, "key")
        keys = ("a", "A", "ä", "a ", "", " ")
        writer = server.open().open(target_of(schema))
        writer.write(frame_of(schema, *((key, n) for n, key in enumerate(keys))), "1")

        assert writer.write(frame_of(schema, ("a ", 7)), "2") == Written(0, 1)
        assert dict(server.read("orders", schema)) == {**{key: n for n, key in enumerate(keys)}, "a ": 7}

    def test_long_keys(self, server: Place):
        """A key too long for an index is refused by row; the longest of the widest characters is held."""
        schema = schema_of({"key": "string", "day": "integer"}, "key", "day")
        writer = server.open().open(target_of(schema))
        frame = frame_of(schema, ("😀" * 700, 1), ("😀" * 701, 1))

        assert refusals(writer, frame) == [Refusal(1, "key", "a key of more than 700 characters can't be held")]
        assert writer.write(frame.head(1), "1").inserted == 1


class TestReplacing:
    def test_what_points_to_the_table(self, server: Place):
        """A table that a foreign key of another points to isn't replaced, and stays as it is."""
        server.open().open(target_of(ORDERS)).write(ROW, "1")
        server.execute("CREATE TABLE items (id bigint, FOREIGN KEY of_order (id) REFERENCES orders (id))")
        writer = server.open().open(target_of(ORDERS, "replace", "run-2"))
        writer.write(frame_of(ORDERS, (2, "n", None)), "a")
        with pytest.raises(Invalid, match="points to it"):
            writer.finish("end")

        assert [row[0] for row in server.read("orders", ORDERS)] == [1]

    def test_a_swap_that_is_not_committed(self, server: Place):
        """Where the run was followed when it swapped, the old table is back at once."""
        server.open().open(target_of(ORDERS)).write(ROW, "1")
        slow = server.open()
        slow.fence(FLOW, Fence("state", 1))
        writer = slow.open(target_of(ORDERS, "replace", "run-2"))
        writer.write(frame_of(ORDERS, (2, "n", None)), "a")
        server.execute("UPDATE _syncline_fences SET token = 2")
        with pytest.raises(Denied):
            writer.finish("end")

        assert [row[0] for row in server.read("orders", ORDERS)] == [1]
        assert "orders__syncline_new" in server.tables()
        assert "orders__syncline_old" not in server.tables()


class TestLeftovers:
    """`orders__syncline_old` is what a run leaves that is killed between its commit and its last drop."""

    def test_rows_of_a_person(self, server: Place):
        """They are found there and deleted there."""
        destination = server.open()
        destination.open(target_of(ORDERS)).write(ROW, "1")
        server.execute("CREATE TABLE orders__syncline_old AS SELECT * FROM orders")

        assert len(destination.find("orders", "name", "secret-value")) == 2
        assert destination.erase(FLOW, "orders", "name", "secret-value") == 2
        assert server.execute("SELECT * FROM orders__syncline_old") == []

    def test_a_table_that_is_dropped(self, server: Place):
        """It goes with the table."""
        destination = server.open()
        destination.open(target_of(ORDERS)).write(ROW, "1")
        server.execute("CREATE TABLE orders__syncline_old AS SELECT * FROM orders")

        assert destination.drop("orders", FLOW)
        assert not [name for name in server.tables() if name.startswith("orders")]

    def test_a_table_that_can_not_be_dropped(self, server: Place):
        """What a foreign key holds is an error that says so, what is beside it goes, and another try is possible."""
        destination = server.open()
        destination.open(target_of(ORDERS)).write(ROW, "1")
        server.execute("CREATE TABLE orders__syncline_old AS SELECT * FROM orders")
        server.execute("CREATE TABLE items (id bigint, FOREIGN KEY of_order (id) REFERENCES orders (id))")
        with pytest.raises(Stalled, match="'orders' can't be dropped") as caught:
            destination.drop("orders", FLOW)

        assert caught.value.code == "SYN486"
        assert "orders__syncline_old" not in server.tables()
        assert destination.checkpoint(FLOW) == "1"
        server.execute("DROP TABLE items")
        assert destination.drop("orders", FLOW)
        assert "orders" not in server.tables()


class TestKilling:
    @pytest.mark.parametrize("mode", ["upsert", "replace"])
    def test_kill_9_at_any_time(self, server: Place, mariadb_server_url: str, mode: WriteMode):
        """A run that is killed at any time and continued, each time, leaves the rows of one that wasn't; nothing is beside."""
        server.open().open(target_of(ORDERS)).write(ROW, "before")
        url = urlsplit(mariadb_server_url)._replace(path=urlsplit(server.url).path).geturl()
        command = [sys.executable, "-m", "tests.contract.mariadb_run", url, mode, "run-2"]
        kills, interrupted, delay = 0, 0, 0.0
        while True:
            with warm.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout.readline() == "begun\n"
                try:
                    out, _ = process.communicate(timeout=delay)
                except subprocess.TimeoutExpired:
                    process.kill()
                    # By a share of it, so that a machine on which a run takes ten times as long sees few kills more.
                    kills, delay = kills + 1, delay * 1.2 + 0.01
                    continue
            if out == "again\n":
                interrupted += 1
                assert interrupted < 5
                continue
            assert out == "done\n"
            break

        expected = {n: (n, f"run-2 {n}", batch) for batch in range(BATCHES) for n, _, batch in rows("run-2", batch)}
        if mode == "upsert":
            expected.setdefault(1, (1, "secret-value", 1))
        assert kills >= 3
        assert server.read("orders", ORDERS) == [expected[n] for n in sorted(expected)]
        assert server.open().checkpoint(FLOW) == "run-2/end"
        assert "orders__syncline_new" not in server.tables()


class TestFallingSilent:
    def test_whoever_is_silent_in_a_transaction_loses_its_locks(self, server: Place):
        """A session that has only locked what it is going to write is ended by the server, like one that has written."""
        server.open().open(target_of(ORDERS)).write(ROW, "1")
        silent, other = server.open()._database, server.open()._database
        assert silent.execute("SELECT @@idle_transaction_timeout, @@idle_write_transaction_timeout") == [(30, 30)]
        silent.execute("SET SESSION idle_transaction_timeout = 1, idle_write_transaction_timeout = 1")
        silent.execute("BEGIN")
        silent.execute("SELECT * FROM orders FOR UPDATE")
        other.execute("UPDATE orders SET name = 'other'")

        with pytest.raises(Again):
            silent.execute("COMMIT")
        assert other.execute("SELECT name FROM orders") == [("other",)]

    def test_whoever_is_silent_outside_of_one_is_ended_by_who_waits(
        self, server: Place, monkeypatch: pytest.MonkeyPatch
    ):
        """The lock on tables outlives what making one commits; a session that keeps it and says nothing is ended."""
        silent, other = server.open()._database, server.open()._database
        silent.lock_tables()
        monkeypatch.setattr(mariadb, "_LOCK", 2)
        with pytest.raises(Again) as caught:
            other.lock_tables()
        assert caught.value.code == "SYN488"
        monkeypatch.setattr(mariadb, "_SILENT", 1)
        other.lock_tables()

        with pytest.raises(Again):
            silent.execute("SELECT 1")


class TestFailing:
    def test_the_connection_is_lost(self, server: Place):
        """A run whose connection was cut goes on over another one, after its last commit."""
        destination = server.open()
        writer = destination.open(target_of(ORDERS))
        writer.write(ROW, "1")
        ((number,),) = destination._database.execute("SELECT connection_id()")
        server.execute(f"KILL {number}")
        with pytest.raises(Again) as caught:
            writer.write(ROW, "2")

        assert caught.value.code == "SYN480"
        assert server.open().checkpoint(FLOW) == "1"

    def test_a_lock_that_is_not_given(self, server: Place):
        """A lock that isn't given in time is worth another try, and leaves nothing."""
        destination, other = server.open(), server.open()
        writer = destination.open(target_of(ORDERS))
        writer.write(ROW, "1")
        destination._database.execute("SET SESSION innodb_lock_wait_timeout = 1")
        with other._database.transaction():
            other._database.execute("SELECT * FROM orders FOR UPDATE")
            with pytest.raises(Again) as caught:
                writer.write(frame_of(ORDERS, (1, "other", None)), "2")

        assert caught.value.code == "SYN488"
        assert server.open().checkpoint(FLOW) == "1"

    def test_cutting(self, server: Place):
        """A destination that is cut raises, and what it had not committed is gone."""
        destination = server.open()
        writer = destination.open(target_of(ORDERS))
        writer.write(ROW, "1")
        destination.cut()
        with pytest.raises(Again):
            writer.write(ROW, "2")

        assert server.open().checkpoint(FLOW) == "1"


class TestCheckpoints:
    @pytest.mark.parametrize("what", ["first", "end", "forget", "move"])
    def test_chapters_go_beside_another_flow(self, server: Place, what: str):
        """Another flow that is about to commit isn't waited for: chapters go by their names, and no other row is looked at."""
        writer = server.open().open(target_of(ORDERS))
        writer.write(ROW, "1\n1 x\n2 y")
        server.open().open(target_of(ORDERS, flow="acme/Sync/other", stream="others")).write(ROW, "1\n1 x")
        doing = {
            "first": lambda: writer.write(ROW, "2\n0\n3 z"),
            "end": lambda: writer.finish("2\n0"),
            "forget": lambda: server.open().forget(FLOW),
            "move": lambda: server.open().move(FLOW, "acme/Sync/renamed"),
        }
        with server.connection() as other, ThreadPoolExecutor(1) as pool:
            other.begin()
            with other.cursor() as cursor:
                cursor.execute("UPDATE _syncline_checkpoints SET run = 'other' WHERE flow = 'acme/Sync/other'")
            done = pool.submit(doing[what])
            ended = wait([done], timeout=5).done
            other.rollback()
            assert ended
            done.result()
        expected = {"first": "2\n3 z", "end": "2", "forget": None, "move": None}
        assert server.open().checkpoint(FLOW) == expected[what]
        assert server.open().checkpoint("acme/Sync/other") == "1\n1 x"
