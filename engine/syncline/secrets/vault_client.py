"""HashiCorp Vault's HTTP API, as OpenBao has it too: logging in, renewing the token, reading and writing.

| variable                          | meaning                                                                |
|-----------------------------------|------------------------------------------------------------------------|
| VAULT_ADDR                        | the server: https, or http on this machine only                        |
| VAULT_TOKEN                       | a token; or else                                                       |
| VAULT_ROLE_ID, VAULT_SECRET_ID    | a role of the AppRole method, mounted at VAULT_APPROLE_MOUNT (approle)  |
| VAULT_NAMESPACE, VAULT_CACERT     | the namespace; a file of the only authorities that are trusted         |
| VAULT_CLIENT_CERT, VAULT_CLIENT_KEY | files of the certificate that is shown, and of its key               |
| SYNCLINE_VAULT_PINS               | the only keys that the server may have, as `tls.pins`, with spaces between |

A token is renewed once between a half and a third of its time is left, each time at another moment, so that many
processes don't ask at once; a thread sees to it where nobody asks. One of an AppRole is got anew when it can't be
renewed, and is revoked at the end: when the client is closed, or the process ends.
"""

from __future__ import annotations

import atexit
import ipaddress
import json
import random
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from syncline.model.errors import Again, Denied, Stalled, SynclineError
from syncline.model.secret import Secret
from syncline.sdk.clock import Clock, SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request, Tls, TransportError
from syncline.secrets.keeper import Keeper

TIMEOUT: Final = 15.0
MAX_ANSWER: Final = 4_000_000
#: Longest time (s) between looks at the token, and shortest wait for another try to renew it.
_LONGEST: Final = 600.0
_AGAIN: Final = 1.0
#: The server tells how long something holds in whole seconds.
ROUNDED: Final = 1.0
#: Whoever sets the address says where the server is: in a private network, mostly.
_EGRESS: Final = Egress(private=("0.0.0.0/0", "::/0"))


class Refused(Stalled):
    """The server answered, and refused what was asked of a path. `status` is HTTP's."""

    def __init__(self, method: str, path: str, status: int, reason: str) -> None:
        remedy = "Give this role or token a policy that allows it." if status == 403 else ""
        super().__init__(f"Vault refused {method} {path}: {reason} (HTTP {status})", code="SYN822", help=remedy)
        self.path = path
        self.status = status


class Lease(Struct, frozen=True):
    """A token of the server, and until when it holds (monotonic seconds; None: for ever)."""

    token: Secret
    ends: float | None
    seconds: float
    renewable: bool
    due: float | None = None

    @classmethod
    def of(cls, token: Secret, now: float, seconds: float, *, renewable: bool) -> Lease:
        """A token that has so many seconds left (0: no end). It is `due` to be renewed before that."""
        if not seconds:
            return cls(token, None, 0.0, renewable)
        return cls(token, now + seconds, seconds, renewable, due_at(now, seconds))


def due_at(now: float, seconds: float) -> float:
    """When to renew what holds for so many seconds: while between a half and a third of them is left."""
    return now + seconds * random.uniform(1 / 2, 2 / 3)  # noqa: S311 - spreads requests, and guards nothing


@dataclass(slots=True, eq=False, weakref_slot=True)
class VaultClient:
    """A server, and who we are there. Safe for threads; nothing is asked before the first request."""

    address: str
    environ: Mapping[str, str] = field(repr=False)
    clock: Clock = field(default_factory=SystemClock, repr=False)
    _lease: Lease | None = field(default=None, init=False, repr=False)
    #: Tokens that we logged in for before, and that may hold yet: what was leased with them ends with them.
    _former: list[Lease] = field(default_factory=list, init=False, repr=False)
    _keeper: Keeper | None = field(default=None, init=False, repr=False)
    _tried: float = field(default=0.0, init=False, repr=False)
    _turn: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> VaultClient:
        """The server that the environment names; `Stalled` (SYN822) where it names none, or no way in."""
        if problem := unfit(environ):
            raise Stalled(problem, code="SYN822", help="Set VAULT_ADDR, and VAULT_TOKEN or VAULT_ROLE_ID.")
        return cls(environ["VAULT_ADDR"].rstrip("/"), environ)

    def get(self, path: str) -> dict[str, Any]:
        """What is at a path: the answer's `data`."""
        return dict(self.asked("GET", path)[0].get("data") or {})

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What the server makes of a body: the answer's `data`."""
        return dict(self.asked("POST", path, body)[0].get("data") or {})

    def asked(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], Lease]:
        """The whole answer, and the token with which it was had: what the server leases to us ends with that."""
        lease = self.valid()
        try:
            return self._send(method, path, body, lease.token), lease
        except Refused as refused:
            if refused.status != 403 or not self._by_role or self._is_alive(lease):
                raise
            with self._turn:  # it was revoked there
                if self._lease is lease:
                    self._lease = None
            lease = self.valid()
            return self._send(method, path, body, lease.token), lease

    def told(self, path: str, body: Mapping[str, Any], lease: Lease) -> None:
        """Tells the server something with this token and no other, where nothing is to be done about a refusal."""
        with suppress(SynclineError):
            self._send("POST", path, body, lease.token)

    def close(self) -> None:
        """Has the server revoke the token that we logged in for. One that was given to us belongs to who gave it."""
        atexit.unregister(self.close)
        with self._turn:
            mine = [*self._former, *([self._lease] if self._lease is not None and self._by_role else [])]
            self._lease, self._former = None, []
            keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.close()
        for lease in mine:
            self.told("auth/token/revoke-self", {}, lease)  # where not: it ends by itself

    # --- the token

    @property
    def _by_role(self) -> bool:
        return not self.environ.get("VAULT_TOKEN")

    def valid(self) -> Lease:
        """The token to ask with: renewed, or got anew, where that is due."""
        with self._turn:
            lease, now = self._lease, self.clock.monotonic()
            if lease is None:
                lease = self._entered()
            elif lease.due is not None and now >= lease.due:
                lease = self._renewed(lease, now) or self._another(lease, now)
            if lease is not self._lease and lease.due is not None:
                if self._keeper is None:
                    self._keeper = Keeper("vault", self._look)
                self._keeper.stir()
            self._lease = lease
            return lease

    def _look(self) -> float:
        """Renews the token where that is due, and never logs in: seconds until it should be looked at again."""
        with self._turn:
            lease, now = self._lease, self.clock.monotonic()
            if lease is None or lease.due is None or lease.ends is None or not lease.renewable or lease.ends <= now:
                return _LONGEST  # whoever asks next gets another
            if max(lease.due, self._tried) <= now:
                self._tried = now + max(_AGAIN, (lease.ends - now) / 4)
                lease = self._lease = self._renewed(lease, now) or lease
            return min(_LONGEST, max(_AGAIN / 5, max(lease.due or 0.0, self._tried) - self.clock.monotonic()))

    def _entered(self) -> Lease:
        return self._login() if self._by_role else self._given()

    def _renewed(self, lease: Lease, now: float) -> Lease | None:
        """The token with more time; None where it gets no more."""
        if not lease.renewable or lease.ends is None or lease.ends <= now:
            return None
        try:
            answer = self._send("POST", "auth/token/renew-self", {}, lease.token)
            renewed = self._lease_of(_part(answer, "auth"), lease.token)
        except SynclineError:
            return None
        longer = renewed.ends is None or renewed.ends > lease.ends + ROUNDED
        return renewed if longer else None

    def _another(self, lease: Lease, now: float) -> Lease:
        """A new token where we may log in; else the one there is, while it holds; tried again before its end."""
        left = (lease.ends or 0) - now
        if left > 0 and not self._by_role:
            return replace(lease, due=now + max(1.0, left / 4))
        try:
            found = self._entered()
        except SynclineError:
            if left <= 0:
                raise
            return replace(lease, due=now + max(1.0, left / 4))
        if self._by_role:
            self._former = [one for one in self._former if one.ends is None or one.ends > now] + [lease]
        return found

    def _is_alive(self, lease: Lease) -> bool:
        """Whether the server still knows a token."""
        try:
            self._send("GET", "auth/token/lookup-self", None, lease.token)
        except Refused:
            return False
        return True

    def _login(self) -> Lease:
        mount = self.environ.get("VAULT_APPROLE_MOUNT") or "approle"
        body = {"role_id": self.environ["VAULT_ROLE_ID"], "secret_id": self.environ.get("VAULT_SECRET_ID", "")}
        lease = self._lease_of(_part(self._send("POST", f"auth/{mount}/login", body, None), "auth"))
        atexit.register(self.close)
        return lease

    def _given(self) -> Lease:
        token = Secret(self.environ["VAULT_TOKEN"])
        found = _part(self._send("GET", "auth/token/lookup-self", None, token), "data")
        seconds, renewable = float(found.get("ttl") or 0), bool(found.get("renewable"))
        return Lease.of(token, self.clock.monotonic(), seconds, renewable=renewable)

    def _lease_of(self, auth: Mapping[str, Any], token: Secret | None = None) -> Lease:
        seconds = float(auth.get("lease_duration") or 0)
        if token is None and not auth.get("client_token"):
            raise _another()
        token = token or Secret(str(auth["client_token"]))
        return Lease.of(token, self.clock.monotonic(), seconds, renewable=bool(auth.get("renewable")))

    # --- one exchange

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, token: Secret | None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "X-Vault-Request": "true"}
        if token is not None:
            headers["X-Vault-Token"] = token.reveal()
        if namespace := self.environ.get("VAULT_NAMESPACE"):
            headers["X-Vault-Namespace"] = namespace
        content = b"" if body is None else json.dumps(body).encode()
        request = Request(method, f"{self.address}/v1/{quote(path)}", headers, content)
        transport = HttpTransport(self.clock, MAX_ANSWER, egress=_EGRESS, tls=self._tls())
        try:
            response = transport.send(request, TIMEOUT)
        except (TransportError, Denied) as error:
            if getattr(error, "code", "") == "SYN833":
                raise Stalled(f"Vault: {error}", code="SYN833", help="See SYNCLINE_VAULT_PINS.") from None
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

    def _tls(self) -> Tls:
        key = self._file("VAULT_CLIENT_KEY")
        return Tls(
            ca=self._file("VAULT_CACERT"),
            chain=self._file("VAULT_CLIENT_CERT"),
            key=Secret(key) if key else None,
            pins=tuple(self.environ.get("SYNCLINE_VAULT_PINS", "").split()),
        )

    def _file(self, variable: str) -> str:
        """The text of the file that a variable of Vault's own command line names; '' where it isn't set."""
        file = self.environ.get(variable)
        if not file:
            return ""
        try:
            return Path(file).read_text()
        except (OSError, UnicodeDecodeError):
            raise Stalled(f"{variable} names {file}, which can't be read", code="SYN822") from None


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
