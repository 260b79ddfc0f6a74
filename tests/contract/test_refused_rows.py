"""Rows that a table refuses although it can hold their values: each is named, and the others are written."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from syncline.connectors.sql.straight import WORTHWHILE
from syncline.model.errors import Again, Invalid, Stalled
from syncline.sdk.destination import BLAMED, Removal, Sifting, Written
from syncline.sdk.offers import offers
from syncline.sdk.reversal import Keeping, Undoing
from syncline.secrets.keys.ring import KeyRing
from tests.contract.sql_places import FLOW, Place, frame_of, prepared_place, schema_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from syncline.connectors.sql.writer import SqlWriter
    from syncline.sdk.destination import Refusal, WriteMode

PEOPLE = schema_of({"id": "integer", "name": "string", "total": "decimal(14,2)", "boss": "integer"}, "id")

#: How each dialect spells the columns of a table that holds these.
COLUMNS = {
    "postgresql": "id bigint PRIMARY KEY, name text, total numeric(14,2), boss bigint",
    "mariadb": "id bigint PRIMARY KEY, name longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,"
    " total decimal(14,2), boss bigint",
    "sqlite": "id INTEGER PRIMARY KEY, name TEXT, total TEXT, boss INTEGER",
}


@pytest.fixture(params=list(COLUMNS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of each dialect that says which rows are to blame."""
    yield from prepared_place(request.param, request, tmp_path)


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A schema of PostgreSQL."""
    yield from prepared_place("postgresql", request, tmp_path)


def made(place: Place, *rules: str) -> None:
    """A table of a person's own, with what stands against rows."""
    place.execute(f"CREATE TABLE orders ({', '.join((COLUMNS[place.dialect], *rules))})")


def people(*rows: tuple[Any, ...]) -> pl.DataFrame:
    """Rows of an id, a name, a total and a boss, of which the last may be left out."""
    return frame_of(PEOPLE, *((i, name, Decimal(total), *(boss or (None,))) for i, name, total, *boss in rows))


def opened(place: Place, mode: WriteMode = "upsert", **more: Any) -> SqlWriter:
    return place.open().open(target_of(PEOPLE, mode, **more))


def written_without(writer: SqlWriter, frame: pl.DataFrame, checkpoint: str = "1") -> tuple[list[Refusal], Written]:
    """What is refused of a frame that isn't written as a whole, and what became of the rest."""
    with pytest.raises(Invalid) as error:
        writer.write(frame, checkpoint)
    assert error.value.code in BLAMED
    assert offers(writer, Sifting)
    assert writer.sifts
    refused = writer.sift(frame, None, None)
    assert refused
    gone = {refusal.row for refusal in refused}
    return refused, writer.write(frame[[n for n in range(frame.height) if n not in gone]], checkpoint)


def allowed(*_: object) -> None:
    """Lets any number of rows be deleted."""


def ids(place: Place) -> list[int]:
    return [row[0] for row in place.read("orders", PEOPLE)]


@pytest.mark.parametrize(
    ("rule", "bad", "column", "message"),
    [
        ("CONSTRAINT positive CHECK (total > 0)", (3, "c", "-1.00"), "total", "breaks the check 'positive' (total)"),
        ("CONSTRAINT fit CHECK (total > boss)", (3, "c", "1.00", 2), "", "breaks the check 'fit' (total, boss)"),
        ("CHECK (1 / total < 2)", (3, "c", "0.00"), "", "is refused by PostgreSQL (DivisionByZero, SQLSTATE 22012)"),
        ("CONSTRAINT once UNIQUE (name)", (3, "a", "1.00"), "name", "breaks the unique key 'once' (name)"),
        (
            "CONSTRAINT once UNIQUE (name) DEFERRABLE INITIALLY DEFERRED",
            (3, "a", "1.00"),
            "name",
            "breaks the unique key 'once' (name)",
        ),
        (
            "CONSTRAINT known FOREIGN KEY (boss) REFERENCES bosses",
            (3, "c", "1.00", 9),
            "boss",
            "breaks the foreign key 'known' (boss)",
        ),
        (
            "CONSTRAINT known FOREIGN KEY (boss) REFERENCES bosses DEFERRABLE INITIALLY DEFERRED",
            (3, "c", "1.00", 9),
            "boss",
            "breaks the foreign key 'known' (boss)",
        ),
        (
            "CONSTRAINT apart EXCLUDE USING btree (name WITH =)",
            (3, "a", "1.00"),
            "name",
            "breaks the exclusion 'apart' (name)",
        ),
    ],
    ids=["check", "check of two", "error", "unique", "unique later", "reference", "reference later", "exclusion"],
)
@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_a_row_that_breaks_a_constraint_is_named(server: Place, mode, rule, bad, column, message):
    """The row, the constraint and its column are told, without a value; every other row is there, and the checkpoint."""
    server.execute("CREATE TABLE bosses (id bigint PRIMARY KEY)")
    made(server, rule)
    writer = opened(server, mode)
    rows = [(1, "a", "1.00"), (2, "b", "1.00"), bad, (4, "d", "1.00"), (5, "e", "1.00")]
    refused, written = written_without(writer, people(*rows))
    assert [(r.row, r.column, r.message) for r in refused] == [(2, column, message)]
    assert written == Written(4)
    assert ids(server) == [1, 2, 4, 5]
    assert server.open().checkpoint(FLOW) == "1"


@pytest.mark.parametrize("mode", ["upsert", "append", "replace"])
def test_every_refused_row_is_named_and_no_other(place: Place, mode):
    """Of 3,000 rows the ones that break a check, a null or a unique key are found; what was tried out left nothing."""
    made(place, "CONSTRAINT positive CHECK (total <> '-1.00')", "CONSTRAINT once UNIQUE (name)")
    if place.dialect == "mariadb":
        place.execute(
            "ALTER TABLE orders MODIFY name longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL"
        )
    writer = opened(place, mode)
    bad: dict[int, tuple[str | None, str]] = {
        0: ("n0", "-1.00"),
        1501: ("n7", "1.00"),
        1502: ("n8", "1.00"),
        2999: ("n2999", "-1.00"),
    }
    if place.dialect == "mariadb":
        bad[77] = (None, "1.00")
    frame = people(*((n, *bad.get(n, (f"n{n}", "1.00"))) for n in range(3000)))
    writer.write(people((9000, "first", "1.00")), "0")
    refused = writer.sift(frame, None, None)
    assert [r.row for r in refused or ()] == sorted(bad)
    assert not any("n7" in r.message or "n8" in r.message for r in refused or ())
    found, written = written_without(writer, frame)
    assert found == refused
    assert written == Written(3000 - len(bad))
    writer.finish("2")
    assert ids(place) == [n for n in range(3000) if n not in bad] + [9000]


def test_a_table_that_nothing_stands_against_is_not_asked(place: Place):
    """A table that Syncline made has its key only: no batch is kept for rows that it could refuse."""
    assert not opened(place).sifts
    assert not opened(place, "append", stream="log").sifts


@pytest.mark.parametrize(
    "rule",
    [
        "CHECK (total > 0)",
        "UNIQUE (name)",
        "UNIQUE (name) DEFERRABLE",
        "EXCLUDE USING btree (name WITH =)",
        "FOREIGN KEY (boss) REFERENCES orders",
        "twice numeric GENERATED ALWAYS AS (total * 2) STORED",
        "made timestamptz NOT NULL DEFAULT now()",
    ],
)
def test_a_table_that_something_stands_against_is_asked(server: Place, rule):
    """Whatever may stand against a row has the table be asked; of an append, its key is such a thing as well."""
    made(server, rule)
    assert opened(server).sifts


def test_an_append_may_meet_a_key(place: Place):
    """A row that is appended with a key that is there is refused, and the one that has it stays."""
    made(place)
    writer = opened(place, "append")
    writer.write(people((1, "a", "1.00")), "0")
    refused, _ = written_without(writer, people((2, "b", "1.00"), (1, "c", "1.00"), (3, "d", "1.00")))
    assert [r.row for r in refused] == [1]
    assert [row[1] for row in place.read("orders", PEOPLE)] == ["a", "b", "d"]


def test_it_ends_early_where_more_are_refused_than_may_be(server: Place):
    """No more rows are looked for than it takes to know that they are too many."""
    made(server, "CHECK (total > 0)")
    writer = opened(server)
    frame = people(*((n, "x", "-1.00") for n in range(100)))
    assert len(writer.sift(frame, None, 3) or ()) == 4
    assert len(writer.sift(frame, None, None) or ()) == 100


def test_rows_that_refer_to_rows_of_their_batch_are_taken(server: Place):
    """Employees before their managers are in place with them, in any order; who has none that is there is refused."""
    made(server, "CONSTRAINT led FOREIGN KEY (boss) REFERENCES orders", "CHECK (total > 0)")
    writer = opened(server)
    chain = [(n, f"n{n}", "1.00", n + 1) for n in range(1, 40)]
    frame = people(*chain, (40, "top", "1.00"), (50, "lost", "1.00", 99), (51, "bad", "-1.00"), (52, "e", "1.00", 51))
    refused, written = written_without(writer, frame)
    assert [r.row for r in refused] == [40, 41, 42]
    assert written == Written(40)


def test_rows_come_after_the_deletes_of_their_batch(server: Place):
    """A value that a deleted row gives free is taken; a row that is refused all the same is named."""
    made(server, "CONSTRAINT once UNIQUE (name)", "CHECK (total > 0)")
    writer = opened(server)
    writer.write(people((1, "a", "1.00"), (2, "b", "1.00")), "0")
    frame = people((3, "a", "1.00"), (4, "b", "1.00"), (5, "c", "-1.00"))
    removal = Removal(people((1, "", "0")).select("id"), "", allowed)
    refused = writer.sift(frame, removal, None)
    assert [r.row for r in refused or ()] == [1, 2]
    writer.write_removing(writer.render(frame[:1]), removal, str)
    assert ids(server) == [2, 3]


def triggered(server: Place, raised: str, when: str = "NEW.total < 0", each: str = "ROW") -> None:
    """A table with a trigger of PostgreSQL that raises."""
    made(server)
    schema = server.instance.config["schema"]
    server.execute(
        f"CREATE FUNCTION {schema}.no() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$BEGIN IF {when} THEN {raised}; END IF; RETURN NEW; END$$"
    )
    server.execute(f"CREATE TRIGGER no BEFORE INSERT ON orders FOR EACH {each} EXECUTE FUNCTION {schema}.no()")


ROWS = ((1, "a", "1.00"), (2, "b", "-1.00"), (3, "c", "1.00"))


@pytest.mark.parametrize(
    "raised",
    [
        "RAISE 'not % today', NEW.name",
        "RAISE EXCEPTION 'not % today', NEW.name USING ERRCODE = 'AC001'",
        "RAISE EXCEPTION 'not % today', NEW.name USING ERRCODE = '45000'",
        "RAISE EXCEPTION 'not % today', NEW.name USING ERRCODE = 'check_violation'",
    ],
)
@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_a_row_that_a_trigger_refuses_is_named_by_its_words(server: Place, mode, raised):
    """Whatever code a trigger raises with that isn't one of the server's troubles, its row is refused, the others not."""
    triggered(server, raised)
    refused, written = written_without(opened(server, mode), people(*ROWS))
    assert [(r.row, r.column, r.message) for r in refused] == [(1, "", "is refused by a trigger: not b today")]
    assert written == Written(2)
    assert ids(server) == [1, 3]


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        ("RAISE EXCEPTION 'no' USING ERRCODE = 'insufficient_privilege'", Stalled),
        ("RAISE EXCEPTION 'no' USING ERRCODE = 'disk_full'", Again),
        ("RAISE EXCEPTION 'no' USING ERRCODE = 'lock_not_available'", Again),
        ("RAISE EXCEPTION 'no' USING ERRCODE = 'serialization_failure'", Again),
        ("RAISE EXCEPTION 'no' USING ERRCODE = 'admin_shutdown'", Again),
        ("RAISE EXCEPTION 'no' USING ERRCODE = 'connection_failure'", Again),
        ("PERFORM nothing_of_this_name()", Stalled),
    ],
)
def test_troubles_of_the_server_in_a_trigger_are_no_rows(server: Place, raised, kind):
    """Privileges, disks, locks and connections end or repeat a run, though one row came to them; so does a mistake."""
    triggered(server, raised)
    writer = opened(server)
    with pytest.raises(kind):
        writer.write(people(*ROWS), "1")
    with pytest.raises(kind):
        writer.sift(people(*ROWS), None, None)


def test_a_trigger_of_a_statement_is_no_row(server: Place):
    """One that refuses whatever is written, and no rows as well, has no row to blame: its words end the run."""
    triggered(server, "RAISE 'closed today'", "true", "STATEMENT")
    writer = opened(server)
    with pytest.raises(Invalid, match="closed today"):
        writer.write(people(*ROWS), "1")
    assert writer.sift(people(*ROWS), None, None) == []


@pytest.mark.parametrize("mode", ["upsert", "append"])
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("rows", [3, WORTHWHILE + 3])
def test_rows_that_a_trigger_leaves_out_are_counted_as_what_they_are(server, tmp_path, mode, kept, rows):
    """One that returns NULL refuses nothing, and yet the row isn't there: it is neither new nor unchanged."""
    made(server)
    silent = "CREATE FUNCTION silent() RETURNS trigger LANGUAGE plpgsql AS"
    server.execute(f"{silent} 'BEGIN IF NEW.total < 0 THEN RETURN NULL; END IF; RETURN NEW; END'")
    server.execute("CREATE TRIGGER silent BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION silent()")
    keys = KeyRing.open(tmp_path / "keys").envelope("acme")
    writer = opened(server, mode, run="run-1", keeping=Keeping(3600, keys.seal) if kept else None)
    frame = people(*((n, "x", "-1.00" if n % 3 == 0 else "1.00") for n in range(1, rows + 1)))
    left = sum(n % 3 == 0 for n in range(1, rows + 1))
    assert writer.write(frame, "1") == Written(rows - left, left_out=left)
    if mode == "upsert":
        assert writer.write(frame, "2") == Written(0, unchanged=rows - left, left_out=left)


@pytest.mark.parametrize("kept", [False, True])
def test_new_rows_that_a_trigger_of_sqlite_ignores_are_counted_as_what_they_are(request, tmp_path, kept):
    """RAISE(IGNORE) refuses nothing, and yet the row isn't there. One that another trigger has put there is."""
    for place in prepared_place("sqlite", request, tmp_path):
        made(place)
        for when in (
            "BEFORE INSERT ON orders WHEN NEW.name = 'b' BEGIN SELECT RAISE(IGNORE)",
            "AFTER INSERT ON orders WHEN NEW.id = 3 BEGIN INSERT INTO orders VALUES (5, 'e', '1.00', NULL)",
        ):
            place.execute(f"CREATE TRIGGER {when.split()[0]}_it {when}; END")
        keys = KeyRing.open(tmp_path / "keys").envelope("acme")
        writer = opened(place, run="run-1", keeping=Keeping(3600, keys.seal) if kept else None)
        frame = people(*((id_, name, "1.00") for id_, name in enumerate("abcbe", 1)))
        assert writer.write(frame, "1") == Written(2, unchanged=1, left_out=2)
        assert writer.write(frame, "2") == Written(0, unchanged=3, left_out=2)
        assert ids(place) == [1, 3, 5]


#: A trigger of each dialect but PostgreSQL, by what it raises.
TRIGGERS = {
    "mariadb": "CREATE TRIGGER no BEFORE INSERT ON orders FOR EACH ROW"
    " IF NEW.total < 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'{}; END IF",
    "sqlite": "CREATE TRIGGER no BEFORE INSERT ON orders WHEN NEW.name = 'b' BEGIN SELECT RAISE({}, 'not today'); END",
}


@pytest.mark.parametrize(
    ("dialect", "how", "told"),
    [
        ("mariadb", "", "not today (error 1644)"),
        ("mariadb", ", MYSQL_ERRNO = 30001", "not today (error 30001)"),
        ("sqlite", "ABORT", "not today"),
        ("sqlite", "FAIL", "not today"),
    ],
)
@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_a_row_that_a_trigger_signals_is_named_by_its_words(request, tmp_path, dialect, how, told, mode):
    """SIGNAL of MariaDB and RAISE of SQLite refuse a row, in the words of whoever wrote the trigger."""
    for place in prepared_place(dialect, request, tmp_path):
        made(place)
        place.execute(TRIGGERS[dialect].format(how))
        refused, written = written_without(opened(place, mode), people(*ROWS))
        assert [(r.row, r.column, r.message) for r in refused] == [(1, "", f"is refused by a trigger: {told}")]
        assert written == Written(2)
        assert ids(place) == [1, 3]


def test_a_trigger_that_ends_the_transaction_ends_the_run(request, tmp_path):
    """Where SQLite's trigger takes the whole transaction back, nothing can be tried after it, and its words are told."""
    for place in prepared_place("sqlite", request, tmp_path):
        made(place)
        place.execute(TRIGGERS["sqlite"].format("ROLLBACK"))
        writer = opened(place)
        with pytest.raises(Invalid, match="not today"):
            writer.sift(people(*ROWS), None, None)
        assert ids(place) == []


def test_batches_that_are_sent_ahead_are_written_without_refused_rows(server: Place):
    """A batch that was sent before its turn is refused in it; those after it are there once, in their order."""
    made(server, "CHECK (total > 0)")
    writer = opened(server, ahead=2)
    frames = [people(*((n + 1000 * b, "x", "-1.00" if n == 7 else "1.00") for n in range(600))) for b in range(3)]
    ready = [writer.render(frame) for frame in frames]
    for rendered in ready:
        writer.foresee(rendered)
    for number, (frame, rendered) in enumerate(zip(frames, ready, strict=True)):
        with pytest.raises(Invalid):
            writer.write_rendered(rendered, str(number))
        refused = writer.sift(frame, None, None)
        assert [r.row for r in refused or ()] == [7]
        rest = frame[[n for n in range(600) if n != 7]]
        assert writer.write_rendered(writer.render(rest), str(number)) == Written(599)
    assert ids(server) == [n + 1000 * b for b in range(3) for n in range(600) if n != 7]


def test_a_table_that_is_replaced_says_the_names_of_its_own(server: Place):
    """What is refused while the new content is gathered is told by the names that the table's constraints have."""
    made(server, "CONSTRAINT once UNIQUE (name)")
    refused, _ = written_without(opened(server, "replace"), people((1, "a", "1.00"), (2, "a", "1.00")))
    assert [(r.row, r.message) for r in refused] == [(1, "breaks the unique key 'once' (name)")]


@pytest.mark.parametrize("mode", ["upsert", "append", "replace"])
def test_what_was_written_without_refused_rows_is_undone(place: Place, tmp_path: Path, mode):
    """Rows that were tried out aren't among those that undoing takes back: the table is as it was before."""
    keys = KeyRing.open(tmp_path / "keys").envelope("acme")
    made(place, "CONSTRAINT positive CHECK (total <> '-1.00')")
    before = opened(place, run="run-0")
    before.write(people((1, "a", "1.00"), (9, "i", "1.00")), "0")
    before.finish("0")
    there = place.read("orders", PEOPLE)
    writer = opened(place, mode, run="run-1", keeping=Keeping(3600, keys.seal))
    first = (1, "z", "2.00") if mode != "append" else (5, "z", "2.00")
    refused, _ = written_without(writer, people(first, (2, "b", "-1.00"), (3, "c", "1.00")))
    assert [r.row for r in refused] == [1]
    writer.finish("2")
    assert 3 in ids(place)
    undone = place.open().undo(Undoing(FLOW, "run-1", 1, "run-2", keys.open, str, print))
    assert undone.deleted
    assert place.read("orders", PEOPLE) == there
