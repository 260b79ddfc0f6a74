"""Deleting what a run didn't come to, in SQLite and PostgreSQL: at its end, in one transaction, or not at all."""

from __future__ import annotations

import pytest

from syncline.model.errors import Again, Bug, Denied
from syncline.sdk.destination import Removal, Target
from tests.contract.sql_places import DIALECTS, FLOW, frame_of, place_of, schema_of

ORDERS = schema_of({"shop": "string", "id": "integer", "at": "timestamp", "title": "string"}, "shop", "id", "at")
KEYS = schema_of({"shop": "string", "id": "integer", "at": "timestamp"}, "shop", "id", "at")
T1, T2 = "2026-01-01T00:00:00.000001+00:00", "2026-01-01T00:00:00.000002+00:00"
SEEN = "orders__syncline_seen"


@pytest.fixture(params=DIALECTS)
def place(request, tmp_path):
    """A database of each kind, with three orders of an earlier run."""
    found = place_of(request.param, request, tmp_path)
    writer = found.open().open(target("r0", sweeps=False))
    writer.write(rows(("a", 1, T1, "one"), ("a", 1, T2, "two"), ("b", 1, T1, "other")), "before")
    yield found
    found.close()


def target(run="r1", *, sweeps=True):
    return Target(FLOW, run, "orders", ORDERS, "upsert", sweeps=sweeps)


def rows(*values):
    return frame_of(ORDERS, *[(shop, number, moment(at), title) for shop, number, at, title in values])


def keys(*values):
    return frame_of(KEYS, *[(shop, number, moment(at)) for shop, number, at in values])


def moment(text):
    from datetime import datetime

    return datetime.fromisoformat(text)


def wrote(writer, checkpoint, *values):
    frame = rows(*values)
    writer.see(frame.select(KEYS.names))
    writer.write(frame, checkpoint)


def titles(place):
    return sorted(title for *_, title in place.read("orders", ORDERS))


def allow(deleted, there):
    """Any number."""


def test_what_was_not_seen_is_deleted_by_the_whole_key(place):
    """Rows that the run wrote and those that it only saw stay; the rest goes with the last checkpoint."""
    writer = place.open().open(target())
    wrote(writer, "c1", ("a", 1, T1, "changed"), ("c", 9, T1, "new"))
    writer.see(keys(("b", 1, T1), ("z", 7, T1)))
    assert writer.sweep(allow, lambda deleted: f"done {deleted}") == 1
    assert titles(place) == ["changed", "new", "other"]
    assert place.open().checkpoint(FLOW) == "done 1"
    assert SEEN not in place.tables()


def test_a_run_that_goes_on_knows_what_it_saw(place):
    """Keys are durable with the batch that they came with, for a run of the same id; until its end nothing goes."""
    wrote(place.open().open(target()), "c1", ("a", 1, T1, "one"))
    again = place.open().open(target())
    wrote(again, "c2", ("a", 1, T2, "two"))
    assert titles(place) == ["one", "other", "two"]
    assert again.sweep(allow, lambda _: "done") == 1
    assert titles(place) == ["one", "two"]


def test_keys_of_a_batch_that_was_not_committed_are_not_kept(place):
    """What a killed run saw without a commit, whoever goes on has to come to again."""
    writer = place.open().open(target())
    wrote(writer, "c1", ("a", 1, T1, "one"))
    writer.see(keys(("b", 1, T1)))
    again = place.open().open(target())
    assert again.sweep(allow, lambda _: "done") == 2
    assert titles(place) == ["one"]


def test_another_run_begins_anew(place):
    """What a run saw that isn't gone on with says nothing about the next one."""
    wrote(place.open().open(target("r1")), "c1", ("a", 1, T1, "one"), ("b", 1, T1, "other"))
    writer = place.open().open(target("r2"))
    wrote(writer, "c1", ("a", 1, T2, "two"))
    assert writer.sweep(allow, lambda _: "done") == 2
    assert titles(place) == ["two"]


def test_too_many_are_not_deleted(place):
    """The guard is told how many rows would go of how many, before one does; denied, checkpoint and rows stay."""
    asked = []

    def deny(deleted, there):
        asked.append((deleted, there()))
        raise Denied("too many")

    writer = place.open().open(target())
    wrote(writer, "c1", ("a", 1, T1, "one"))
    with pytest.raises(Denied):
        writer.sweep(deny, lambda _: "done")
    assert asked == [(2, 3)]
    assert titles(place) == ["one", "other", "two"]
    assert place.open().checkpoint(FLOW) == "c1"
    assert SEEN in place.tables()


def test_a_run_that_is_not_sure_deletes_nothing(place):
    """Without a guard to ask, the run ends and its keys are gone, as all rows stay."""
    writer = place.open().open(target())
    wrote(writer, "c1", ("a", 1, T1, "one"))
    assert writer.sweep(None, lambda deleted: f"done {deleted}") == 0
    assert titles(place) == ["one", "other", "two"]
    assert place.open().checkpoint(FLOW) == "done 0"
    assert SEEN not in place.tables()


def test_a_run_that_went_on_without_its_keys_begins_anew(place):
    """Where the table of keys is gone, or never was, the rest of the run can't say what is absent: nothing is deleted."""
    wrote(place.open().open(target()), "c1", ("a", 1, T1, "one"))
    place.execute(f'DROP TABLE "{SEEN}"')
    with pytest.raises(Again) as caught:
        place.open().open(target())
    assert caught.value.code == "SYN488"
    assert place.open().checkpoint(FLOW) is None
    assert titles(place) == ["one", "other", "two"]
    place.open().open(target())


def test_keys_are_kept_with_deletes_too(place):
    """A batch whose tombstones delete rows keeps its keys in the same transaction."""
    writer = place.open().open(target())
    frame = rows(("a", 1, T1, "one"))
    writer.see(frame.select(KEYS.names))
    removal = Removal(keys(("a", 1, T2)), "", allow)
    writer.write_removing(writer.render(frame), removal, lambda _: "c1")
    again = place.open().open(target())
    assert again.sweep(allow, lambda _: "done") == 1
    assert titles(place) == ["one"]


def test_keys_that_the_database_cannot_hold_are_in_no_row(place):
    """A rejected record may have such a key: the others are kept."""
    writer = place.open().open(target())
    writer.see(keys(("a\0", 1, T1), ("a", 1, T1)))
    assert writer.sweep(allow, lambda _: "done") == 2
    assert titles(place) == ["one"]


def test_a_writer_that_was_not_opened_to_sweep_does_not(place):
    """Asking it is a mistake of ours."""
    writer = place.open().open(target(sweeps=False))
    with pytest.raises(Bug):
        writer.see(keys())
    with pytest.raises(Bug):
        writer.sweep(allow, lambda _: "done")
