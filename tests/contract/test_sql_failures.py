"""What the two databases do when they are away, busy, damaged, or don't allow it: which error it is, and what is left."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from syncline.connectors.sql.runtime import check
from syncline.model.errors import Again, Invalid, Stalled
from syncline.model.secret import Secret
from syncline.sdk.destination import Fence
from syncline.sdk.keep import Keep
from syncline.sdk.source import Credentials
from tests.contract.sql_places import FLOW, Place, frame_of, postgres_place, schema_of, sqlite_place, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORDERS = schema_of({"id": "integer", "name": "string", "total": "decimal(14,2)"}, "id")
ROW = frame_of(ORDERS, (1, "secret-value", Decimal(1)))


@pytest.fixture
def server(postgres_url: str, tmp_path: Path) -> Iterator[Place]:
    """A schema of its own on the server."""
    place = postgres_place(postgres_url, tmp_path)
    yield place
    place.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Place]:
    """A database file."""
    place = sqlite_place(tmp_path)
    yield place
    place.close()


class TestPostgresql:
    def test_nobody_answers(self, server: Place):
        """A server that can't be reached is worth another try."""
        away = replace(server.instance, config={"url": "postgresql://127.0.0.1:1/x"})
        with pytest.raises(Again) as caught:
            check(away)

        assert caught.value.code == "SYN480"

    def test_no_such_database(self, server: Place):
        """A database that isn't there needs a person."""
        head, _, _ = server.url.partition("?")
        other = head.rpartition("/")[0] + "/none_such" + server.url[len(head) :]
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

    def test_an_untrusted_server(self, server: Place):
        """A server whose certificate can't be verified as the URL demands is not talked to."""
        if "host=" in server.url:
            pytest.skip("the server answers at a socket, where TLS means nothing")
        demanding = f"{server.url}?sslmode=verify-full&sslrootcert=/nonexistent/root.crt"
        with pytest.raises(Stalled) as caught:
            check(replace(server.instance, config={"url": demanding}))

        assert caught.value.code == "SYN482"

    def test_no_privilege(self, server: Place):
        """A missing privilege needs a person, and nothing is made."""
        server.open().open(target_of(ORDERS))
        role = f"r_{uuid4().hex[:8]}"
        server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        try:
            login = Credentials("basic", {"username": role}, {"password": Secret("x")})
            guest = Place(replace(server.instance, credentials=login))
            with pytest.raises(Stalled, match="permission denied") as caught:
                guest.open().open(target_of(ORDERS, stream="other"))
            for destination in guest.opened:
                destination.close()
        finally:
            server.execute(f"DROP ROLE {role}")

        assert caught.value.code == "SYN482"
        assert "other" not in server.tables()

    def test_the_connection_is_lost(self, server: Place):
        """A run whose connection was cut goes on over another one, after its last commit."""
        writer = server.open().open(target_of(ORDERS))
        writer.write(ROW, "1")
        server.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'syncline'"
            " AND datname = current_database()"
        )
        with pytest.raises(Again) as caught:
            writer.write(ROW, "2")

        assert caught.value.code == "SYN480"
        assert server.open().checkpoint(FLOW) == "1"

    def test_a_kept_connection(self, server: Place):
        """A connection is used again by the next destination with the same login, unless it was cut meanwhile."""
        backend = "SELECT pg_backend_pid()"
        with Keep() as keep:
            place = Place(replace(server.instance, keep=keep))
            seen = []
            for cut in (False, True, False):
                destination = place.open()
                destination.open(target_of(ORDERS)).write(ROW, "1")
                seen += destination._database.execute(backend)
                destination.close()
                if cut:
                    server.execute("SELECT pg_terminate_backend(?, 5000)", seen[-1][0])
            place.opened.clear()

        assert seen[0] == seen[1] != seen[2]

    def test_a_connection_in_a_transaction_is_not_kept(self, server: Place):
        """What is left open by an error ends with the connection."""
        with Keep() as keep:
            place = Place(replace(server.instance, keep=keep))
            destination = place.open()
            destination._database.execute("BEGIN")
            destination.close()
            place.opened.clear()

            assert place.open()._database.execute("SELECT pg_current_xact_id_if_assigned()") == [(None,)]
            place.opened.pop().close()

    def test_a_lock_that_is_not_given(self, server: Place):
        """A lock that isn't given in time is worth another try, and leaves nothing."""
        destination = server.open()
        writer = destination.open(target_of(ORDERS))
        destination._database.execute("SET lock_timeout = '50ms'")
        options = f"-c search_path={server.instance.config['schema']}"
        with psycopg.connect(server.url, options=options, **server.login) as other:
            other.execute("LOCK TABLE orders")
            with pytest.raises(Again) as caught:
                writer.write(ROW, "1")
            other.rollback()

        assert caught.value.code == "SYN488"
        assert writer.write(ROW, "1").inserted == 1

    def test_tables_that_another_one_made_meanwhile(self, server: Place):
        """Of two runs that find none of our tables and wait for each other, the second finds those of the first."""
        first, second = server.open(), server.open()
        first.open(target_of(ORDERS))
        with ThreadPoolExecutor(1) as pool:
            with first._database.transaction():
                first._database.lock_tables()
                claiming = pool.submit(second.fence, FLOW, Fence("state", 1))
                while not server.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                    time.sleep(0.01)
                first._fences.ensure()
            claiming.result()

        assert second.open(target_of(ORDERS)).write(ROW, "1").inserted == 1

    def test_a_constraint_of_others(self, server: Place):
        """A row that breaks a constraint is refused by the constraint's name, without its values."""
        writer = server.open().open(target_of(ORDERS))
        server.execute("ALTER TABLE orders ADD CONSTRAINT cheap CHECK (total < 1)")
        with pytest.raises(Invalid, match="'cheap'") as caught:
            writer.write(ROW, "1")

        assert caught.value.code == "SYN486"
        assert "secret-value" not in str(caught.value)

    def test_a_nul_in_text(self, server: Place):
        """Text with a NUL is refused by column and row; the value is not told; the rest of the batch can be written."""
        writer = server.open().open(target_of(ORDERS))
        frame = frame_of(ORDERS, (1, "secret-value\0", None), (2, "fine", None))
        with pytest.raises(Invalid, match="column 'name' has a NUL character") as caught:
            writer.write(frame, "1")

        assert caught.value.code == "SYN485"
        assert "secret-value" not in str(caught.value)
        assert [(r.row, r.column) for r in writer.refuse(frame)] == [(0, "name")]
        assert server.open().checkpoint(FLOW) is None

    def test_grants_are_kept_by_a_swap(self, server: Place):
        """Who may read a table may read the one that replaces it."""
        writer = server.open().open(target_of(ORDERS, "replace"))
        server.execute("GRANT SELECT ON orders TO PUBLIC")
        server.execute("GRANT SELECT, INSERT ON orders TO pg_monitor WITH GRANT OPTION")
        before = server.execute("SELECT relacl::text FROM pg_class WHERE oid = 'orders'::regclass")
        writer.finish("end")

        assert server.execute("SELECT relacl::text FROM pg_class WHERE oid = 'orders'::regclass") == before
        assert before != [(None,)]

    def test_indexes_are_kept_by_a_swap(self, server: Place):
        """A replaced table has the indexes of the old one under their names, time and again."""
        server.open().open(target_of(ORDERS, "replace"))
        server.execute("CREATE INDEX by_name ON orders (lower(name) text_pattern_ops) WHERE total > 0")
        server.execute("CREATE UNIQUE INDEX unique_id ON orders (id)")
        listed = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'orders' ORDER BY 1"
        before = server.execute(listed)
        for run in ("run-2", "run-3"):
            server.open().open(target_of(ORDERS, "replace", run)).finish("end")
            assert server.execute(listed) == before

        assert [name for name, _ in before] == ["by_name", "orders_pkey", "unique_id"]

    def test_a_view_stands_against_a_swap(self, server: Place):
        """A table that a view depends on is not replaced, and stays."""
        writer = server.open().open(target_of(ORDERS, "replace"))
        writer.write(ROW, "1")
        server.execute("CREATE VIEW names AS SELECT name FROM orders")
        with pytest.raises(Invalid, match="depend on it") as caught:
            writer.finish("end")

        assert caught.value.code == "SYN486"
        assert server.read("orders", ORDERS) == []
        server.execute("DROP VIEW names")
        writer.finish("end")
        assert len(server.read("orders", ORDERS)) == 1

    def test_names_of_64_bytes(self, server: Place):
        """A name that PostgreSQL would cut is refused, for a replaced table earlier."""
        for target in (target_of(ORDERS, stream="ü" * 32), target_of(ORDERS, "replace", stream="t" * 50)):
            with pytest.raises(Invalid) as caught:
                server.open().open(target)
            assert caught.value.code == "SYN483"
        server.open().open(target_of(ORDERS, stream="t" * 63)).write(ROW, "1")
        server.open().open(target_of(ORDERS, "replace", "run-2", stream="t" * 49)).finish("2")

    def test_a_computed_column(self, server: Place):
        """A column that the database computes can't be mapped to."""
        server.open().open(target_of(ORDERS))
        server.execute("ALTER TABLE orders ADD COLUMN twice numeric(14,2) GENERATED ALWAYS AS (total * 2) STORED")
        wider = schema_of({"id": "integer", "twice": "decimal(14,2)"}, "id")
        with pytest.raises(Invalid, match="'twice' of table 'orders' is a computed one"):
            server.open().open(target_of(wider))


class TestSqlite:
    def test_not_a_database(self, file: Place):
        """A file that is something else is left as it is, and needs a person."""
        path = file.instance.root / "data/warehouse.db"
        path.parent.mkdir()
        path.write_bytes(b"id,name\n1,a\n" * 100)
        with pytest.raises(Stalled) as caught:
            check(file.instance)

        assert caught.value.code == "SYN490"
        assert path.read_bytes().startswith(b"id,name")

    def test_the_folder_can_not_be_made(self, file: Place):
        """A file where the folder should be needs a person."""
        (file.instance.root / "data").write_text("")
        with pytest.raises(Stalled) as caught:
            file.open().open(target_of(ORDERS))

        assert caught.value.code == "SYN482"

    def test_another_writer(self, file: Place):
        """A database that another process is writing to is waited for, then worth another try."""
        destination = file.open()
        writer = destination.open(target_of(ORDERS))
        destination._database.execute("PRAGMA busy_timeout = 10")
        with closing(sqlite3.connect(file.instance.root / "data/warehouse.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Again) as caught:
                writer.write(ROW, "1")

        assert caught.value.code == "SYN488"
        assert writer.write(ROW, "1").inserted == 1

    def test_a_full_disk(self, file: Place):
        """Without space a batch is not written at all; with space again, it is."""
        destination = file.open()
        database: Any = destination._database
        writer = destination.open(target_of(ORDERS))
        frame = frame_of(ORDERS, *((n, "x" * 500, None) for n in range(200)))
        ((pages,),) = database.execute("PRAGMA page_count")
        database.execute(f"PRAGMA max_page_count = {pages + 3}")
        with pytest.raises(Stalled, match="full") as caught:
            writer.write(frame, "1")
        database.execute("PRAGMA max_page_count = 1000000")

        assert caught.value.code == "SYN491"
        assert (file.read("orders", ORDERS), destination.checkpoint(FLOW)) == ([], None)
        assert writer.write(frame, "1").inserted == 200

    def test_what_a_committed_write_survives(self, file: Place):
        """The log is written ahead and synchronised at each commit, so that a loss of power takes nothing of it."""
        destination = file.open()
        destination.open(target_of(ORDERS))
        database: Any = destination._database

        assert database.execute("PRAGMA journal_mode") == [("wal",)]
        assert database.execute("PRAGMA synchronous") == [(2,)]

    def test_strict_tables(self, file: Place):
        """Tables are strict and say of what type their columns are meant."""
        file.open().open(target_of(ORDERS))

        assert file.execute("SELECT strict FROM pragma_table_list('orders')") == [(1,)]
        noted = file.execute("SELECT column_name, type FROM _syncline_columns WHERE table_name = 'orders' ORDER BY 1")
        assert noted == [("id", "integer"), ("name", "string"), ("total", "decimal(14,2)")]

    def test_case_makes_no_other_name(self, file: Place):
        """Tables and columns that differ in case only are the same ones."""
        file.open().open(target_of(ORDERS)).write(ROW, "1")
        upper = schema_of({"ID": "integer", "NAME": "string"}, "ID")
        writer = file.open().open(target_of(upper, stream="Orders"))

        assert writer.write(frame_of(upper, (1, "b")), "2").updated == 1
        assert file.read("orders", ORDERS) == [(1, "b", Decimal("1.00"))]

    @pytest.mark.parametrize("name", ['"or""ders"', "'or\"ders'", '[or"ders]', '`or"ders`'])
    def test_a_replaced_table_of_others(self, file: Place, name: str):
        """A table is replaced however its name was quoted when it was made; a view on it goes on."""
        file.open().open(target_of(ORDERS, stream="first"))
        file.execute(f"create  table  {name}(id integer primary key, name text check (name <> ''), total text)")
        file.execute('CREATE VIEW names AS SELECT name FROM "or""ders"')
        writer = file.open().open(target_of(ORDERS, "replace", stream='or"ders'))
        writer.write(ROW, "1")
        writer.finish("2")

        assert file.execute("SELECT * FROM names") == [("secret-value",)]
        with pytest.raises(sqlite3.IntegrityError):
            file.execute('INSERT INTO "or""ders" VALUES (2, \'\', NULL)')
