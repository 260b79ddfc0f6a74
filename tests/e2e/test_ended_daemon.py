"""A daemon that is ended while a run is in the middle of its read: in time, and what was committed is gone on from."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from syncline.model.run import RunState
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import helpdesk
from tests.e2e.daemon import SCHEDULE, serving, until
from tests.e2e.house import audit_ok, settings_of
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.daemon import Remote

#: Seconds in which a daemon has ended, as the documents say.
MOST = 5.0
ROWS = 60_000


class Helpdesk:
    """An API whose first page is there at once; the second comes when it is released."""

    def __init__(self) -> None:
        self.held, self.released = threading.Event(), threading.Event()

    def __call__(self, asked: Asked) -> Reply:
        if "cursor" not in asked.query:
            return Reply({"data": [{"id": n, "title": f"t{n}", "hours": n} for n in range(1, ROWS + 1)], "next": "2"})
        self.held.set()
        self.released.wait(120)
        return Reply({"data": [{"id": ROWS + 1, "title": "last", "hours": 0.25}], "next": None})


def rows(root: Path) -> int:
    with closing(sqlite3.connect(root / "warehouse.db")) as connection:
        return connection.execute("SELECT count(*) FROM tickets").fetchone()[0]


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["0", "1"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_daemon_ends_within_five_seconds_while_an_api_keeps_its_run_waiting(root, remote: Remote, number, processes):
    """It exits with 0 in time, what was committed stays, and the next daemon ends the same run from there."""
    service = Helpdesk()
    with api_server(service) as server:
        schedule = SCHEDULE.replace("Sync/customers", "Sync/tickets")
        remote.push({**helpdesk(server.url), "schedule.yaml": schedule})
        state = settings_of(root).state_url
        with serving(root, remote, "--processes", processes) as daemon:
            assert service.held.wait(60), daemon.said
            until(lambda: (root / "warehouse.db").exists() and rows(root) > 0)
            before, began = rows(root), time.monotonic()
            daemon.process.send_signal(number)
            assert daemon.process.wait(30) == 0
            took = time.monotonic() - began
            assert took < MOST, took
            assert not any("Traceback" in line for line in daemon.said), daemon.said
        (cut,) = Look(state).runs()
        assert (cut.state is RunState.succeeded, rows(root)) == (False, before)
        assert audit_ok(settings_of(root))

        service.released.set()
        with serving(root, remote) as daemon:
            ended = until(
                lambda: [run for run in Look(state).runs() if run.id == cut.id and run.state is RunState.succeeded],
                lambda: "\n".join(daemon.said),
            )
            assert ended[0].counts.read == ROWS + 1
            assert rows(root) == ROWS + 1
