"""A daemon whose state is out of reach, or whose disk is full: it doesn't end, says why, and goes on when that is over."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from operator import ge
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.e2e.daemon import UPSERT, probed, serving, until
from tests.e2e.test_faults import small_disk
from tests.look import Look
from tests.servers import postgres_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return found.getsockname()[1]


def pumped(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def filled(disk: Path) -> None:
    """Fills what room there is, though others write there as well."""
    with (disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))


class Line:
    """A line to a server, on a port of its own, that can be cut and mended. Cut, it ends connections, and new ones as
    soon as they come; `attempts` are the times at which these did.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self.port = free_port()
        self.attempts: list[float] = []
        self._to = server
        self._cut = True
        self._open: list[socket.socket] = []
        self._server = self._listening()

    def mend(self) -> None:
        self._cut = False

    def cut(self) -> None:
        self._cut = True
        while self._open:
            with suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def paused(self, *seconds: float) -> bool:
        """Whether the newest attempts came after pauses of at least so many seconds, one after another."""
        newest = self.attempts[-len(seconds) - 1 :]
        pauses = [after - before for before, after in pairwise(newest)]
        return len(pauses) == len(seconds) and all(map(ge, pauses, seconds))

    def close(self) -> None:
        self.cut()
        self._server.shutdown()
        self._server.server_close()

    def _listening(self) -> socketserver.ThreadingTCPServer:
        line = self

        class Forward(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                if line._cut:
                    line.attempts.append(time.monotonic())
                    return
                line._open.append(self.request)
                with closing(socket.create_connection(line._to)) as server:
                    threading.Thread(target=pumped, args=(server, self.request), daemon=True).start()
                    pumped(self.request, server)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        server = Server(("127.0.0.1", self.port), Forward)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


@contextmanager
def line_to(url: str) -> Iterator[tuple[Line, str]]:
    """A line to a PostgreSQL server, and the URL that goes over it."""
    parts = urlsplit(url)
    line = Line((parts.hostname or "", parts.port or 5432))
    login = parts.netloc.rpartition("@")[0]
    try:
        yield line, urlunsplit(parts._replace(netloc=f"{login and login + '@'}127.0.0.1:{line.port}"))
    finally:
        line.close()


@pytest.mark.slow
def test_a_state_that_is_down_at_the_start_and_later_is_waited_for(root, remote, monkeypatch, postgres_server_url):
    """Down at its start and again while it works: not ready, nothing lost, and what was pushed meanwhile is applied."""
    with postgres_database(postgres_server_url) as direct, line_to(direct) as (line, url):
        monkeypatch.setenv("SYNCLINE_STATE", url)
        port = free_port()
        first = remote.push(UPSERT.texts)
        with serving(root, remote, "--health", f"127.0.0.1:{port}") as daemon:
            daemon.says("SYN615")
            assert probed(port, "/readyz")[0] == 503
            line.mend()
            daemon.says(f"{first[:12]} is applied")

            line.cut()
            until(lambda: probed(port, "/readyz")[0] == 503, lambda: "\n".join(daemon.said))
            second = remote.push({**UPSERT.texts, "more.yaml": UPSERT.texts["tenant.yaml"].replace("acme", "other")})
            line.mend()
            daemon.says(f"{second[:12]} is applied")
            until(lambda: probed(port, "/readyz")[0] == 200, lambda: "\n".join(daemon.said))
            assert daemon.process.poll() is None
        assert len([o for o in Look(direct).objects() if o.key.kind == "Tenant"]) == 2


@pytest.mark.slow
def test_a_state_that_is_lost_is_told_at_once_and_not_stormed(root, remote, monkeypatch, postgres_server_url):
    """
    Down at its start and lost while it works: it isn't ready long before its pauses are at their longest, of five
    seconds, and it comes to that with few attempts to connect. Without a pause it would be thousands.
    """
    with postgres_database(postgres_server_url) as direct, line_to(direct) as (line, url):
        monkeypatch.setenv("SYNCLINE_STATE", url)
        port = free_port()
        first = remote.push(UPSERT.texts)
        with serving(root, remote, "--health", f"127.0.0.1:{port}") as daemon:
            daemon.says("SYN615")
            until(lambda: line.paused(1.5, 3), lambda: str(line.attempts))
            assert len(line.attempts) < 20
            line.mend()
            daemon.says(f"{first[:12]} is applied")
            until(lambda: probed(port, "/readyz")[0] == 200, lambda: "\n".join(daemon.said))

            line.attempts.clear()
            line.cut()
            until(lambda: probed(port, "/readyz")[0] == 503, lambda: "\n".join(daemon.said))
            assert not line.paused(4, 4, 4)
            until(lambda: line.paused(4, 4, 4), lambda: str(line.attempts))
            assert len(line.attempts) < 60
            assert daemon.process.poll() is None
            line.mend()
            until(lambda: probed(port, "/readyz")[0] == 200, lambda: "\n".join(daemon.said))


@pytest.mark.slow
def test_a_full_disk_is_waited_for(tmp_path, root, remote, monkeypatch):
    """With no room for state and log nothing is applied and the daemon says so; with room, the commit is, by itself."""
    with small_disk(tmp_path / "disk", "6m") as disk:
        monkeypatch.setenv("SYNCLINE_HOME", str(disk / "home"))
        first = remote.push(UPSERT.texts)
        with serving(root, remote) as daemon:
            daemon.says(f"{first[:12]} is applied")
            filled(disk)
            second = remote.push({**UPSERT.texts, "more.yaml": UPSERT.texts["tenant.yaml"].replace("acme", "other")})
            daemon.says("No space left on device")
            assert daemon.process.poll() is None
            assert not any(f"{second[:12]} is applied" in line for line in daemon.said)
            (disk / "ballast").unlink()
            daemon.says(f"{second[:12]} is applied")
            assert not any("Traceback" in line for line in daemon.said)


@pytest.mark.slow
def test_a_full_disk_at_the_start_is_waited_for(tmp_path, root, remote, monkeypatch):
    """A daemon that finds no room for its state isn't ready, and begins as soon as there is some."""
    with small_disk(tmp_path / "disk", "6m") as disk:
        monkeypatch.setenv("SYNCLINE_HOME", str(disk / "home"))
        filled(disk)
        first = remote.push(UPSERT.texts)
        with serving(root, remote) as daemon:
            daemon.says("it is tried again")
            (disk / "ballast").unlink()
            daemon.says(f"{first[:12]} is applied")
            assert not any("Traceback" in line for line in daemon.said)
