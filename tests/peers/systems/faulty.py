"""faulty: a TCP proxy that delays, drops, throttles and corrupts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from tests.peers.install import python_environment
from tests.peers.process import free_port, listens, running

if TYPE_CHECKING:
    from collections.abc import Iterator

#: `faulty(url, "--delay", "100-200")`: the URL of the same server behind a proxy with these faults.
Faulty = Callable[..., AbstractContextManager[str]]


def install() -> Path:
    """The folder of its program."""
    return python_environment("faulty", "faulty==0.2.1")


@contextmanager
def faulty(folder: Path, url: str, *faults: str) -> Iterator[str]:
    """The URL of the server at `url` through a proxy with the faults, which are the program's options."""
    parts = urlsplit(url)
    port = free_port()
    command = [install() / "faulty", f"127.0.0.1:{port}", f"{parts.hostname}:{parts.port}", *faults]
    with running(command, folder, lambda: listens(port)):
        yield urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))
