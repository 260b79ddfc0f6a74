"""mountebank: servers made by a request, whose answers come in turn and may be faults."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.peers.install import node_modules, program
from tests.peers.process import free_port, running
from tests.peers.web import answers, ask

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Mountebank:
    """A running mountebank."""

    url: str

    @contextmanager
    def imposter(self, *responses: dict[str, Any], protocol: str = "http") -> Iterator[str]:
        """A server that gives the responses in turn, over and over, while the context lasts; its URL."""
        port = free_port()
        wanted = {"port": port, "protocol": protocol, "host": "127.0.0.1", "stubs": [{"responses": list(responses)}]}
        ask("POST", f"{self.url}/imposters", {**wanted, "recordRequests": True}).ok()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            ask("DELETE", f"{self.url}/imposters/{port}").ok()

    def requests(self, imposter: str) -> list[dict[str, Any]]:
        """What an imposter was asked, the oldest first."""
        port = imposter.rpartition(":")[2]
        return list(ask("GET", f"{self.url}/imposters/{port}").ok()["requests"])


def install() -> Path:
    """The folder of its packages."""
    return node_modules("mountebank", "mountebank@2.9.1")


@contextmanager
def mountebank(folder: Path) -> Iterator[Mountebank]:
    """A mountebank without imposters."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    program_file = install() / "mountebank" / "bin" / "mb"
    command = [program("node"), program_file, "start", "--host", "127.0.0.1", "--port", str(port), "--localOnly"]
    with running([*command, "--nologfile"], folder, lambda: answers(url)):
        yield Mountebank(url)
