"""Kinto: a document store whose lists have paging tokens, ETags, `_since` and tombstones."""

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

PAGE = 3

SETTINGS = f"""\
[app:main]
use = egg:kinto
kinto.userid_hmac_secret = for-tests
kinto.storage_backend = kinto.core.storage.memory
kinto.cache_backend = kinto.core.cache.memory
kinto.permission_backend = kinto.core.permission.memory
multiauth.policies = basicauth
multiauth.policy.basicauth.use = kinto.core.authentication.BasicAuthAuthenticationPolicy
kinto.bucket_create_principals = system.Authenticated
kinto.includes = kinto.plugins.flush kinto.plugins.history
kinto.flush_endpoint_enabled = true
kinto.paginate_by = {PAGE}
[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = PORT
"""


@dataclass(frozen=True)
class Kinto:
    """A running Kinto: any user and password are an account. Pages hold three records."""

    url: str
    user: str = "syncline"
    password: str = "kinto-canary-4711"

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """A request as its user; the path follows `/v1`."""
        return ask(method, f"{self.url}{path}", body, headers=headers, basic=(self.user, self.password))

    def collection(self, bucket: str, name: str) -> str:
        """The path of the records of a new, empty collection."""
        self.ask("PUT", f"/buckets/{bucket}", {}).ok()
        self.ask("PUT", f"/buckets/{bucket}/collections/{name}", {}).ok()
        return f"/buckets/{bucket}/collections/{name}/records"

    def put(self, records: str, name: str, **data: Any) -> None:
        """Writes one record."""
        self.ask("PUT", f"{records}/{name}", {"data": data}).ok()


def install() -> Path:
    """The folder of its program."""
    return python_environment("kinto", "kinto==26.5.0", "waitress==3.0.2")


@contextmanager
def kinto(folder: Path) -> Iterator[Kinto]:
    """A Kinto in memory; `url` ends in `/v1`."""
    port = free_port()
    settings = folder / "kinto.ini"
    settings.write_text(SETTINGS.replace("PORT", str(port)))
    url = f"http://127.0.0.1:{port}/v1"
    with running([install() / "kinto", "start", "--ini", settings, "--port", str(port)], folder, lambda: answers(url)):
        yield Kinto(url)
