"""Tests of runs that were taken for dead and followed while they began: what came after them stays as it is."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from syncline import workflow
from syncline.executor.engine import Engine
from syncline.executor.flows.opening import Opener
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.model.errors import Denied
from syncline.model.key import ObjectKey
from tests import repository

CUSTOMERS, CLIENTS = (ObjectKey("acme", "Import", name) for name in ("customers", "clients"))


def test_a_flow_that_is_renamed_while_a_run_sleeps_keeps_its_position(tmp_path):
    """One that wakes under the old name forgets nothing at the destination: the flow goes on where it was."""
    texts = repository.edited("import.yaml", "write: upsert", "write: append")
    settings = repository.write(tmp_path, texts)
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "customers.csv").write_text("id,name,email\n1,Ann,ann@example.com\n")
    workflow.apply(settings)
    renamed = repository.edited(
        "import.yaml",
        "{name: customers, tenant: acme}",
        "{name: clients, tenant: acme, moved: {name: customers}}",
        texts,
    )

    class Sleeping(Opener):
        """Opens a destination whose fence takes so long that the flow is renamed meanwhile, by another process."""

        def destination(self):
            found: Any = super().destination()
            fence = found.fence

            def slow(*args, **named):
                fence(*args, **named)
                with closing(sqlite3.connect(settings.home / "state.db")) as state, state:
                    state.execute("UPDATE leases SET expires = 0 WHERE name LIKE 'run/%'")
                repository.write(tmp_path, renamed)
                workflow.apply(settings)

            found.fence = slow
            return found

    with workflow.engine(settings) as engine:
        engine.run(Work(CUSTOMERS), Silent())
        asleep = Engine(engine.facilities, engine.resolve, Sleeping)
        with pytest.raises(Denied) as caught:
            asleep.run(Work(CUSTOMERS), Silent())
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as warehouse:
        (kept,) = warehouse.execute("SELECT checkpoint FROM _syncline_checkpoints").fetchone()

    assert caught.value.code == "SYN611"
    assert json.loads(kept)["flow"] == str(CUSTOMERS)
    workflow.run(settings, CLIENTS, progress=Silent())
    assert json.loads(open_cursor(settings, CLIENTS))["flow"] == str(CLIENTS)


def open_cursor(settings, key):
    """The state's copy of a flow's checkpoint."""
    from tests.look import Look

    return Look(settings.state_url).cursor(key)
