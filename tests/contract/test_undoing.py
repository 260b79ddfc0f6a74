"""Undoing what a run wrote, in every database: rows come back as they were, others' writes stay."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from syncline.connectors.sql import images, replaced
from syncline.connectors.sql.images import TABLE
from syncline.connectors.sql.straight import WORTHWHILE
from syncline.model.errors import Again, Denied, Invalid, Stalled
from syncline.sdk.conformance_destination import EVERY_TYPE, sample
from syncline.sdk.destination import Written
from syncline.sdk.reversal import Keeping, Undoing, Undone
from syncline.secrets.keys.ring import KeyRing
from tests.contract.sql_places import DIALECTS, FLOW, frame_of, place_of, schema_of, target_of
from tests.flips import flips

PLAIN = schema_of({"shop": "string", "id": "integer", "title": "string", "price": "decimal(12,2)"}, "shop", "id")
KEYS = schema_of({"shop": "string", "id": "integer"}, "shop", "id")
WEEK = 7 * 86_400.0


@pytest.fixture(params=DIALECTS)
def place(request, tmp_path):
    """A database of each kind."""
    found = place_of(request.param, request, tmp_path)
    yield found
    found.close()


@pytest.fixture
def keys(tmp_path):
    """A tenant's envelope."""
    return KeyRing.open(tmp_path / "keys").envelope("acme")


def load(place, keys, run, *batches, schema=PLAIN, seconds=WEEK, mode="upsert"):
    """A run of batches whose writes are kept."""
    destination = place.open()
    writer = destination.open(target_of(schema, mode, run, keeping=Keeping(seconds, keys.seal)))
    written = [writer.write(frame, f"{run}/{n}") for n, frame in enumerate(batches, 1)]
    writer.finish(f"{run}/end")
    destination.close()
    return written


def rows(*given, schema=PLAIN):
    return frame_of(schema, *given)


def there(place):
    """The rows, in one order."""
    return sorted(place.read("orders", PLAIN), key=repr)


def undo(place, keys, run, *, dry=False, by="undo-1", batches=None):
    destination = place.open()
    if batches is None:
        kept = destination.kept(run)
        batches = kept.batches if kept is not None else 0
    undoing = Undoing(FLOW, run, batches, by, keys.open, lambda found: f"{by}: {found.deleted}", lambda _: None, dry)
    return destination.undo(undoing)


def test_what_was_inserted_goes_and_what_was_updated_is_as_before(place, keys):
    """Rows that a run left as they were aren't touched either way; its checkpoint is replaced."""
    load(place, keys, "run-1", rows(("a", 1, "one", 1), ("a", 2, "two", 2), ("a", 3, "three", None)))
    before = there(place)
    written = load(place, keys, "run-2", rows(("a", 1, "ONE", 1), ("a", 2, "two", 2)), rows(("b", 9, "new", 9)))
    assert written == [Written(0, 1, 1), Written(1)]
    kept = place.open().kept("run-2")
    assert (kept.table, kept.inserted, kept.updated, kept.batches) == ("orders", 1, 1, 2)
    assert undo(place, keys, "run-2") == Undone(deleted=1, restored=1)
    assert there(place) == before
    assert place.open().checkpoint(FLOW) == "undo-1: 1"
    assert place.open().kept("run-2") is None
    assert undo(place, keys, "run-1") == Undone(deleted=3)
    assert there(place) == []


def test_a_dry_run_says_the_same_and_changes_nothing(place, keys):
    """Its figures are those of the undoing itself; rows, checkpoint and images stay."""
    load(place, keys, "run-1", rows(("a", 1, "one", 1)))
    load(place, keys, "run-2", rows(("a", 1, "ONE", 1), ("a", 2, "two", 2)))
    before = there(place)
    assert undo(place, keys, "run-2", dry=True) == Undone(deleted=1, restored=1)
    assert there(place) == before
    assert place.open().checkpoint(FLOW) == "run-2/end"
    assert undo(place, keys, "run-2") == Undone(deleted=1, restored=1)


def test_every_type_comes_back_exactly(place, keys):
    """Values of every type, at their edges, are restored bit by bit."""
    load(place, keys, "run-1", sample(range(6)), schema=EVERY_TYPE)
    before = place.execute("SELECT * FROM orders ORDER BY id")
    changed = sample(range(6)).with_columns(sample([n + 1 for n in range(6)]).drop("id"))
    assert load(place, keys, "run-2", changed, schema=EVERY_TYPE) == [Written(0, 6)]
    assert place.execute("SELECT * FROM orders ORDER BY id") != before
    assert undo(place, keys, "run-2") == Undone(restored=6)
    assert place.execute("SELECT * FROM orders ORDER BY id") == before


def test_texts_that_look_like_marks_are_values(place, keys):
    """Tabs, ends of lines, backslashes and quotes in keys and values change neither counts nor rows."""
    odd = [("x\tt\n", 1, "\\N", 1), ("\\.\n", 2, 'q"\r\n\tf\n', 2), ("", 3, "", None)]
    load(place, keys, "run-1", rows(*odd))
    before = there(place)
    assert load(place, keys, "run-2", rows(*((a, b, c + "\tt\n", d) for a, b, c, d in odd))) == [Written(0, 3)]
    assert undo(place, keys, "run-2") == Undone(restored=3)
    assert there(place) == before


def test_what_others_wrote_since_stays(place, keys):
    """A row that was changed, or deleted, after the run is left alone and told; the others are undone."""
    load(place, keys, "run-1", rows(("a", 1, "one", 1), ("a", 2, "two", 2), ("a", 3, "three", 3)))
    load(
        place,
        keys,
        "run-2",
        rows(*(("a", n, "changed", n) for n in (1, 2, 3)), *(("b", n, "new", n) for n in (1, 2, 3))),
    )
    place.execute("UPDATE orders SET title = 'mine' WHERE id = 1")
    place.execute("DELETE FROM orders WHERE id = 2")
    assert undo(place, keys, "run-2") == Undone(deleted=1, restored=1, touched=2, gone=2)
    assert sorted(row[:3] for row in there(place)) == [
        ("a", 1, "mine"), ("a", 3, "three"), ("b", 1, "mine"),
    ]  # fmt: skip


def test_columns_of_others_count_too(place, keys):
    """A column that no mapping has is a part of the row: what somebody put there isn't deleted."""
    load(place, keys, "run-0", rows())
    place.execute("ALTER TABLE orders ADD COLUMN note text")
    load(place, keys, "run-1", rows(("a", 1, "one", 1), ("a", 2, "two", 2)))
    place.execute("ALTER TABLE orders ADD COLUMN later text")
    place.execute("UPDATE orders SET note = 'called' WHERE id = 1")
    assert undo(place, keys, "run-1", dry=True) == Undone(deleted=1, touched=1)
    place.execute("UPDATE orders SET later = 'visited' WHERE id = 2")
    assert undo(place, keys, "run-1") == Undone(touched=2)


def test_a_row_that_came_twice_goes_back_to_the_first(place, keys):
    """A run that inserted a row and updated it later takes both back, newest first."""
    load(place, keys, "run-1", rows(("a", 1, "one", 1)))
    load(place, keys, "run-2", rows(("b", 1, "x", 1), ("a", 1, "x", 1)), rows(("b", 1, "y", 1), ("a", 1, "y", 1)))
    assert undo(place, keys, "run-2") == Undone(deleted=1, restored=3)
    assert [row[:3] for row in there(place)] == [("a", 1, "one")]


def test_a_row_that_is_left_is_left_for_good(place, keys):
    """A later write that brought a row back to what an earlier batch had written isn't undone by that batch."""
    load(place, keys, "run-1", rows(("a", 1, "x", 1)), rows(("a", 1, "y", 1)))
    place.execute("UPDATE orders SET title = 'x'")
    assert undo(place, keys, "run-1") == Undone(touched=2)
    assert [row[:3] for row in there(place)] == [("a", 1, "x")]


def test_tables_of_keys_alone_are_undone_too(place, keys):
    """Where the key is all that a row has, nothing is updated and what was inserted goes."""
    load(place, keys, "run-1", rows(("a", 1), schema=KEYS), schema=KEYS)
    assert load(place, keys, "run-2", rows(("a", 1), ("a", 2), schema=KEYS), schema=KEYS) == [Written(1, 0, 1)]
    assert undo(place, keys, "run-2") == Undone(deleted=1)
    assert place.read("orders", KEYS) == [("a", 1)]


def test_wide_tables_are_undone_too(place, keys):
    """More columns than a function of SQLite takes make a digest too."""
    wide = schema_of({"id": "integer"} | {f"c{n}": "string" for n in range(150)}, "id")
    load(place, keys, "run-1", rows((1, *("x",) * 150), schema=wide), schema=wide)
    load(place, keys, "run-2", rows((1, *("x",) * 149, "y"), schema=wide), schema=wide)
    assert undo(place, keys, "run-2") == Undone(restored=1)


def test_what_is_kept_is_sealed(place, keys):
    """No value stands in the table of images in clear, and another tenant's key opens none."""
    load(place, keys, "run-1", rows(("secret-shop", 1, "very private", 1)))
    load(place, keys, "run-2", rows(("secret-shop", 1, "changed", 1)))
    for (image,) in place.execute(f"SELECT image FROM {TABLE}"):
        assert bytes(image).startswith(b"SYE1")
    text = repr(place.execute(f"SELECT * FROM {TABLE}"))
    assert "private" not in text
    assert "secret-shop" not in text
    other = KeyRing.open(place.instance.root / "keys").envelope("umbrella")
    with pytest.raises(Exception, match="cannot be opened"):
        undo(place, other, "run-2")
    assert undo(place, keys, "run-2") == Undone(restored=1)


def test_no_byte_of_what_is_kept_can_change(request, tmp_path, keys):
    """An image of which one byte is another is refused, and undoing changes no row; so is one that was moved."""
    place = place_of("sqlite", request, tmp_path)
    load(place, keys, "run-1", rows(("a", 1, "one", 1), ("a", 2, "two", 2)))
    load(place, keys, "run-2", rows(("a", 1, "ONE", 1)))
    after = there(place)
    (run_1, _), (_, blob) = place.execute(f"SELECT id, image FROM {TABLE} ORDER BY run")

    for _, changed in flips(bytes(blob), 3):
        place.execute(f"UPDATE {TABLE} SET image = x'{changed.hex()}' WHERE run = 'run-2'")
        with pytest.raises(Stalled, match="cannot be opened") as caught:
            undo(place, keys, "run-2")
        assert caught.value.code == "SYN806"
    place.execute(f"UPDATE {TABLE} SET image = (SELECT image FROM {TABLE} WHERE id = '{run_1}') WHERE run = 'run-2'")
    with pytest.raises(Stalled, match="belongs elsewhere"):
        undo(place, keys, "run-2")
    assert there(place) == after
    place.execute(f"UPDATE {TABLE} SET image = x'{bytes(blob).hex()}' WHERE run = 'run-2'")
    assert undo(place, keys, "run-2") == Undone(restored=1)
    place.close()


def test_a_batch_that_fails_keeps_nothing(place, keys):
    """Images are committed with the rows, or not at all."""
    load(place, keys, "run-1", rows(("a", 1, "one", 1)))
    destination = place.open()
    writer = destination.open(target_of(PLAIN, run="run-2", keeping=Keeping(WEEK, keys.seal)))
    place.execute("ALTER TABLE _syncline_checkpoints RENAME TO elsewhere")
    with pytest.raises(Exception, match="_syncline_checkpoints"):
        writer.write(rows(("a", 1, "ONE", 1), ("a", 2, "two", 2)), "c")
    destination.close()
    assert place.open().kept("run-2") is None
    assert [row[2] for row in there(place)] == ["one"]


def test_a_run_without_changes_is_known(place, keys):
    """Of a run that changed nothing it is kept that there is nothing to undo."""
    load(place, keys, "run-1", rows(("a", 1, "one", 1)))
    load(place, keys, "run-2", rows(("a", 1, "one", 1)))
    assert place.open().kept("run-2").inserted == 0
    assert undo(place, keys, "run-2") == Undone()


def test_images_expire_by_run(place, keys):
    """What is over goes when anything is opened to be kept next, a whole run at a time."""
    load(place, keys, "run-1", rows(("a", 1, "one", 1)), seconds=0)
    load(place, keys, "run-2", rows(("a", 2, "two", 2)))
    assert place.open().kept("run-1") is None
    assert place.open().expire(datetime.now(UTC)) == 0
    assert place.open().expire(datetime.now(UTC) + timedelta(days=8)) == 1
    assert place.open().kept("run-2") is None
    with pytest.raises(Invalid, match="nothing is kept of run run-2") as caught:
        undo(place, keys, "run-2")
    assert caught.value.code == "SYN761"


def test_half_of_a_run_is_not_undone(place, keys):
    """Where images of a run went while it was under way, its later ones are kept and nothing is taken back."""
    load(place, keys, "run-1", rows(("a", 1, "one", 1)))
    place.open().erase(FLOW, "orders", "title", "nobody")
    load(place, keys, "run-1", rows(("a", 2, "two", 2)), rows(("a", 2, "two", 2)))
    before = there(place)
    assert place.open().kept("run-1").batches == 2
    for dry in (True, False):
        with pytest.raises(Invalid, match="2 batches are kept, and 3 were written") as caught:
            undo(place, keys, "run-1", dry=dry, batches=3)
        assert caught.value.code == "SYN761"
    assert there(place) == before
    assert place.open().checkpoint(FLOW) == "run-1/end"
    assert undo(place, keys, "run-1") == Undone(deleted=1)


def test_a_column_that_is_gone_is_named(place, keys):
    """What a row had in a column that was dropped can't be brought back, so nothing is undone."""
    load(place, keys, "run-1", rows(("a", 1, "one", 1)))
    place.execute("ALTER TABLE orders DROP COLUMN price")
    with pytest.raises(Invalid, match="column 'price' of table 'orders' is gone") as caught:
        undo(place, keys, "run-1")
    assert caught.value.code == "SYN764"
    assert len(place.execute("SELECT * FROM orders")) == 1


def test_a_write_that_comes_in_between_has_the_batch_tried_again(place, keys):
    """A row that others insert between the look and the merge would be kept wrongly: nothing is written then."""
    if place.dialect in {"sqlite", "duckdb"}:
        pytest.skip("nobody else writes while a batch is written")
    load(place, keys, "run-0", rows())
    destination = place.open()
    writer = destination.open(target_of(PLAIN, run="run-1", keeping=Keeping(WEEK, keys.seal)))
    dialect = writer._noting._dialect
    look, looks = dialect.rows, list[str]()

    def meanwhile(names, rest):
        found = look(names, rest)
        if not looks:
            place.execute("INSERT INTO orders VALUES ('a', 1, 'theirs', 1)")
        looks.append(rest)
        return found

    dialect.rows = meanwhile
    with pytest.raises(Again):
        writer.write(rows(("a", 1, "ours", 1), ("a", 2, "ours", 2)), "c")
    assert [row[:3] for row in there(place)] == [("a", 1, "theirs")]
    assert place.open().kept("run-1") is None
    assert writer.write(rows(("a", 1, "ours", 1), ("a", 2, "ours", 2)), "c") == Written(1, 1)
    assert undo(place, keys, "run-1") == Undone(deleted=1, restored=1)
    assert [row[:3] for row in there(place)] == [("a", 1, "theirs")]


def test_rows_that_refer_to_what_is_written_dont_wait(request, tmp_path, keys):
    """Rows are held as their update holds them, and no more: in PostgreSQL, who refers to one goes on meanwhile."""
    place = place_of("postgresql", request, tmp_path)
    load(place, keys, "run-0", rows(("a", 1, "one", 1)))
    place.execute("CREATE TABLE lines (shop text, id bigint, FOREIGN KEY (shop, id) REFERENCES orders (shop, id))")
    destination = place.open()
    writer = destination.open(target_of(PLAIN, run="run-1", keeping=Keeping(WEEK, keys.seal)))
    dialect: Any = writer._noting._dialect
    look = dialect.rows

    def meanwhile(names, rest):
        found = look(names, rest)
        place.execute("SET lock_timeout = '2s'; INSERT INTO lines VALUES ('a', 1)")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            place.execute("SET lock_timeout = '200ms'; UPDATE orders SET title = 'theirs'")
        return found

    dialect.rows = meanwhile
    assert writer.write(rows(("a", 1, "ours", 1)), "c") == Written(0, 1)
    assert place.execute("SELECT count(*) FROM lines") == [(1,)]
    destination.close()
    place.close()


def test_who_is_erased_is_not_kept(place, keys):
    """Erasing a person's rows takes what is kept of their table along: images hold what they were before."""
    load(place, keys, "run-1", rows(("a", 1, "ada", 1)))
    load(place, keys, "run-2", rows(("a", 1, "Ada", 1)))
    place.open().erase(FLOW, "orders", "title", "Ada")
    assert place.open().kept("run-2") is None
    assert place.execute(f"SELECT * FROM {TABLE}") == []


def test_rows_are_compared_as_triggers_left_them(place, keys):
    """A trigger that changes what a run writes is no later write."""
    if place.dialect in {"sqlite", "duckdb"}:
        pytest.skip("no trigger here can change the row that is being written")
    load(place, keys, "run-0", rows())
    if place.dialect == "postgresql":
        place.execute(
            "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.title := upper(NEW.title); RETURN NEW; END $$"
        )
        place.execute("CREATE TRIGGER loud BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION loud()")
    else:
        place.execute("CREATE TRIGGER loud BEFORE INSERT ON orders FOR EACH ROW SET NEW.title = upper(NEW.title)")
    load(place, keys, "run-1", rows(("a", 1, "one", 1)))
    assert [row[2] for row in there(place)] == ["ONE"]
    assert undo(place, keys, "run-1") == Undone(deleted=1)


@pytest.mark.parametrize("others", ["", "INSERT INTO orders (shop, id) VALUES ('a\tb\\', 7)"])
def test_many_new_rows_are_undone_however_they_were_written(place, keys, others):
    """PostgreSQL has them straight in the table, unless a key is there already; odd keys and others' changes are told."""
    load(place, keys, "run-0", rows())
    if others:
        place.execute(others)
    shop = "a\tb\\"
    many = rows(*((shop, number, f"t\n{number}", number) for number in range(WORTHWHILE)))
    expected = Written(WORTHWHILE - 1, 1) if others else Written(WORTHWHILE)
    more = rows(*((shop, number, "more", 1) for number in range(WORTHWHILE, 2 * WORTHWHILE)))
    assert load(place, keys, "run-1", many, more) == [expected, Written(WORTHWHILE)]
    place.execute("UPDATE orders SET price = 8 WHERE id = 11")
    place.execute("DELETE FROM orders WHERE id = 12")
    restored = 1 if others else 0
    assert undo(place, keys, "run-1") == Undone(2 * WORTHWHILE - 2 - restored, restored, touched=1, gone=1)
    assert len(there(place)) == 1 + restored


def test_new_rows_whose_key_a_trigger_changes_are_merged(request, tmp_path, keys):
    """They aren't found by the key that they were given; nothing of the try before is left, and all are undone."""
    place = place_of("postgresql", request, tmp_path)
    load(place, keys, "run-0", rows())
    place.execute(
        "CREATE FUNCTION far() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.id := NEW.id + 1000000; RETURN NEW; END $$"
    )
    place.execute("CREATE TRIGGER far BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION far()")
    batches = [
        rows(*(("a", at + number, "t", 1) for number in range(WORTHWHILE)))
        for at in range(0, 3 * WORTHWHILE, WORTHWHILE)
    ]
    assert load(place, keys, "run-1", *batches) == [Written(WORTHWHILE)] * 3
    assert len(there(place)) == 3 * WORTHWHILE
    assert undo(place, keys, "run-1") == Undone(deleted=3 * WORTHWHILE)
    place.close()


def test_what_a_former_version_kept_is_read(place, keys, monkeypatch):
    """Images were compressed by zlib; their windows may not be over."""
    monkeypatch.setattr(images, "_compressed", lambda plain: zlib.compress(plain, 1))
    load(place, keys, "run-1", rows(("a", 1, "one", 1)))
    monkeypatch.undo()
    load(place, keys, "run-2", rows(("a", 1, "two", 1)))
    assert undo(place, keys, "run-2") == Undone(restored=1)
    assert undo(place, keys, "run-1") == Undone(deleted=1)


LOG = schema_of({"shop": "string", "id": "integer", "title": "string", "price": "decimal(12,2)"})


def append(place, keys, run, *batches):
    return load(place, keys, run, *batches, schema=LOG, mode="append")


def test_appended_rows_go_and_equal_ones_of_others_stay(place, keys):
    """Of rows that are the same, as many go as the run added: which of them makes no difference."""
    one, two = ("a", 1, "one", 1), ("a", 2, None, None)
    append(place, keys, "run-1", rows(one, one, two))
    assert append(place, keys, "run-2", rows(one, two), rows(one)) == [Written(2), Written(1)]
    assert undo(place, keys, "run-2") == Undone(deleted=3)
    assert [row[1] for row in there(place)] == [1, 1, 2]
    assert undo(place, keys, "run-1") == Undone(deleted=3)
    assert there(place) == []


def test_appended_rows_that_were_changed_stay(place, keys):
    """A row that isn't there as it was left is told, and so is one that somebody wrote a note beside."""
    append(place, keys, "run-1", rows(("a", 1, "one", 1), ("a", 2, "two", 2), ("a", 3, "three", 3), ("a", 4, "", 4)))
    place.execute("UPDATE orders SET title = 'mine' WHERE id = 1")
    place.execute("DELETE FROM orders WHERE id = 2")
    place.execute("ALTER TABLE orders ADD COLUMN note text")
    place.execute("UPDATE orders SET note = 'called' WHERE id = 3")
    assert undo(place, keys, "run-1") == Undone(deleted=1, gone=3)
    assert [row[1:3] for row in there(place)] == [(1, "mine"), (3, "three")]


def replace(place, keys, run, *batches, schema=PLAIN):
    return load(place, keys, run, *batches, schema=schema, mode="replace")


def test_a_replaced_table_comes_back(place, keys):
    """Rows that went are back, rows that came are gone, those that are in both aren't kept at all."""
    replace(place, keys, "run-1", rows(("a", 1, "one", 1), ("a", 2, "two", 2), ("a", 3, "three", None)))
    before = there(place)
    replace(place, keys, "run-2", rows(("a", 1, "ONE", 1), ("a", 2, "two", 2)), rows(("b", 9, "new", 9)))
    kept = place.open().kept("run-2")
    assert (kept.inserted, kept.updated, kept.ended) == (2, 2, True)
    assert undo(place, keys, "run-2") == Undone(deleted=2, restored=2)
    assert there(place) == before
    assert undo(place, keys, "run-1") == Undone(deleted=3)
    assert there(place) == []


def test_what_others_wrote_to_a_replaced_table_stays(place, keys):
    """A row that somebody changed keeps its place: the one with its key from before doesn't come back, and is told."""
    replace(place, keys, "run-1", rows(*(("a", n, "old", n) for n in range(1, 5))))
    replace(place, keys, "run-2", rows(("a", 1, "new", 1), ("a", 2, "new", 2), ("b", 3, "new", 3)))
    place.execute("UPDATE orders SET title = 'mine' WHERE id = 1")
    place.execute("DELETE FROM orders WHERE id = 2")
    place.execute("INSERT INTO orders VALUES ('a', 4, 'theirs', 4)")
    assert undo(place, keys, "run-2") == Undone(deleted=1, restored=2, touched=2)
    assert [row[:3] for row in there(place)] == [
        ("a", 1, "mine"), ("a", 2, "old"), ("a", 3, "old"), ("a", 4, "theirs"),
    ]  # fmt: skip


def test_a_replaced_table_without_a_key_comes_back(place, keys):
    """Rows that are the same are told by how often they are there."""
    one, two = ("a", 1, "one", 1), ("a", 2, None, None)
    replace(place, keys, "run-1", rows(one, one, two), schema=LOG)
    before = there(place)
    replace(place, keys, "run-2", rows(one, two, ("a", 3, "three", 3)), schema=LOG)
    assert undo(place, keys, "run-2") == Undone(deleted=2, restored=2)
    assert there(place) == before


def test_images_have_pieces_that_every_database_takes(place, keys, monkeypatch):
    """An image that is larger than a piece is in several rows, which go, count and come together."""
    monkeypatch.setattr(images, "_PIECE", 100)
    monkeypatch.setattr(replaced, "_ROWS", 3)
    replace(place, keys, "run-1", rows(*(("a", n, f"old {n}", n) for n in range(10))))
    before = there(place)
    replace(place, keys, "run-2", rows(*(("a", n, f"new {n}", n) for n in range(8))))
    assert place.execute(f"SELECT count(*) FROM {TABLE} WHERE run = 'run-2'")[0][0] > 4
    assert place.open().kept("run-2").batches == 4
    assert undo(place, keys, "run-2") == Undone(deleted=8, restored=10)
    assert there(place) == before
    load(place, keys, "run-3", rows(("a", 1, "old 1 changed", 1)))
    assert undo(place, keys, "run-3") == Undone(restored=1)
    assert there(place) == before


def test_a_replacement_that_was_refused_keeps_nothing(place, keys):
    """Where the new content doesn't get into place, there is nothing to undo; the next attempt keeps its own."""
    replace(place, keys, "run-1", rows(("a", 1, "one", 1), ("a", 2, "two", 2)))
    destination = place.open()
    target = target_of(PLAIN, "replace", "run-2", keeping=Keeping(WEEK, keys.seal), max_shrink=0.1)
    writer = destination.open(target)
    writer.write(rows(("a", 1, "ONE", 1)), "c")
    with pytest.raises(Denied):
        writer.finish("c")
    destination.close()
    assert place.open().kept("run-2") is None
    assert len(there(place)) == 2
