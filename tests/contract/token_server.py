"""An authorization server whose refresh tokens rotate, and clients of it in threads and processes of their own."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from syncline.executor.services.tokens import Vault
from syncline.model.secret import Secret
from syncline.sdk.auth.authenticator import Authenticator
from syncline.sdk.auth.client_authentication import ClientAuthentication
from syncline.sdk.auth.oauth2 import OAuth2
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request
from syncline.secrets.keys.ring import KeyRing
from syncline.state.open import open_store
from tests.api_server import ApiServer, Reply, api_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api_server import Asked

FIRST = "canary-refresh-0"


@dataclass
class Rotating:
    """Gives a new refresh token for the current one, after `delay` seconds; a token that was used before ends all."""

    delay: float = 0.2
    current: str = FIRST
    revoked: bool = False
    renewals: int = 0
    reused: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __call__(self, asked: Asked) -> Reply:
        given = parse_qs(asked.body.decode()).get("refresh_token", [""])[0]
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.delay)
        with self.lock:
            self.at_once -= 1
            if self.revoked or given != self.current:
                self.revoked, self.reused = True, self.reused + 1
                return Reply({"error": "invalid_grant", "error_description": f"{given} was used before"}, status=400)
            self.renewals += 1
            number = next(self.numbers)
            self.current = f"canary-refresh-{number}"
            body = {"access_token": f"canary-access-{number}", "token_type": "Bearer", "expires_in": 3600}
            return Reply(body | {"refresh_token": self.current})


@contextmanager
def rotating(delay: float = 0.2) -> Iterator[tuple[Rotating, ApiServer]]:
    """A running server, and what it counted."""
    server = Rotating(delay)
    with api_server(server) as api:
        yield server, api


def scheme(url: str, timeout: float = 20.0) -> OAuth2:
    """A client of the server, with the refresh token that it began with."""
    client = ClientAuthentication("app", "post", Secret("canary-client-secret"))
    return OAuth2("refresh_token", f"{url}/token", client, first_refresh=Secret(FIRST), timeout=timeout)


def token_of(vault: Vault, url: str, timeout: float = 20.0) -> str:
    """The access token that one client of its own gets."""
    made = scheme(url, timeout)
    with closing(HttpTransport(SystemClock(), 1 << 20, egress=Egress(private=("127.0.0.0/8",)))) as transport:
        auth = Authenticator(made, SystemClock(), transport, vault.tokens("acme", "crm", made.basis))
        sent = auth.apply(Request("GET", f"{url}/items")).request
    return sent.headers["Authorization"].removeprefix("Bearer ")


@contextmanager
def vault_at(state: str, keys: Path) -> Iterator[Vault]:
    """The tokens of a state."""
    with closing(open_store(state)) as store:
        yield Vault.over(store, KeyRing.open(keys))


def main(state: str, keys: str, url: str, threads: str) -> None:
    """A process of its own: prints the access token of each of its threads."""
    with vault_at(state, Path(keys)) as vault:
        found: list[str] = []
        workers = [threading.Thread(target=lambda: found.append(token_of(vault, url))) for _ in range(int(threads))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        print("\n".join(found))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main(*sys.argv[1:])
