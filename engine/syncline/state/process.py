"""Identity of a process across the processes of a machine: whether the one that took a lease can still be there.

A process id alone proves little: ids are used again, mean something else in another container, and start anew at each
boot. So an identity also has the host, the boot, the namespace of the ids and the moment the process started. Only
where all of them are known and comparable is a process ever called gone; elsewhere a lease simply runs out.
"""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

_PROC = Path("/proc")


class Process(Struct, frozen=True):
    """A process. `started` is in clock ticks since boot; 0, and the two before it empty, where they can't be known.

    `session` is the number of the lock by which the state's server knows that it lives (`presence.py`); 0 without one.
    """

    host: str
    pid: int
    boot: str = ""
    namespace: str = ""
    started: int = 0
    session: int = 0

    @classmethod
    def current(cls) -> Process:
        """This process."""
        return _own(os.getpid())

    @classmethod
    def parse(cls, text: str) -> Process | None:
        """Reads what `str` wrote; None for anything else."""
        match text.split(" "):
            case [host, pid, boot, namespace, started, *rest] if _counts(pid, started, *rest) and len(rest) < 2:
                session = int(rest[0]) if rest else 0
                return cls(host, int(pid), boot.strip("-"), namespace.strip("-"), int(started), session)
            case _:
                return None

    def __str__(self) -> str:
        return f"{self.host} {self.pid} {self.boot or '-'} {self.namespace or '-'} {self.started}" + (
            f" {self.session}" if self.session else ""
        )

    @property
    def label(self) -> str:
        """`host:pid`, for messages."""
        return f"{self.host}:{self.pid}"

    def gone(self) -> bool:
        """Whether it surely has ended. False also means: can't be known from here."""
        here = (socket.gethostname(), _boot(), _namespace())
        if not (self.boot and self.namespace and self.started) or (self.host, self.boot, self.namespace) != here:
            return False
        started, dead = _started(self.pid)
        return dead or started != self.started


@lru_cache(maxsize=1)
def _own(pid: int) -> Process:
    """Of a process itself, which never changes; after a fork there is another id."""
    started, _ = _started(pid)
    return Process(socket.gethostname(), pid, _boot(), _namespace(), started)


def _started(pid: int) -> tuple[int, bool]:
    """When a process started, in ticks since boot (proc(5), field 22), and whether it has ended (or is a zombie)."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0, True
    except OSError:
        return 0, False
    # The name, in brackets, may itself have spaces and brackets.
    fields = stat.rpartition(")")[2].split()
    return int(fields[19]), fields[0] in "ZXx"


def _counts(*texts: str) -> bool:
    return all(text.isdecimal() for text in texts)


def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return (_PROC / "self/ns/pid").readlink().name
    except OSError:
        return ""
