"""HashiCorp Vault's HTTP API, as OpenBao has it too: logging in, renewing the token, reading and writing.

| variable                          | meaning                                                                |
|-----------------------------------|------------------------------------------------------------------------|
| VAULT_ADDR                        | the server: https, or http on this machine only                        |
| VAULT_TOKEN                       | a token; or else                                                       |
| VAULT_ROLE_ID, VAULT_SECRET_ID    | a role of the AppRole method, mounted at VAULT_APPROLE_MOUNT (approle)  |
| VAULT_NAMESPACE, VAULT_CACERT     | the namespace; a file of the only authorities that are trusted         |

A token is renewed once a third of its time is left. One of an AppRole is got anew when it can't be renewed, and is
revoked at the end.
"""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from syncline.model.errors import Again, Denied, Stalled, SynclineError
from syncline.model.secret import Secret
from syncline.sdk.clock import Clock, SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request, Tls, TransportError

TIMEOUT: Final = 15.0
MAX_ANSWER: Final = 4_000_000
#: Whoever sets the address says where the server is: in a private network, mostly.
_EGRESS: Final = Egress(private=("0.0.0.0/0", "::/0"))


class Refused(Stalled):
    """The server answered, and refused what was asked of a path. `status` is HTTP's."""

    def __init__(self, method: str, path: str, status: int, reason: str) -> None:
        remedy = "Give this role or token a policy that allows it." if status == 403 else ""
        super().__init__(f"Vault refused {method} {path}: {reason} (HTTP {status})", code="SYN822", help=remedy)
        self.path = path
        self.status = status


@dataclass(frozen=True, slots=True)
class Lease:
    """A token of the server, and until when it holds (monotonic seconds; None: for ever)."""

    token: Secret
    ends: float | None
    seconds: float
    renewable: bool


@dataclass(slots=True)
class VaultClient:
    """A server, and who we are there. Safe for threads; nothing is asked before the first request."""

    address: str
    environ: Mapping[str, str] = field(repr=False)
    clock: Clock = field(default_factory=SystemClock, repr=False)
    _lease: Lease | None = field(default=None, init=False, repr=False)
    _turn: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> VaultClient:
        """The server that the environment names; `Stalled` (SYN822) where it names none, or no way in."""
        if problem := unfit(environ):
            raise Stalled(problem, code="SYN822", help="Set VAULT_ADDR, and VAULT_TOKEN or VAULT_ROLE_ID.")
        return cls(environ["VAULT_ADDR"].rstrip("/"), environ)

    def get(self, path: str) -> dict[str, Any]:
        """What is at a path: the answer's `data`."""
        return self._asked("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What the server makes of a body: the answer's `data`."""
        return self._asked("POST", path, body)

    def close(self) -> None:
        """Has the server revoke the token that we logged in for. One that was given to us belongs to who gave it."""
        with self._turn:
            lease, self._lease = self._lease, None
        if lease is not None and self._by_role:
            with suppress(SynclineError):  # it ends by itself; whatever was done with it is done
                self._send("POST", "auth/token/revoke-self", {}, lease.token)

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        lease = self._valid()
        try:
            answer = self._send(method, path, body, lease.token)
        except Refused as refused:
            if refused.status != 403 or not self._by_role:
                raise
            with self._turn:  # it may have been revoked there
                if self._lease is lease:
                    self._lease = None
            answer = self._send(method, path, body, self._valid().token)
        return dict(answer.get("data") or {})

    # --- the token

    @property
    def _by_role(self) -> bool:
        return not self.environ.get("VAULT_TOKEN")

    def _valid(self) -> Lease:
        with self._turn:
            lease, now = self._lease, self.clock.monotonic()
            if lease is not None and lease.ends is not None and lease.ends - now < lease.seconds / 3:
                lease = self._renewed(lease, now)
            if lease is None:
                lease = self._login() if self._by_role else self._given()
            self._lease = lease
            return lease

    def _renewed(self, lease: Lease, now: float) -> Lease | None:
        """The lease with more time; as it is while it lasts, where there is no more; None once it has ended."""
        if lease.renewable:
            try:
                answer = self._send("POST", "auth/token/renew-self", {}, lease.token)
                renewed = self._lease_of(_part(answer, "auth"), lease.token)
                if renewed.ends is None or renewed.ends > (lease.ends or 0):
                    return renewed
            except SynclineError:
                pass  # it still holds for a third of its time
        elif self._by_role:
            return None
        return lease if lease.ends is not None and lease.ends > now else None

    def _login(self) -> Lease:
        mount = self.environ.get("VAULT_APPROLE_MOUNT") or "approle"
        body = {"role_id": self.environ["VAULT_ROLE_ID"], "secret_id": self.environ.get("VAULT_SECRET_ID", "")}
        return self._lease_of(_part(self._send("POST", f"auth/{mount}/login", body, None), "auth"))

    def _given(self) -> Lease:
        token = Secret(self.environ["VAULT_TOKEN"])
        found = _part(self._send("GET", "auth/token/lookup-self", None, token), "data")
        seconds, renewable = float(found.get("ttl") or 0), bool(found.get("renewable"))
        return Lease(token, self.clock.monotonic() + seconds if seconds else None, seconds, renewable)

    def _lease_of(self, auth: Mapping[str, Any], token: Secret | None = None) -> Lease:
        seconds = float(auth.get("lease_duration") or 0)
        ends = self.clock.monotonic() + seconds if seconds else None
        if token is None and not auth.get("client_token"):
            raise _another()
        return Lease(token or Secret(str(auth["client_token"])), ends, seconds, bool(auth.get("renewable")))

    # --- one exchange

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, token: Secret | None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "X-Vault-Request": "true"}
        if token is not None:
            headers["X-Vault-Token"] = token.reveal()
        if namespace := self.environ.get("VAULT_NAMESPACE"):
            headers["X-Vault-Namespace"] = namespace
        content = b"" if body is None else json.dumps(body).encode()
        request = Request(method, f"{self.address}/v1/{quote(path)}", headers, content)
        transport = HttpTransport(self.clock, MAX_ANSWER, egress=_EGRESS, tls=Tls(ca=self._authorities()))
        try:
            response = transport.send(request, TIMEOUT)
        except (TransportError, Denied) as error:
            raise Again(f"Vault can't be reached: {error}", code="SYN820", help="Is VAULT_ADDR right?") from None
        finally:
            transport.close()
        if response.status in {429, 472, 473} or response.status >= 500:
            reason = _reason(response.body) or "it is sealed, in standby, or has trouble"
            raise Again(f"Vault can't answer now: {reason} (HTTP {response.status})", code="SYN820")
        if response.status >= 300:
            raise Refused(method, path, response.status, _reason(response.body) or "no reason is given")
        try:
            return dict(json.loads(response.body or b"{}"))
        except (ValueError, TypeError):
            raise _another() from None

    def _authorities(self) -> str:
        file = self.environ.get("VAULT_CACERT")
        if not file:
            return ""
        try:
            return Path(file).read_text()
        except (OSError, UnicodeDecodeError):
            raise Stalled(f"VAULT_CACERT names {file}, which can't be read", code="SYN822") from None


def unfit(environ: Mapping[str, str]) -> str:
    """What the environment lacks for a server to be used; '' for nothing."""
    address = environ.get("VAULT_ADDR", "")
    if not address:
        return "VAULT_ADDR is not set"
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return "VAULT_ADDR is not a URL"
    if not (host and (parts.scheme == "https" or (parts.scheme == "http" and is_here(host)))):
        return "VAULT_ADDR must be an https URL (http only on this machine)"
    if not (environ.get("VAULT_TOKEN") or environ.get("VAULT_ROLE_ID")):
        return "neither VAULT_TOKEN nor VAULT_ROLE_ID is set"
    return ""


def is_here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part that every such answer of Vault has."""
    found = answer.get(name)
    if not isinstance(found, dict):
        raise _another()
    return found


def _another() -> Stalled:
    return Stalled("what answers at VAULT_ADDR isn't Vault", code="SYN822", help="Is VAULT_ADDR right?")


def _reason(body: bytes) -> str:
    """The server's own words, which name paths and policies, and no values."""
    try:
        return "; ".join(str(reason)[:200] for reason in json.loads(body)["errors"])[:500]
    except (ValueError, KeyError, TypeError):
        return ""
