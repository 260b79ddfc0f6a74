"""What a check of a system found: what answered, as whom, how fast, over which TLS, and what it announces."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from syncline.sdk.announced import Ending, Quota


@dataclass(frozen=True, slots=True)
class Tls:
    """A TLS connection: `TLSv1.3`, the cipher suite, who issued the certificate, and its last day (ISO 8601).

    >>> Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384", "Example CA", "2027-01-31").version
    'TLSv1.3'
    """

    version: str
    cipher: str
    issuer: str = ""
    expires: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """
    A system that answered. `place` is what was asked or looked at; `system` names what answered, as far as known.

    `identity` is who the system says that we are, '' where it says nothing. `seconds` is the time from asking to the
    whole answer, connecting included. `status` is of HTTP.

    >>> Reached("/data/in: readable and writable").quotas
    ()
    """

    place: str
    system: str = ""
    seconds: float = 0.0
    status: int | None = None
    identity: str = ""
    tls: Tls | None = None
    quotas: tuple[Quota, ...] = ()
    ending: Ending | None = None


def tls_of(host: str, port: int, timeout: float, context: ssl.SSLContext | None = None) -> Tls | None:
    """The TLS that a server speaks with us, by a handshake of its own; None when there is none within `timeout`.

    Example: `tls_of("api.example.com", 443, timeout=5)`.
    """
    import datetime as dt

    try:
        with (
            socket.create_connection((host, port), timeout) as plain,
            (context or ssl.create_default_context()).wrap_socket(plain, server_hostname=host) as secure,
        ):
            certificate = secure.getpeercert() or {}
            cipher = secure.cipher()
            version = secure.version() or ""
    except (OSError, ValueError):
        return None
    expires = str(certificate.get("notAfter", ""))
    day = ""
    if expires:
        day = dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(expires), dt.UTC).date().isoformat()
    return Tls(version, cipher[0] if cipher else "", _issuer(certificate), day)


def _issuer(certificate: object) -> str:
    names = certificate.get("issuer", ()) if isinstance(certificate, dict) else ()
    found = {name: value for part in names for name, value in part}
    return str(found.get("organizationName") or found.get("commonName") or "")
