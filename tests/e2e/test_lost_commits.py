"""A COMMIT that PostgreSQL does and whose answer is lost: the run doesn't know, and the next one repeats nothing."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, suppress
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from syncline import workflow
from syncline.executor.flows.opening import Opener
from syncline.executor.progress import Silent
from syncline.model.errors import SynclineError
from tests.e2e.house import FLOW, Scenario, build, customers, settings_of
from tests.servers import postgres_database

COMMIT = b"COMMIT\0"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Batches of a few rows, so that a run commits often."""
    made = Opener.__init__

    def init(self, *args, **how):
        made(self, *args, **how)
        self.batch_bytes = 512

    monkeypatch.setattr(Opener, "__init__", init)


class Relay:
    """A line to PostgreSQL that loses the answer to one COMMIT, the `lose`-th of all (0: none), and ends there."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.lose = self.commits = self.lost = 0
        self._ends: list[socket.socket] = []
        self._pumps: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._serve, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        login = self._parts.netloc.rpartition("@")[0]
        place = f"{login and login + '@'}127.0.0.1:{self._server.getsockname()[1]}"
        return urlunsplit(self._parts._replace(netloc=place))

    def arm(self, commit: int) -> None:
        self.lose, self.commits, self.lost = commit, 0, 0

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._server.close()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for pump in self._pumps:
            pump.join()
        for end in self._ends:
            end.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection((self._parts.hostname, self._parts.port or 5432))
                deaf = threading.Event()
                self._ends += [client, server]
                for pump, ends in ((self._asked, (client, server)), (self._answered, (server, client))):
                    self._pumps.append(threading.Thread(target=pump, args=(*ends, deaf), daemon=True))
                    self._pumps[-1].start()

    def _asked(self, client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if COMMIT in data:
                    self.commits += 1
                    if self.commits == self.lose:
                        deaf.set()
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answered(self, server: socket.socket, client: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if deaf.is_set():
                    self.lost += 1
                    break
                client.sendall(data)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def to_the_end(settings) -> int:
    """Runs the flow until it ends well; how many runs failed."""
    for failed in range(4):
        try:
            workflow.run(settings, FLOW, progress=Silent())
        except SynclineError:
            continue
        return failed
    pytest.fail("four runs failed")


def told(root, server: str, write: str, end: str, lose: int) -> tuple[list[tuple[object, ...]], Relay]:
    """The table after a run whose COMMIT of that number was lost, at the destination or in the state."""
    root.mkdir()
    customers(root, 40)
    with postgres_database(server) as direct, closing(Relay(direct)) as relay:
        build(root, Scenario(write, relay.url if end == "destination" else direct, "public").texts)
        state = relay.url if end == "state" else f"sqlite:///{root}/state.db"
        settings = settings_of(root, {"SYNCLINE_STATE": state})
        workflow.apply(settings)
        relay.arm(lose)
        to_the_end(settings)
        with psycopg.connect(direct) as connection:
            return connection.execute("SELECT * FROM customers ORDER BY id, name").fetchall(), relay


@pytest.mark.slow
@pytest.mark.parametrize("end", ["destination", "state"])
@pytest.mark.parametrize("write", ["append", "upsert"])
def test_a_commit_whose_answer_is_lost_has_one_effect(tmp_path, postgres_server_url, write, end):
    """Of a run's COMMITs, at the destination or in the state, one after another: the rows are those of an unbroken run."""
    expected, unbroken = told(tmp_path / "h", postgres_server_url, write, end, 0)
    commits = unbroken.commits
    assert len(expected) > 30
    assert commits > 4
    for number in sorted({1, 2, 3, commits // 2, commits - 1, commits}):
        found, relay = told(tmp_path / f"h{number}", postgres_server_url, write, end, number)
        # A run that is slow renews its lease in the state, which is a COMMIT as well: a quicker one may have fewer.
        assert relay.lost == (number <= max(3, relay.commits))
        assert found == expected, f"COMMIT {number} of {commits}"
