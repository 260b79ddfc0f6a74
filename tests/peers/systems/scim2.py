"""scim2-server: users and groups over SCIM 2 (RFC 7644) with a bearer token, filters, paging by index, ETags."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.peers.install import python_environment
from tests.peers.process import free_port, running
from tests.peers.web import Answer, answers, ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Scim2:
    """A running, empty SCIM server."""

    url: str
    token: str = "scim-canary-4711"

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """A request with its token."""
        named = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/scim+json", **(headers or {})}
        return ask(method, f"{self.url}{path}", body, headers=named)

    def user(self, name: str, **fields: Any) -> str:
        """The id of a new user."""
        schemas = ["urn:ietf:params:scim:schemas:core:2.0:User"]
        return str(self.ask("POST", "/Users", {"schemas": schemas, "userName": name, **fields}).ok()["id"])


def install() -> Path:
    """The folder of its program."""
    return python_environment("scim2", "scim2-server==0.8.3", "httpx==0.28.1")


@contextmanager
def scim2(folder: Path) -> Iterator[Scim2]:
    """A SCIM server in memory."""
    port = free_port()
    system = Scim2(f"http://127.0.0.1:{port}/v2")
    command = [install() / "scim2-server", "--hostname", "127.0.0.1", "--port", str(port)]
    with running([*command, "--bearer-token", system.token], folder, lambda: answers(system.url)):
        yield system
