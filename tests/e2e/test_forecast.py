"""`plan --data`: what is told of rows before a run is what the run then does, and looking changes nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from syncline import workflow
from syncline.cli.output.paint import Paint
from syncline.cli.output.plan_markdown import render_plan as markdown
from syncline.cli.output.plan_text import render_plan as text
from syncline.executor.progress import Silent
from syncline.model.key import ObjectKey
from syncline.planner.serialize import dumps, loads
from tests.api_server import Reply, api_server
from tests.e2e.api import helpdesk
from tests.e2e.house import Scenario, audit_events, build, customers, rows

FLOW = ObjectKey("acme", "Sync", "customers")
TICKETS = ObjectKey("acme", "Sync", "tickets")
CLASSED = "{to: email, from: email, class: pii.email, check: {format: email}}"


def house(root, count=40, **kind):
    """A house whose sync is declared and not applied."""
    customers(root, count)
    return build(root, Scenario(**{"write": "upsert", **kind}).texts)


def forecast(settings, limit):
    (found,) = workflow.plan(settings, data=limit).data
    return found


@pytest.mark.parametrize("write", ["upsert", "append", "replace"])
@pytest.mark.parametrize("destination", ["sqlite", "parquet"])
def test_the_run_does_what_was_told(tmp_path, write, destination):
    """Over everything the forecast is exact: its counts are those of the run's receipt."""
    if (write, destination) == ("upsert", "parquet"):
        pytest.skip("files can't be upserted")
    settings = house(tmp_path, write=write, destination=destination)
    told = forecast(settings, 1000)
    workflow.apply(settings)
    receipt = workflow.run(settings, FLOW, progress=Silent()).receipt

    assert told.exact
    assert told.compared
    assert told.counts == receipt.counts


def test_a_changed_flow_is_compared_with_the_rows_that_are_there(tmp_path):
    """After a change of the mapping, the counts of what is inserted, updated and unchanged are those of the next run."""
    settings = house(tmp_path)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    customers(tmp_path, 45)
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("{to: name, from: name}", "{to: name, from: \"name || 'x'\"}"))

    told = forecast(settings, 1000)
    workflow.apply(settings)
    receipt = workflow.run(settings, FLOW, progress=Silent()).receipt

    assert told.counts == receipt.counts
    assert told.counts.unchanged
    assert told.counts.inserted


@pytest.mark.parametrize(
    ("write", "said", "counted", "stays"),
    [
        ("upsert", "it stays, rows keep their values, and new rows have none", "which stay as they are", True),
        ("append", "it stays, rows keep their values, and new rows have none", "which stay as they are", True),
        (
            "replace",
            "the values of all its rows go when the next run replaces it, and the column stays",
            "which go",
            False,
        ),
    ],
)
def test_a_column_that_is_no_longer_written(tmp_path, write, said, counted, stays):
    """The plan says what becomes of it, of how many values, and whether that can be undone; the next run does that."""
    settings = house(tmp_path, write=write)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        connection.execute("UPDATE customers SET born = NULL WHERE id = (SELECT min(id) FROM customers)")
        connection.commit()
        ((rows,),) = connection.execute("SELECT count(*) FROM customers")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("  - {to: born, from: born, type: date}\n", ""))
    made = workflow.plan(settings, data=1000)
    (effect,) = [e for c in made.changes for e in c.effects if e.kind == "columns-dropped"]
    assert said in effect.message
    assert effect.reversible is stays
    note = f"column born, no longer written: {rows - 1:,} of {rows:,} rows have a value in it, {counted}"
    assert made.data[0].notes == (note,)
    assert note in text(made, Paint(on=False))
    assert note in markdown(made)

    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent(), full_refresh=write != "append")
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        ((kept,),) = connection.execute("SELECT count(born) FROM customers")  # the column is there in any case
    assert kept == (rows - 1 if stays else 0)


def test_values_in_files_are_not_counted_and_said_not_to_be(tmp_path):
    """Files that are there keep the column; how many rows have a value in it isn't counted, and the plan says so."""
    settings = house(tmp_path, write="append", destination="parquet")
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("  - {to: born, from: born, type: date}\n", ""))
    made = workflow.plan(settings, data=1000)
    (effect,) = [e for c in made.changes for e in c.effects if e.kind == "columns-dropped"]
    assert "files that are there keep it, and new ones lack it" in effect.message
    assert made.data[0].notes == ("how many rows have a value in born isn't counted there",)


def test_a_sample_says_so_and_estimates_the_whole(tmp_path):
    """The first ten of two thousand: sampled, with about how many there are, within a tenth."""
    told = forecast(house(tmp_path, 2000), 10)

    assert not told.exact
    assert told.counts.read == 10
    assert 1800 < told.total < 2200


def test_looking_changes_nothing(tmp_path):
    """No database, folder or key is made, and nothing is applied."""
    settings = house(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    workflow.plan(settings, data=10)

    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_values_of_records_are_not_told(tmp_path):
    """Rejected are counted with up to three reasons: place, field and rule, and no value, in any form of the plan."""
    texts = Scenario("upsert").texts
    customers(tmp_path, 40)
    mapping = texts["mapping.yaml"].replace("{to: email, from: email, check: {format: email}}", CLASSED)
    settings = build(tmp_path, {**texts, "mapping.yaml": mapping})
    made = workflow.plan(settings, data=1000)
    (told,) = made.data

    assert told.counts.rejected > 3
    assert [(r.place, r.field, r.rule) for r in told.reasons] == [
        ("customers.csv:8", "email", "format"),
        ("customers.csv:12", "balance", "type"),
        ("customers.csv:15", "email", "format"),
    ]
    for shown in (dumps(made), markdown(made), text(made, Paint())):
        assert "nowhere" not in shown
        assert "1,000" not in shown


def test_it_survives_being_saved(tmp_path):
    """A saved plan reads back with its forecasts."""
    made = workflow.plan(house(tmp_path), data=10)

    assert loads(dumps(made)) == made
    assert json.loads(dumps(made))["data"][0]["object"] == "acme/Sync/customers"


def test_without_it_nothing_is_contacted(tmp_path):
    """A plan that isn't asked for data has none, and the source may be gone."""
    settings = house(tmp_path)
    (tmp_path / "data" / "customers.csv").unlink()

    assert workflow.plan(settings).data == ()
    assert "data" not in json.loads(dumps(workflow.plan(settings)))


def test_a_source_that_does_not_answer_is_told_of_and_the_plan_stands(tmp_path):
    """What can't be tried has its reason in place of figures."""
    settings = house(tmp_path)
    (tmp_path / "data" / "customers.csv").unlink()

    assert forecast(settings, 10).problem.startswith("SYN450 no file matches")


def tickets(asked):
    """Three pages of ten."""
    page = int(asked.query.get("cursor", 0))
    records = [{"id": page * 10 + n, "title": "t", "hours": 1} for n in range(1, 11)]
    return Reply({"data": records, "next": str(page + 1) if page < 2 else None})


def test_requests_are_counted_against_the_limit(tmp_path):
    """All of an API is read within three requests, of two a minute: a minute in all."""
    with api_server(tickets) as api:
        texts = helpdesk(api.url)
        connector = texts["connector.yaml"].replace("    retry:", "    limits: [{rate: 100/s}]\n    retry:")
        settings = build(tmp_path, {**texts, "connector.yaml": connector})
        whole = forecast(settings, 100)
        part = forecast(settings, 10)

    assert (whole.exact, whole.requests_needed, whole.limit, whole.seconds_needed) == (True, 3, "100/s", 0.0)
    assert (part.exact, part.counts.read, part.total, part.requests_needed) == (False, 10, None, None)
    assert part.requests < 3


def test_an_incremental_flow_is_tried_from_its_position(tmp_path):
    """A change that keeps the position reads on from it, as the next run will; a change that voids it, from the start."""

    def after(asked):
        known = int(asked.query.get("after", 0) or 0)
        records = [{"id": n, "title": "t", "hours": 1} for n in range(1, 31) if n > known]
        return Reply({"data": records, "next": None})

    with api_server(after) as api:
        settings = build(tmp_path, helpdesk(api.url, read="incremental"))
        workflow.apply(settings)
        workflow.run(settings, TICKETS, progress=Silent())
        sync = tmp_path / "sync.yaml"
        written = sync.read_text()
        sync.write_text(written.replace("check: {maxLength: 100}", "check: {maxLength: 99}"))
        kept = forecast(settings, 100)
        sync.write_text(written.replace("to: warehouse/tickets", "to: warehouse/others"))
        moved = forecast(settings, 100)

    assert (kept.resumed, kept.counts.read, kept.exact) == (True, 0, True)
    assert (moved.resumed, moved.counts.read, moved.counts.inserted) == (False, 30, 30)
    assert kept.notes == ()
    assert moved.notes == ("it starts over: there are 0 rows now",)


def test_a_flow_that_starts_over_tells_the_rows_that_are_there(tmp_path):
    """Where the destination is looked at anyway, the rows of its table are counted there, whoever wrote them."""
    settings = house(tmp_path, count=9)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    there = len(rows(tmp_path, Scenario("upsert")) or ())
    source = tmp_path / "source.yaml"
    source.write_text(source.read_text().replace('"customers*.csv"', '"customers.csv"'))

    assert forecast(settings, 100).notes == (f"it starts over: there are {there} rows now",)


def test_there_is_evidence_of_the_reading(tmp_path):
    """Where there is an audit log, it says of which flow records were read."""
    settings = house(tmp_path)
    workflow.apply(settings)
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("{to: name, from: name}", "{to: name, from: \"name || 'x'\"}"))
    workflow.plan(settings, data=10)

    found = [json.dumps(event) for event in audit_events(settings) if "run.preview" in json.dumps(event)]
    assert len(found) == 1
    assert '"read": 10' in found[0]


def test_the_table_has_no_trace_of_a_comparison(tmp_path):
    """A temporary table stays out of the database file."""
    settings = house(tmp_path)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("{to: name, from: name}", "{to: name, from: \"name || 'x'\"}"))
    workflow.plan(settings, data=10)

    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database:
        assert not database.execute("SELECT 1 FROM sqlite_schema WHERE name LIKE '%stage%'").fetchall()


def test_rows_that_a_read_lacks_are_told(tmp_path):
    """Where all of it was read and has its key, their number is that of the run; else that it isn't known."""
    texts = Scenario("upsert", absent="delete").texts
    for line in (", check: {format: email}", ', type: "decimal(12,2)"'):
        texts["mapping.yaml"] = texts["mapping.yaml"].replace(line, "")
    customers(tmp_path, 50, malformed=False)
    settings = build(tmp_path, texts)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    customers(tmp_path, 40, malformed=False)
    build(tmp_path, {**texts, "mapping.yaml": texts["mapping.yaml"].replace("from: name", "from: upper(name)")})

    part, told = forecast(settings, 10), forecast(settings, 1000)
    assert part.counts.absent == 0
    assert "rows that the read lacks" in part.note
    assert told.counts.absent == 10
    assert "10 to delete" in text(workflow.plan(settings, data=1000), Paint())
    workflow.apply(settings)
    assert workflow.run(settings, FLOW, progress=Silent()).record.counts == told.counts
