"""What the URL of the state says: a SQLite file, or a PostgreSQL database. Nothing is opened.

What is wrong with a URL is said without repeating it: where a mistake is, a password may have got into another part.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Final

from syncline.model.errors import Invalid

_SQLITE: Final = "sqlite:///"
_POSTGRESQL: Final = ("postgresql://", "postgres://")
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PARAMETER: Final = re.compile(r"[A-Za-z_]{1,40}")
#: A NUL, an end of a line, and (as Python has them) bytes that are no UTF-8.
_NO_TEXT: Final = re.compile("[\0-\x1f\x7f\ud800-\udfff]")
#: Parameters of libpq that are whole numbers, which it looks at only when it connects.
_NUMBERS: Final = {
    "connect_timeout",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "port",
    "tcp_user_timeout",
}
_EXPECTED: Final = "Write sqlite:///PATH/state.db or postgresql://USER@HOST/DATABASE."


def sqlite_path(url: str) -> Path | None:
    """The path in a SQLite URL; None for PostgreSQL; `Invalid` (SYN617) for anything else."""
    if _NO_TEXT.search(url):
        raise _invalid("it has characters in it that are no text", "Look for spaces, ends of lines or bytes around it.")
    if url.startswith(_POSTGRESQL):
        return None
    path = url.removeprefix(_SQLITE)
    if path in {"", ":memory:", url}:
        scheme, there, _ = url.partition("://")
        named = scheme if there and _PARAMETER.fullmatch(scheme.replace("+", "_")) else "a path"
        raise _invalid(f"it is neither SQLite's nor PostgreSQL's, but begins with {named}")
    return Path(path)


def check_schema(schema: str) -> None:
    """`Invalid` (SYN617) for a name that no schema of the state can have."""
    if not _SCHEMA.fullmatch(schema):
        raise Invalid(
            f"{schema!r} can't be the schema of the state",
            code="SYN617",
            help="Use lower-case letters, digits and underscores, at most 63, and no digit first.",
        )


def postgresql(url: str) -> str:
    """
    A URL of PostgreSQL as the libraries take it.

    `Invalid` (SYN617) for a port that is none, a host with an `@`, and parameters that libpq doesn't know, that are
    there twice, or that are no numbers where it takes numbers.
    """
    from sqlalchemy import exc, make_url

    url = "postgresql://" + url.partition("://")[2]
    try:
        parsed = make_url(url)
    except ValueError:
        raise _invalid(
            "its port isn't a number",
            "An @ or / in a password is written as %40 or %2F, and several hosts as ?host=ONE,OTHER&port=5432,5432.",
        ) from None
    except exc.ArgumentError:
        raise _invalid("it can't be taken apart") from None
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise _invalid("its port isn't a number from 1 to 65535")
    if "@" in (parsed.host or ""):
        raise _invalid("there is an @ too many in it", "An @ in a password is written as %40.")
    for name, value in parsed.query.items():
        _check_parameter(name, value)
    return url


def _check_parameter(name: str, value: str | tuple[str, ...]) -> None:
    known = _parameters()
    if name not in known:
        named = f"parameter {name!r}" if _PARAMETER.fullmatch(name) else "parameter of such a name"
        near = difflib.get_close_matches(name, known, 1)
        meant = f"Did you mean {near[0]}? " if near else ""
        if name == "schema":
            meant = "The state has a schema of its own, which is always called syncline. "
        raise _invalid(f"PostgreSQL's library knows no {named}", f"{meant}Leave it out. {_EXPECTED}")
    if not isinstance(value, str):
        raise _invalid(f"the parameter {name!r} is there more than once", "Leave all but one of them out.")
    numbers = value.split(",") if name == "port" else [value]  # of several hosts, each has one
    if name in _NUMBERS and not all(re.fullmatch(r"-?\d{1,9}", number, re.ASCII) for number in numbers):
        raise _invalid(f"the parameter {name!r} isn't a whole number")


def _parameters() -> set[str]:
    """What the library that is installed takes."""
    from psycopg import pq

    return {option.keyword.decode() for option in pq.Conninfo.get_defaults()}


def _invalid(why: str, help_: str = _EXPECTED) -> Invalid:
    return Invalid(f"the state's URL can't be used: {why}", code="SYN617", help=help_)
