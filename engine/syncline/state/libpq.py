"""How libpq, PostgreSQL's own library, is asked to secure a connection: a warehouse's as the state's."""

from __future__ import annotations

import os
import ssl
from typing import Final

from syncline.model.hosts import is_local
from syncline.model.tls import OLDEST

_OLDEST: Final = "ssl_min_protocol_version"


def secured(url: str) -> dict[str, str]:
    """
    The parameters that make a connection to another machine as `verified` has it, where neither the URL nor the
    environment says an `sslmode`: libpq's own default goes on without TLS where a server has none. Of a mode that
    demands TLS, 1.3 is asked unless another version is said to be enough. Any other mode, and this machine's own
    server without one, are left as they are.

    >>> secured("postgresql://db.example.com/lake?sslrootcert=ca.pem")
    {'sslmode': 'verify-full', 'ssl_min_protocol_version': 'TLSv1.3'}
    >>> secured("postgresql://db.example.com/lake?sslmode=require")
    {'ssl_min_protocol_version': 'TLSv1.3'}
    >>> secured("postgresql://db.example.com/lake?sslmode=prefer"), secured("postgresql://localhost/lake")
    ({}, {})
    """
    given = said(url)
    mode = given.get("sslmode")
    if mode:
        return _oldest(given) if mode in {"require", "verify-ca", "verify-full"} else {}
    hosts = (given.get("hostaddr") or given.get("host") or "").split(",")
    return {} if all(is_local(host.strip().casefold()) for host in hosts) else _verified(given)


def verified(url: str) -> dict[str, str]:
    """
    The parameters that ask for TLS 1.3 and a certificate for the server's name by the machine's authorities. Another
    version or other authorities that the URL or the environment says hold; another mode doesn't.

    >>> verified("postgresql://localhost/lake?ssl_min_protocol_version=TLSv1.2&sslrootcert=ca.pem&sslmode=prefer")
    {'sslmode': 'verify-full'}
    """
    return _verified(said(url))


def _verified(given: dict[str, str]) -> dict[str, str]:
    asked = {"sslmode": "verify-full"} | _oldest(given)
    if "sslrootcert" not in given:
        # libpq's own `system` may be a folder of whoever built it, with nothing in it.
        asked["sslrootcert"] = ssl.get_default_verify_paths().cafile or "system"
    return asked


def _oldest(given: dict[str, str]) -> dict[str, str]:
    return {} if _OLDEST in given else {_OLDEST: f"TLSv{OLDEST}"}


def said(url: str) -> dict[str, str]:
    """Parameters of libpq: what the URL says, and the environment where the URL doesn't."""
    from psycopg import ProgrammingError, conninfo, pq

    try:
        given = conninfo.conninfo_to_dict(url)
    except ProgrammingError:  # which whoever connects is told
        return {}
    for option in pq.Conninfo.get_defaults():
        if option.val is not None and option.envvar and option.envvar.decode() in os.environ:
            given.setdefault(option.keyword.decode(), option.val.decode())
    return {name: str(value) for name, value in given.items()}
