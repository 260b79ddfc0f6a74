"""What `syncline run` and a daemon say to each other: JSON, a document a line, over a Unix socket in the home folder.

The command sends one `Request` and hangs up when it wants no more; the daemon answers with what a local run would
tell: `started`, `phase`, `advanced`, `waiting` and `finished` for the progress, then one of `receipt`, `ended`,
`failed` and `stopped`; or at once with `refused`: then the command runs by itself. In between it says that it is
`alive`. Light on purpose: nothing else is needed to ask.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins

from syncline import __version__
from syncline.model.errors import Again, Bug, Denied, Followed, Invalid, Stalled, SynclineError, Waiting

if TYPE_CHECKING:
    from syncline.model.diagnostic import Diagnostic

#: Name of the socket in the home folder.
SOCKET = "daemon.sock"
#: Most bytes of a request, and of a line of an answer.
MAX_REQUEST, MAX_ANSWER = 64 * 1024, 16 * 1024 * 1024

_ERRORS = {kind.__name__: kind for kind in (Invalid, Denied, Followed, Again, Waiting, Stalled)}


class Request(Struct, frozen=True):
    """
    A run that is asked for, and who acts. The first three say where:
    another version, folder or state is none of this daemon's.

    >>> Request.loads(Request.here(Path("/srv"), "sqlite:///x", "Sync/orders").dumps()).name
    'Sync/orders'
    """

    version: str
    root: str
    state: str
    name: str
    tenant: str = ""
    full_refresh: bool = False
    actor: str = ""

    @classmethod
    def here(
        cls, root: Path, state: str, name: str, tenant: str = "", *, full_refresh: bool = False, actor: str = ""
    ) -> Request:
        """For the configuration at `root` and the state at a URL, of which a digest is sent: it may hold a password."""
        digest = hashlib.sha256(state.encode()).hexdigest()
        return cls(__version__, str(root), digest, name, tenant, full_refresh=full_refresh, actor=actor)

    def same_place(self, other: Request) -> bool:
        """Whether both are for one version, folder and state."""
        return (self.version, self.root, self.state) == (other.version, other.root, other.state)

    def dumps(self) -> bytes:
        """As a line."""
        return line(to_builtins(self))

    @classmethod
    def loads(cls, text: bytes) -> Request:
        """Reads it back; ValueError for anything else."""
        found = json.loads(text)
        if not isinstance(found, dict) or set(found) != set(cls.__struct_fields__):
            raise ValueError("no request")
        flag = found.pop("full_refresh")
        if not isinstance(flag, bool) or not all(isinstance(value, str) for value in found.values()):
            raise ValueError("no request")
        return cls(**found, full_refresh=flag)


@contextmanager
def socket_path(home: Path) -> Iterator[str]:
    """The socket's path for bind and connect, which take 107 bytes: on Linux through an open folder, however deep."""
    if not sys.platform.startswith("linux"):
        yield str(home / SOCKET)
        return
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET}"
    finally:
        os.close(folder)


def line(document: dict[str, Any]) -> bytes:
    """A document as a line."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def error_data(error: SynclineError) -> dict[str, Any]:
    """An error as plain data; `error_of` reads it back."""
    more = {name: getattr(error, name) for name in ("after", "on", "lease") if hasattr(error, name)}
    found = [to_builtins(d) for d in getattr(error, "diagnostics", ())]
    kind = next((k.__name__ for k in type(error).__mro__ if k.__name__ in _ERRORS), "")  # of a subclass its base
    return {"kind": kind, "message": error.marked, "code": error.code, "help": error.help, **more, "findings": found}


def error_of(data: Mapping[str, Any]) -> SynclineError:
    """The error that `error_data` made this from."""
    more = dict(data)
    kind = _ERRORS.get(more.pop("kind"))
    message, found = more.pop("message"), [_finding(d) for d in more.pop("findings")]
    if kind is None:
        return Bug(message)
    error = kind(message, **more)
    if isinstance(error, Invalid | Denied):
        error.diagnostics = tuple(found)
    return error


def _finding(data: dict[str, Any]) -> Diagnostic:
    from syncline.model.diagnostic import Diagnostic, Place, Related, Severity

    place = Place(**data["place"]) if data["place"] else None
    related = tuple(Related(Place(**r["place"]), r["message"]) for r in data["related"])
    return Diagnostic(**{**data, "place": place, "related": related, "severity": Severity(data["severity"])})
