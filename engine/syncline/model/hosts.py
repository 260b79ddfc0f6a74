"""Names and addresses of machines."""

from __future__ import annotations

import ipaddress


def is_local(host: str) -> bool:
    """
    Whether a host is this machine: by name, by address, or by the path of a socket.

    >>> [is_local(host) for host in ("localhost", "127.0.0.1", "::1", "/run/postgresql", "db.example.com")]
    [True, True, True, True, False]
    """
    if host in {"", "localhost"} or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
