"""WireMock: answers as it is told, with faults: dribbled bodies, malformed chunks, resets, random bytes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.peers.install import node_modules, program
from tests.peers.process import free_port, running
from tests.peers.web import answers, ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSION = "3.13.2"


@dataclass(frozen=True)
class WireMock:
    """A running WireMock."""

    url: str

    def reset(self) -> None:
        """Forgets all stubs, scenarios and requests."""
        ask("POST", f"{self.url}/__admin/reset").ok()

    def stub(self, request: Mapping[str, Any], response: Mapping[str, Any], **options: Any) -> None:
        """What a matching request is answered; `options` are `priority`, `scenarioName` and the like."""
        ask("POST", f"{self.url}/__admin/mappings", {"request": request, "response": response, **options}).ok()

    def requests(self) -> list[dict[str, Any]]:
        """What it was asked, the oldest first."""
        found = ask("GET", f"{self.url}/__admin/requests").ok()["requests"]
        return [entry["request"] for entry in reversed(found)]


def install() -> Path:
    """The file of its program."""
    folder = node_modules("wiremock", f"wiremock@{VERSION}")
    return folder / "wiremock" / "build" / f"wiremock-standalone-{VERSION}.jar"


@contextmanager
def wiremock(folder: Path) -> Iterator[WireMock]:
    """A WireMock without stubs."""
    java = program("java")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [java, "-Xmx256m", "-jar", install(), "--port", str(port), "--bind-address", "127.0.0.1"]
    # Packed bodies would be sent in chunks, whatever length a stub declares.
    with running([*command, "--disable-gzip"], folder, lambda: answers(f"{url}/__admin/mappings")):
        yield WireMock(url)
