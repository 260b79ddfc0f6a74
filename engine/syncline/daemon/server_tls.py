"""TLS where the daemon listens: a certificate and a key from files, which are read again once they are others.

Whoever renews them, an ACME client or cert-manager, replaces the files; nobody has to restart the daemon. Where what is
there then can't be used, such as a new certificate whose key isn't written yet, the former pair is shown further.
"""

from __future__ import annotations

import ssl
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from syncline.model.errors import Invalid

#: Mode bits of a key file that let it be read by others than its owner and group, or changed by the group.
_OPEN = stat.S_IRWXO | stat.S_IWGRP
_Stamps = tuple[tuple[int, int, int], ...]


class ServerTls:
    """
    How connections are secured that come in: TLS 1.2 and 1.3, by the certificate (PEM, with its chain) and key of two
    files. `tell` is told when they were read again, or couldn't be. `Invalid` (SYN697) where they can't at first.

    Example: `tls = ServerTls(Path("tls.crt"), Path("tls.key"), print); tls.context().wrap_socket(s, server_side=True)`.
    """

    def __init__(self, certificate: Path, key: Path, tell: Callable[[str], None]) -> None:
        self._files = (certificate, key)
        self._tell = tell
        self._lock = threading.Lock()
        self._stamps = self._stamped()
        self._context = _context(certificate, key)

    def context(self) -> ssl.SSLContext:
        """The context of a connection that comes now: of the files as they are, if they can be used."""
        with self._lock:
            stamps = self._stamped()
            if stamps != self._stamps:
                self._stamps = stamps
                try:
                    self._context = _context(*self._files)
                    self._tell(f"the certificate in {self._files[0]} was read again")
                except Invalid as error:
                    self._tell(f"{error.code} {error.told}; the former certificate is shown further")
            return self._context

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


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if key.stat().st_mode & _OPEN:
            raise Invalid(f"{key} is open to others", code="SYN697", help=f"chmod 600 {key}")
        for path in (certificate, key):
            path.read_bytes()  # which says which of the two can't be read
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
    return context
