"""What a daemon and a process that does runs for it say to each other: structs as MessagePack, each behind its length.

Several runs are under way at once; `number` says which one is meant. The daemon says `Begin`, then `Stop` and `Answer`;
the process asks by `MayWait`, and says `Ended` or `Broke` once for each run, or that it is `Unable` to do any. No value
of a record and no secret is among it: what a run needs beside its name, the process reads from the state and from the
environment that it has from the daemon.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from msgspec import DecodeError, Struct, msgpack

from syncline.model.errors import Bug
from syncline.model.key import ObjectKey
from syncline.model.run import Counts
from syncline.state.store import Lease

#: Most bytes of a message.
MOST: Final = 16 * 1024 * 1024
_LENGTH: Final = struct.Struct("!I")


class Begin(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A run to do, whose flow is taken by a store that is fenced by this lease, the daemon's."""

    number: int
    key: ObjectKey
    trigger: str
    lease: Lease


class Stop(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A run is to end at its next commit, for a reason that its record will show; without one it is interrupted."""

    number: int
    why: str | None = None


class Answer(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """To `MayWait`."""

    number: int
    yes: bool


class MayWait(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Asks whether a run may wait for a system that fails."""

    number: int


class Ended(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A run ended well."""

    number: int
    run: str
    counts: Counts


class Broke(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A run ended by an error, as `wire.error_data` has it; without one it was interrupted."""

    number: int
    error: Mapping[str, Any] | None = None


class Unable(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """No run can be done here, because of this error."""

    error: Mapping[str, Any]


ToProcess = Begin | Stop | Answer
ToDaemon = MayWait | Ended | Broke | Unable
M = TypeVar("M")


class Channel(Generic[M]):
    """
    One end, which hears messages of a type. Many threads may say something; one hears.

    >>> here, there = socket.socketpair()
    >>> with here, there:
    ...     daemon, process = Channel(here, ToDaemon), Channel(there, ToProcess)
    ...     daemon.say(Stop(1, "another start takes its place"))
    ...     daemon.close()
    ...     process.hear(), process.hear()
    (Stop(number=1, why='another start takes its place'), None)
    """

    def __init__(self, connection: socket.socket, heard: Any) -> None:
        self._connection = connection
        self._decoder: msgpack.Decoder[M] = msgpack.Decoder(heard)
        self._saying = threading.Lock()

    def say(self, message: ToProcess | ToDaemon) -> None:
        """Says something; OSError where the other end is gone."""
        data = msgpack.encode(message)
        if len(data) > MOST:
            raise Bug(f"a message of {len(data):,} bytes between processes")
        with self._saying:
            self._connection.sendall(_LENGTH.pack(len(data)) + data)

    def hear(self) -> M | None:
        """The next message, once it comes; None where the other end is gone, or says what is none."""
        try:
            (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
            return self._decoder.decode(self._read(length)) if length <= MOST else None
        except (OSError, EOFError, DecodeError):
            return None

    def waits(self, seconds: float) -> bool:
        """Whether there is something to be heard, within so many seconds."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        return bool(poll.poll(seconds * 1_000))

    def close(self) -> None:
        """Says nothing more, which the other end hears."""
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it is gone

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self._connection.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)
