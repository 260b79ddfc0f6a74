"""Rows that a table refuses are set aside one by one, with their reasons, and the others of their batch are written."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Denied, Invalid
from syncline.model.run import RunState
from tests.e2e import house, prepare
from tests.e2e.house import Scenario, build
from tests.e2e.test_crash import same
from tests.look import Look
from tests.sampling import stride

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.model.run import Reject
    from syncline.settings import Settings
    from syncline.state.store import RunRecord

POSITIVE = "CONSTRAINT positive CHECK (balance > 0)"


@pytest.fixture
def schema(postgres_url: str) -> Iterator[str]:
    """The name of a schema that goes with the test."""
    name = f"rows_{os.getpid()}_{uuid4().hex[:6]}"
    yield name
    execute(postgres_url, f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def table(scenario: Scenario, *rules: str) -> None:
    """A table that was there before, with what stands against rows, and a row of its own."""
    place = f'"{scenario.schema}".customers'
    execute(scenario.destination, f'CREATE SCHEMA "{scenario.schema}"')
    execute(scenario.destination, prepare.OLD.format(place))
    for rule in rules:
        execute(scenario.destination, f"ALTER TABLE {place} ADD {rule}")


def lines(root: Path, *rows: str) -> None:
    """The file of customers, with these lines."""
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "customers.csv").write_text("\n".join(("id,name,email,balance,born", *rows, "")))


def applied(root: Path, scenario: Scenario, **instead: str) -> Settings:
    """The flow, applied, with words of its manifest replaced."""
    flow = scenario.texts["sync.yaml"]
    for old, new in instead.items():
        assert old in flow
        flow = flow.replace(old, new)
    settings = build(root, {**scenario.texts, "sync.yaml": flow})
    workflow.apply(settings)
    return settings


def run(settings: Settings, scenario: Scenario) -> RunRecord:
    result = workflow.run(settings, scenario.key, progress=Silent())
    assert result.receipt.counts.balanced()
    return result.record


def told(settings: Settings, record: RunRecord) -> list[Reject]:
    return list(workflow.rejects(settings, record.id))


def ids(settings: Settings, scenario: Scenario) -> list[int]:
    return [int(row[0]) for row in house.rows(settings.root, scenario) or ()]


GOOD = "{0},Name {0},c{0}@example.com,{0}.00,1990-01-01"


@pytest.mark.parametrize("write", ["upsert", "append", "replace"])
@pytest.mark.parametrize("kind", ["Sync", "Import"])
def test_refused_rows_are_rejects_and_the_others_are_written(tmp_path, postgres_url, schema, kind, write):
    """Each has its place, its record, its field and the constraint; the receipt has all; a retry writes them later."""
    scenario = Scenario(write, postgres_url, schema, kind=kind)
    table(scenario, POSITIVE, "CONSTRAINT once UNIQUE (email)")
    settings = applied(tmp_path, scenario)
    lines(
        tmp_path,
        *(GOOD.format(n) for n in range(1, 5)),
        "5,E,c5@example.com,-5.00,1990-01-01",
        "6,F,c2@example.com,6.00,1990-01-01",
        "7,G,nowhere,7.00,1990-01-01",
        GOOD.format(8),
    )
    record = run(settings, scenario)
    assert record.state is RunState.partial
    assert record.counts.to_json() | {"read": 8, "written": 5, "rejected": 3, "inserted": 5} == record.counts.to_json()
    assert ids(settings, scenario) == [1, 2, 3, 4, 8]
    found = told(settings, record)
    assert [(r.place, r.field, r.rule, r.value) for r in found[:2]] == [
        ("customers.csv:6", "balance", "constraint", "-5.00"),
        ("customers.csv:7", "email", "constraint", "c2@example.com"),
    ]
    assert [r.message for r in found[:2]] == [
        "breaks the check 'positive' (balance)",
        "breaks the unique key 'once' (email)",
    ]
    assert json.loads(found[0].record)["id"] == "5"
    assert (found[2].field, found[2].rule) == ("email", "format")
    execute(postgres_url, f'ALTER TABLE "{schema}".customers DROP CONSTRAINT positive')
    retried = workflow.retry(settings, record.id, progress=Silent())
    assert (retried.receipt.counts.written, retried.receipt.counts.rejected) == (1, 2)
    assert ids(settings, scenario) == [1, 2, 3, 4, 5, 8]


def test_values_longer_than_a_column_are_rejects(tmp_path, postgres_url, schema):
    """A text that an existing varchar(n) doesn't hold is told with its field and place, before a run and in it."""
    scenario = Scenario("upsert", postgres_url, schema, kind="Import")
    table(scenario)
    execute(postgres_url, f'ALTER TABLE "{schema}".customers ALTER COLUMN name TYPE varchar(6)')
    settings = applied(tmp_path, scenario)
    lines(tmp_path, GOOD.format(1), GOOD.format(22), GOOD.format(3))
    previewed = workflow.preview(settings, scenario.key, limit=10)
    assert (previewed.counts.written, previewed.counts.rejected, previewed.notes) == (2, 1, ())
    assert [(reason.field, reason.rule) for reject in previewed.rejects for reason in reject.reasons] == [
        ("name", "destination")
    ]
    rehearsed = workflow.rehearse(settings, scenario.key, progress=Silent())
    assert (rehearsed.counts.written, rehearsed.counts.rejected) == (2, 1)
    assert [(rule.field, rule.rule) for rule in rehearsed.rejects.broken] == [("name", "destination")]
    record = run(settings, scenario)
    assert ids(settings, scenario) == [1, 3]
    (found,) = told(settings, record)
    assert (found.place, found.field, found.rule, found.value) == ("customers.csv:3", "name", "destination", "Name 22")
    assert found.message == "more than the 6 characters of its column can't be held"


def test_a_dry_run_shows_records_where_the_table_cannot_be_asked(tmp_path):
    """A destination that fails is told in a line; one that isn't there yet isn't made, and there is nothing to tell."""
    scenario = Scenario("upsert", kind="Import")
    settings = applied(tmp_path, scenario)
    lines(tmp_path, GOOD.format(1), GOOD.format(2))
    warehouse = tmp_path / "warehouse.db"
    found = workflow.preview(settings, scenario.key, limit=10)
    assert (len(found.rows), found.notes, warehouse.exists()) == (2, (), False)
    warehouse.write_text("no database\n" * 100)
    found = workflow.preview(settings, scenario.key, limit=10)
    (note,) = found.notes
    assert len(found.rows) == 2
    assert note.startswith("values that the destination's columns can't hold weren't looked for: SYN490")


def test_more_than_may_be_rejected_writes_nothing(tmp_path, postgres_url, schema):
    """The rows that a table refuses count for maxRejects before their batch is committed, and say why it wasn't."""
    scenario = Scenario("upsert", postgres_url, schema, kind="Import")
    table(scenario, POSITIVE)
    settings = applied(tmp_path, scenario, **{"write: upsert": "write: upsert, guards: {maxRejects: 1}"})
    lines(tmp_path, GOOD.format(1), "2,B,,-2.00,", GOOD.format(3), "4,D,,-4.00,", "5,E,,-5.00,")
    with pytest.raises(Denied, match="2 of 5 records are rejected") as error:
        run(settings, scenario)
    assert error.value.code == "SYN701"
    assert ids(settings, scenario) == []
    (record,) = Look(settings.state_url).runs(scenario.key)
    assert [r.place for r in told(settings, record)] == ["customers.csv:3", "customers.csv:5"]
    lines(tmp_path, GOOD.format(1), "2,B,,-2.00,", GOOD.format(3), GOOD.format(4))
    assert run(settings, scenario).counts.rejected == 1
    assert ids(settings, scenario) == [1, 3, 4]


def test_an_older_record_takes_the_place_of_one_that_is_refused(tmp_path, postgres_url, schema):
    """Of two records with one key the last is written; where the table refuses that, the one before it is."""
    scenario = Scenario("upsert", postgres_url, schema)
    table(scenario, POSITIVE)
    settings = applied(tmp_path, scenario)
    lines(tmp_path, GOOD.format(1), "1,Later,,-2.00,", GOOD.format(2), "2,Later,,-2.00,", "2,Last,,-3.00,")
    record = run(settings, scenario)
    counts = record.counts
    assert (counts.read, counts.written, counts.rejected, counts.skipped) == (5, 2, 3, 0)
    assert [r.place for r in told(settings, record)] == ["customers.csv:3", "customers.csv:5", "customers.csv:6"]
    assert [row[1] for row in house.rows(tmp_path, scenario) or ()] == ["Name 1", "Name 2"]


def test_rows_that_are_refused_are_not_absent(tmp_path, postgres_url, schema):
    """A row whose new record is refused is still at the source: it isn't deleted for being absent."""
    scenario = Scenario("upsert", postgres_url, schema, absent="delete")
    table(scenario, POSITIVE)
    settings = applied(tmp_path, scenario)
    lines(tmp_path, *(GOOD.format(n) for n in range(1, 5)))
    run(settings, scenario)
    lines(tmp_path, GOOD.format(1), "2,B,,-2.00,", GOOD.format(4))
    record = run(settings, scenario)
    assert (record.counts.rejected, record.counts.absent) == (1, 1)
    assert ids(settings, scenario) == [1, 2, 4]


def test_records_that_were_refused_have_no_proof(tmp_path, postgres_url, schema):
    """Of a flow whose records are provable, those that are there are proved, and one that was refused isn't."""
    scenario = Scenario("upsert", postgres_url, schema)
    table(scenario, POSITIVE)
    settings = applied(tmp_path, scenario, **{"spec: {": "spec: {evidence: records, "})
    lines(tmp_path, GOOD.format(1), "2,B,,-2.00,", GOOD.format(3))
    record = run(settings, scenario)
    named = {"name": "Name {}", "email": "c{}@example.com", "balance": "{}.00", "born": "1990-01-01"}
    for number in (1, 3):
        row = {"id": number, **{name: text.format(number) for name, text in named.items()}}
        assert workflow.prove_record(settings, record, row)
    refused = {"id": 2, "name": "B", "email": None, "balance": "-2.00", "born": None}
    with pytest.raises(Invalid):
        workflow.prove_record(settings, record, refused)


def test_a_batch_of_which_nothing_can_be_written_ends_the_run(tmp_path, postgres_url, schema, monkeypatch):
    """Where more rows are refused than are looked for one by one, the error says what stands against them."""
    monkeypatch.setattr("syncline.connectors.sql.sifting.MOST_TRIES", 20)
    scenario = Scenario("upsert", postgres_url, schema)
    table(scenario, POSITIVE)
    settings = applied(tmp_path, scenario)
    lines(tmp_path, *(f"{n},N,,-1.00," for n in range(1, 100)))
    with pytest.raises(Invalid, match="positive.*too many") as error:
        run(settings, scenario)
    assert error.value.code == "SYN486"
    assert ids(settings, scenario) == []


def test_what_a_trigger_says_of_a_row_is_kept_sealed_only(tmp_path, postgres_url, schema, monkeypatch):
    """Its words are those of who wrote it, and may be values of rows: the record of the run goes without."""
    monkeypatch.setattr("syncline.connectors.sql.sifting.MOST_TRIES", 20)
    scenario = Scenario("upsert", postgres_url, schema)
    table(scenario)
    no = f'"{schema}".no()'
    body = "BEGIN RAISE 'no %', NEW.email; END"
    execute(postgres_url, f"CREATE FUNCTION {no} RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    place = f'"{schema}".customers'
    execute(postgres_url, f"CREATE TRIGGER no BEFORE INSERT ON {place} FOR EACH ROW EXECUTE FUNCTION {no}")
    settings = applied(tmp_path, scenario)
    lines(tmp_path, *(GOOD.format(n) for n in range(1, 100)))
    with pytest.raises(Invalid, match="@example.com"):
        run(settings, scenario)
    (record,) = workflow.runs(settings, scenario.key, 1)
    assert (record.error_code, "@" in record.error) == ("SYN486", False)
    (sample,) = told(settings, record)
    assert "@example.com" in sample.message


@pytest.mark.parametrize("write", ["append", "upsert", "replace"])
@pytest.mark.slow
def test_kills_while_rows_are_refused_are_repaired(tmp_path, postgres_url, write):
    """Killed at a sample of points, trials and statements of a transaction included, a run ends as one that wasn't."""
    rule = "CONSTRAINT rare CHECK (id % 6 <> 5)"
    scenario = {"write": write, "destination": postgres_url, "schema": f"kill_rows_{write}", "rule": rule}
    found = same(tmp_path, "run", scenario, stride=stride(7), deep=True, first=5)
    assert any("writer.sift" in line["within"] for line in found)
    places = [reject for reject in found[0]["outcome"]["rejects"] if reject[2] == "constraint"]
    assert places


@pytest.mark.parametrize("write", ["upsert", "append"])
def test_rows_that_a_trigger_leaves_out_are_told_on_the_receipt(tmp_path, postgres_url, schema, write):
    """They are no rejects, since nobody says which they are, and neither inserted nor unchanged."""
    scenario = Scenario(write, postgres_url, schema)
    table(scenario)
    place = f'"{schema}".customers'
    execute(
        postgres_url,
        f'CREATE FUNCTION "{schema}".silent() RETURNS trigger LANGUAGE plpgsql AS'
        " 'BEGIN IF NEW.balance < 0 THEN RETURN NULL; END IF; RETURN NEW; END'",
    )
    execute(
        postgres_url,
        f'CREATE TRIGGER silent BEFORE INSERT ON {place} FOR EACH ROW EXECUTE FUNCTION "{schema}".silent()',
    )
    lines(tmp_path, *(f"{n},N,c@example.com,{-n if n % 2 else n},1990-01-01" for n in range(11, 18)))
    settings = applied(tmp_path, scenario)
    receipt = workflow.run(settings, scenario.key, progress=Silent()).receipt
    assert (receipt.counts.written, receipt.counts.inserted, receipt.counts.unchanged) == (7, 3, 0)
    assert "4 rows were sent and aren't in the table: a trigger of it left them out without an error" in receipt.notes
