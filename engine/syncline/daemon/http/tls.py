"""TLS where the daemon listens: a certificate and a key from files, which are read again once they are others.

Whoever renews them, an ACME client or cert-manager, replaces the files; nobody has to restart the daemon. Where what is
there then can't be used, such as a new certificate whose key isn't written yet, the former pair is shown further.

A certificate that has ended, or will soon, is told and shown all the same: who takes it in spite of that goes on, and
runs don't depend on it.
"""

from __future__ import annotations

import datetime as dt
import ssl
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from syncline.daemon.http.certificate_time import CertificateTime, time_of
from syncline.model.errors import Invalid

#: Seconds until what is told of a certificate's end is told again.
REMIND: Final = 86_400.0

#: Mode bits of a key file that let it be read by others than its owner and group, or changed by the group.
_OPEN = stat.S_IRWXO | stat.S_IWGRP
_Stamps = tuple[tuple[int, int, int], ...]


class ServerTls:
    """
    How connections are secured that come in: TLS 1.2 and 1.3, by the certificate (PEM, with its chain) and key of two
    files. `tell` is told when they were read again, or couldn't be, and of a certificate's end (SYN918). `Invalid`
    (SYN697) where they can't be read at first. `clock` gives the seconds since 1970.

    Example: `tls = ServerTls(Path("tls.crt"), Path("tls.key"), print); tls.context().wrap_socket(s, server_side=True)`.
    """

    def __init__(
        self, certificate: Path, key: Path, tell: Callable[[str], None], clock: Callable[[], float] = time.time
    ) -> None:
        self._files = (certificate, key)
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._stamps = self._stamped()
        self._context, self._time = _read(certificate, key)
        self._due = 0.0
        self.remind()

    def context(self) -> ssl.SSLContext:
        """The context of a connection that comes now: of the files as they are, if they can be used."""
        with self._lock:
            self._look()
            return self._context

    def ends(self) -> float | None:
        """When the certificate that is shown ends, in seconds since 1970; None where that isn't known."""
        with self._lock:
            self._look()
            return self._time.ends.timestamp() if self._time is not None else None

    def remind(self) -> None:
        """Tells of a certificate that has ended, will soon or doesn't hold yet, once a day; it may be called often."""
        with self._lock:
            if self._clock() < self._due:
                return
            self._look()
            now = self._clock()
            self._due = now + REMIND
            if self._time is not None and (
                problem := self._time.problem(self._files[0], dt.datetime.fromtimestamp(now, dt.UTC))
            ):
                self._tell(f"SYN918 {problem}; one that takes its place there is shown without a restart")

    def _look(self) -> None:
        """Reads the files again, if they are others."""
        stamps = self._stamped()
        if stamps == self._stamps:
            return
        self._stamps = stamps
        try:
            self._context, self._time = _read(*self._files)
            self._tell(f"the certificate in {self._files[0]} was read again")
            self._due = 0.0
        except Invalid as error:
            self._tell(f"{error.code} {error.told}; the former certificate is shown further")

    def _stamped(self) -> _Stamps:
        """What tells that a file is another one; nothing of one that isn't there."""
        found = []
        for path in self._files:
            try:
                status = path.stat()
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(found)


def _read(certificate: Path, key: Path) -> tuple[ssl.SSLContext, CertificateTime | None]:
    """What shows the pair, and when it holds."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if key.stat().st_mode & _OPEN:
            raise Invalid(f"{key} is open to others", code="SYN697", help=f"chmod 600 {key}")
        shown, _ = (path.read_bytes() for path in (certificate, key))  # which says which of them can't be read
        # Never asks a terminal for the password of an encrypted key.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise Invalid(
                f"the key in {key} isn't that of the certificate in {certificate}",
                code="SYN697",
                help="Give the key that it was issued for. In a file with a chain, that certificate is the first.",
            ) from None
        raise Invalid(
            f"{certificate} and {key} hold no certificate and key that can be used",
            code="SYN697",
            help="Both are expected in PEM form, the key without a password.",
        ) from None
    except OSError as error:
        raise Invalid(
            f"{error.filename} can't be read: {error.strerror}",
            code="SYN697",
            help="Give files that the account of the daemon may read.",
        ) from None
    return context, time_of(shown)
