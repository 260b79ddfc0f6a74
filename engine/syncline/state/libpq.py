"""How libpq, PostgreSQL's own library, is asked to secure a connection: a warehouse's as the state's."""

from __future__ import annotations

import os
from typing import Final

from syncline.model.tls import OLDEST

_OLDEST: Final = "ssl_min_protocol_version"


def oldest_tls(url: str, *, demanded: bool = False) -> dict[str, str]:
    """
    The parameter that asks for TLS 1.3, where the URL or the environment demands TLS, or somebody else does
    (`demanded`), and neither says which version is enough; else nothing. Where TLS is only preferred, libpq would go on
    without any.

    >>> oldest_tls("postgresql://db.example.com/lake?sslmode=verify-full")
    {'ssl_min_protocol_version': 'TLSv1.3'}
    >>> oldest_tls("postgresql://db.example.com/lake?sslmode=prefer")
    {}
    """
    from psycopg import ProgrammingError, conninfo, pq

    try:
        given = conninfo.conninfo_to_dict(url)
    except ProgrammingError:  # which whoever connects is told
        return {}
    for option in pq.Conninfo.get_defaults():  # what the environment says
        if option.val is not None and option.envvar and option.envvar.decode() in os.environ:
            given.setdefault(option.keyword.decode(), option.val.decode())
    demanded = demanded or given.get("sslmode") in {"require", "verify-ca", "verify-full"}
    return {_OLDEST: f"TLSv{OLDEST}"} if demanded and _OLDEST not in given else {}
