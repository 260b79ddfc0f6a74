"""The invariants that tests against faulty systems hold runs to: they are kept by runs, and found broken where they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from syncline.connectors.sql.ledger import CHECKPOINTS
from syncline.executor.batches.checkpoint import Checkpoint
from syncline.model.key import ObjectKey
from syncline.state.open import open_store
from tests.api_server import Asked, Reply, api_server
from tests.e2e.house import settings_of
from tests.peers.faults import covered, holds, items, page
from tests.peers.house import House


@pytest.fixture
def stopped(tmp_path: Path) -> House:
    """A house whose run was stopped by an error at page 3: two pages, four items, are committed."""

    def api(asked: Asked) -> Reply:
        number = int(asked.query.get("cursor", 1))
        return Reply(page(number)) if number < 3 else Reply({}, status=400)

    with api_server(api) as server:
        made = items(tmp_path, server.url)
        made.fails("items")
    return made


def test_they_hold_after_a_run_that_failed(stopped: House):
    """A run that stopped in the middle has committed a position that covers just what is in the table."""
    holds(stopped)
    assert stopped.rows("SELECT count(*) FROM items") == [(4,)]
    assert covered(stopped.committed("items")) == 4


def lose_a_row(made: House) -> None:
    change(made, "DELETE FROM items WHERE id = 3")


def lose_all_rows(made: House) -> None:
    change(made, "DROP TABLE items")


def double_a_row(made: House) -> None:
    change(made, "CREATE TABLE more AS SELECT * FROM items UNION ALL SELECT * FROM items")
    change(made, "DROP TABLE items")
    change(made, "ALTER TABLE more RENAME TO items")


def commit_a_later_page(made: House) -> None:
    committed = made.committed("items")
    assert committed is not None
    assert committed.position is not None
    under_way = {**committed.position["pass"], "page": {"cursor": "4"}}
    later = replace(committed, position={**committed.position, "pass": under_way})
    change(made, f"UPDATE {CHECKPOINTS} SET checkpoint = ?", later.dumps())


def keep_a_later_cursor(made: House) -> None:
    committed = made.committed("items")
    assert committed is not None
    keep(made, replace(committed, position={"v": 1, "cursor": "5", "seen": []}))


def keep_a_later_sequence(made: House) -> None:
    committed = made.committed("items")
    assert committed is not None
    keep(made, replace(committed, sequence=committed.sequence + 1))


def change(made: House, statement: str, *values: Any) -> None:
    """Changes the warehouse behind the program's back."""
    with closing(sqlite3.connect(made.root / "warehouse.db")) as connection, connection:
        connection.execute(statement, values)


def keep(made: House, checkpoint: Checkpoint) -> None:
    """Puts a checkpoint into the state."""
    with closing(open_store(settings_of(made.root).state_url)) as store:
        store.put_cursor(ObjectKey("acme", "Sync", "items"), checkpoint.dumps())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lose_a_row, "destination's cursor is ahead"),
        (lose_all_rows, "destination's cursor is ahead"),
        (double_a_row, "twice"),
        (commit_a_later_page, "destination's cursor is ahead"),
        (keep_a_later_cursor, "state's cursor is ahead"),
        (keep_a_later_sequence, "state is ahead"),
    ],
)
def test_broken_ones_are_found(stopped: House, damage: Callable[[House], None], words: str):
    """A cursor that is ahead of the rows, wherever it is kept, and a row that is there twice: each fails."""
    damage(stopped)
    with pytest.raises(AssertionError, match=words):
        holds(stopped)
