"""What becomes of positions: across renames, retirements, resets, retries and full refreshes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from syncline import workflow
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.secrets.keys import ring_file
from syncline.state.open import open_store
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import helpdesk
from tests.e2e.house import FLOW, Scenario, audit_ok, build, customers, rows
from tests.look import Look, copy_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syncline.executor.work import RunResult
    from syncline.settings import Settings

KEY = ObjectKey("acme", "Sync", "tickets")


class Tickets:
    """An API of tickets that are only ever added; it gives those after the number that it is asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.last = 20

    def __call__(self, asked: Asked) -> Reply:
        after = int(asked.query.get("after", 0))
        return Reply(
            {"data": [{"id": n, "title": "t", "hours": 1} for n in range(after + 1, self.last + 1)], "next": None}
        )

    def texts(self, name: str = "tickets", table: str = "tickets", moved: str = "") -> dict[str, str]:
        """Manifests of an incremental append, in which a record read twice would be there twice."""
        found = helpdesk(self.url, write="append", read="incremental")
        metadata = f"{{name: {name}, moved: {{name: {moved}}}, " if moved else f"{{name: {name}, "
        sync = found["sync.yaml"].replace("warehouse/tickets", f"warehouse/{table}")
        return {**found, "sync.yaml": sync.replace("{name: tickets, ", metadata)}


@pytest.fixture
def tickets() -> Iterator[Tickets]:
    """The API, running."""
    service = Tickets()
    with api_server(service) as server:
        service.url = server.url
        yield service


def apply(root: Path, manifests: dict[str, str]) -> Settings:
    settings = build(root, manifests)
    workflow.apply(settings, allow_deletes=True)
    return settings


def run(settings: Settings, key: ObjectKey = KEY, *, full_refresh: bool = False) -> RunResult:
    return workflow.run(settings, key, progress=Silent(), full_refresh=full_refresh)


def count(root: Path, table: str = "tickets") -> int:
    with closing(sqlite3.connect(root / "warehouse.db")) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_a_rename_keeps_the_position(tmp_path, tickets):
    """After `moved`, the next run reads only what is new, and the history is under the new name."""
    settings = apply(tmp_path, tickets.texts())
    first = run(settings)
    settings = apply(tmp_path, tickets.texts("cases", moved="tickets"))
    tickets.last = 25
    key = ObjectKey("acme", "Sync", "cases")
    second = run(settings, key)

    assert second.record.counts.read == 5
    assert count(tmp_path) == 25
    assert [r.id for r in Look(settings.state_url).runs(key)] == [second.record.id, first.record.id]
    assert run(settings, key).record.counts.read == 0
    assert audit_ok(settings)


def test_runs_need_no_key_to_know_where_they_are(tmp_path, tickets):
    """What the state has sealed of a position is a copy: without its key the destination's counts, after a rename too."""
    settings = apply(tmp_path, tickets.texts())
    run(settings)
    key = settings.keys / "tenants" / "acme.key"
    key.unlink()
    tickets.last = 25
    assert run(settings).record.counts.read == 5
    key.unlink()
    settings = apply(tmp_path, tickets.texts("cases", moved="tickets"))
    tickets.last = 27
    cases = ObjectKey("acme", "Sync", "cases")
    assert run(settings, cases).record.counts.read == 2
    assert (
        Checkpoint.loads(copy_of(settings, cases) or "").position is not None
    )  # sealed again, with a key that is there
    assert count(tmp_path) == 27


@pytest.mark.parametrize("away", ["elsewhere", "unreachable"])
def test_runs_are_shown_without_the_keys(tmp_path, tickets, away):
    """Where the keys are on another machine, or can't be asked, all is shown but positions, and no key is made."""
    settings = apply(tmp_path, tickets.texts())
    done = run(settings).record
    if away == "elsewhere":
        settings = replace(settings, home=tmp_path / "viewer")
    else:
        (first,) = ring_file.read(settings.keys)
        ring_file.write(settings.keys, (structs.replace(first, place="vault:transit/syncline"),))
        settings = replace(settings, environ={"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "t"})
    before = set(settings.home.rglob("*"))
    shown = workflow.find_run(settings, done.id)
    assert shown.counts == done.counts
    assert shown.receipt is not None
    assert shown.receipt["cursor_after"] == "sealed"
    assert {path for path in settings.home.rglob("*") if "keys" in path.parts} <= before


def test_a_name_taken_over_brings_its_own_position(tmp_path, tickets):
    """An object that is renamed to the name of a retired one follows its own position, not the retired one's."""
    settings = apply(
        tmp_path, {**tickets.texts(), "other.yaml": tickets.texts("other", "other")["sync.yaml"].split("---")[-1]}
    )
    tickets.last = 10
    run(settings, ObjectKey("acme", "Sync", "other"))
    tickets.last = 20
    run(settings)
    apply(tmp_path, tickets.texts("other", "other"))
    settings = apply(tmp_path, tickets.texts("tickets", "other", moved="other"))
    assert run(settings).record.counts.read == 10
    assert count(tmp_path, "other") == 20


def test_what_was_retired_and_declared_again_starts_over(tmp_path, tickets):
    """The plan said that the position is forgotten: the next run of the new object reads from the start."""
    settings = apply(tmp_path, tickets.texts())
    run(settings)
    apply(tmp_path, tickets.texts("other", "other"))
    settings = apply(tmp_path, tickets.texts())
    assert run(settings).record.counts.read == 20
    assert count(tmp_path) == 40


def test_a_lost_state_goes_on_from_the_destination(tmp_path, tickets):
    """With a new state, the destination's checkpoint is the truth: nothing is read twice."""
    run(apply(tmp_path, tickets.texts()))
    settings = build(tmp_path, tickets.texts())
    home = tmp_path / "elsewhere"
    fresh = replace(settings, home=home, state_url=f"sqlite:///{home / 'state.db'}")
    workflow.apply(fresh)
    assert run(fresh).record.counts.read == 0
    assert count(tmp_path) == 20


def test_a_full_refresh_reads_from_the_start_and_ends_what_was_open(tmp_path, tickets):
    """A run that was left open is closed as superseded when another starts over."""
    texts = tickets.texts()
    settings = apply(tmp_path, {**texts, "sync.yaml": texts["sync.yaml"].replace("write: append", "write: upsert")})
    first = run(settings)
    store = open_store(settings.state_url)
    try:
        left = structs.replace(
            first.record, id="20200101T000000-aaaaaa", state=RunState.running, receipt=None, finished=""
        )
        store.put_run(left)
    finally:
        store.close()
    again = run(settings, full_refresh=True)
    closed = Look(settings.state_url).run(left.id)
    assert again.record.counts.read == 20
    assert (closed.state, closed.error_code) == (RunState.failed, "SYN710")
    assert audit_ok(settings)


@pytest.mark.parametrize("lacking", ["a chapter", "this version"])
def test_a_full_refresh_needs_no_checkpoint_that_can_be_read(tmp_path, tickets, lacking):
    """As is advised where one of another version is there, or a chapter of it is missing: it is read from the start."""
    texts = tickets.texts()
    settings = apply(tmp_path, {**texts, "sync.yaml": texts["sync.yaml"].replace("write: append", "write: upsert")})
    run(settings)
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection, connection:
        ((saved,),) = connection.execute("SELECT checkpoint FROM _syncline_checkpoints").fetchall()
        data = json.loads(saved)
        wrong = {"version": 2, "chapters": [1, 3]} if lacking == "a chapter" else {"version": 99}
        connection.execute("UPDATE _syncline_checkpoints SET checkpoint = ?", (json.dumps(data | wrong),))
    with pytest.raises(Invalid) as error:
        run(settings)
    assert (error.value.code, "--full-refresh" in error.value.help) == ("SYN705", True)
    assert run(settings, full_refresh=True).record.counts.read == 20
    assert run(settings).record.counts.read == 0
    assert count(tmp_path) == 20


def test_a_full_refresh_that_would_double_rows_is_refused(tmp_path, tickets):
    """Appending everything again is never what was meant; nothing is read, and the position stays."""
    settings = apply(tmp_path, tickets.texts())
    run(settings)
    with pytest.raises(Invalid):
        run(settings, full_refresh=True)
    assert count(tmp_path) == 20
    assert run(settings).record.counts.read == 0


def test_the_copy_in_the_state_is_that_of_the_destination(tmp_path, tickets):
    """After a run, both checkpoints have the same position."""
    settings = apply(tmp_path, tickets.texts())
    run(settings)
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        ((saved,),) = connection.execute("SELECT checkpoint FROM _syncline_checkpoints").fetchall()
    copy = copy_of(settings, KEY) or ""
    assert Checkpoint.loads(saved).position == Checkpoint.loads(copy).position


def fixed(manifests: dict[str, str]) -> dict[str, str]:
    """The mapping without its check of e-mail addresses."""
    return {**manifests, "mapping.yaml": manifests["mapping.yaml"].replace(", check: {format: email}", "")}


@pytest.mark.parametrize("write", ["append", "upsert", "replace"])
def test_rejects_are_retried_after_a_correction(tmp_path, write):
    """They land in the table; what is still bad is the new run's; the flow's cursor stays; a second retry is refused."""
    manifests = Scenario(write).texts
    settings = apply(tmp_path, manifests)
    customers(tmp_path, 40)
    first = run(settings, FLOW)
    before = len(rows(tmp_path, Scenario(write)) or [])
    cursor = Look(settings.state_url).cursor(FLOW)
    settings = apply(tmp_path, fixed(manifests))
    retried = workflow.retry(settings, first.record.id, progress=Silent())

    rejects = list(workflow.rejects(settings, first.record.id))
    emails = [r for r in rejects if r.field == "email"]
    still = list(workflow.rejects(settings, retried.record.id))
    assert (len(emails), len(still)) == (5, 4)
    assert {(r.field, r.rule) for r in still} == {("balance", "type"), ("", "parse")}
    assert (retried.record.counts.read, retried.record.counts.written) == (9, 5)
    assert len(rows(tmp_path, Scenario(write)) or []) == before + 5
    assert retried.record.parent == first.record.id
    assert Look(settings.state_url).cursor(FLOW) == cursor
    assert {r.place for r in still} == {r.place for r in rejects if r.field != "email"}
    with pytest.raises(Invalid) as refused:
        workflow.retry(settings, first.record.id, progress=Silent())
    assert refused.value.code == "SYN708"
    assert audit_ok(settings)


def test_a_retry_that_could_not_note_itself_is_not_repeated(tmp_path):
    """Killed between its end and its note, a retry that is asked for again writes nothing twice."""
    manifests = Scenario("append").texts
    settings = apply(tmp_path, manifests)
    customers(tmp_path, 40)
    first = run(settings, FLOW)
    settings = apply(tmp_path, fixed(manifests))
    workflow.retry(settings, first.record.id, progress=Silent())
    after = count(tmp_path, "customers")
    store = open_store(settings.state_url)
    try:
        store.mark_retried(first.record.id, "")
    finally:
        store.close()
    workflow.retry(settings, first.record.id, progress=Silent())
    assert count(tmp_path, "customers") == after
