"""PostgreSQL's errors as ours, by SQLSTATE ("PostgreSQL Error Codes" of its documentation). Values never get out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from syncline.connectors.sql.database import Breach
from syncline.connectors.sql.reading import no_query
from syncline.model.errors import Again, Invalid, Stalled, SynclineError, foreign

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

#: Serialization failure, deadlock, lock not available, query cancelled.
_BUSY = {"40001", "40P01", "55P03", "57014"}

#: Wrong database, missing privilege, read-only server.
_REFUSED = {"3D000", "42501", "25006"}

#: Answers of a server that will take connections later. They have no SQLSTATE for libpq's callers.
_LATER = re.compile(r"too many (clients|connections)|connection slots|starting up|shutting down|recovery mode")


#: Of a value, of a constraint, of a size, of a view's condition: what stands against rows, by the first two digits of
#: the SQLSTATE.
_OF_ROWS = {"22", "23", "44", "54"}

#: What a function raises without a code of its own: in PL/pgSQL (RAISE, no row, too many, ASSERT), in other languages.
_RAISED = {"P0001", "P0002", "P0003", "P0004", "38000"}

#: Classes that PostgreSQL has: a function that raises with another one means something by it.
_CLASSES = {
    *("00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23", "24", "25"),
    *("26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55", "57"),
    *("58", "72", "F0", "HV", "P0", "XX"),
}

#: The server's function that runs RAISE: the message is of the person who wrote that.
_RAISE = "exec_stmt_raise"

_KINDS = {"23503": "foreign key", "23505": "unique key", "23514": "check", "23P01": "exclusion"}


def about_rows(error: psycopg.Error) -> bool:
    """Whether a statement failed because of a row that it was to write."""
    return (error.sqlstate or "")[:2] in _OF_ROWS or _by_a_function(error)


def _by_a_function(error: psycopg.Error) -> bool:
    """Whether a function, such as a trigger's, refused by words of its own, and not one of the server's troubles."""
    state = error.sqlstate or ""
    if error.diag.source_function == _RAISE and state[:2] in _OF_ROWS:
        return True
    return state in _RAISED or (bool(state) and state[:2] not in _CLASSES)


def broken(error: psycopg.Error, names: Mapping[str, tuple[str, tuple[str, ...], bool]]) -> Breach:
    """
    What stands against a row. `names` has what a table's constraints and unique indexes are called, their columns, and
    whether they refer to the table itself.
    """
    state, said = error.sqlstate or "", error.diag
    if _by_a_function(error):
        return Breach("", f"is refused by a trigger: {said.message_primary}")
    if state == "23502" and said.column_name:
        return Breach(said.column_name, "may not be null")
    if not said.constraint_name:
        return Breach("", f"is refused by PostgreSQL ({type(error).__name__}, SQLSTATE {state})")
    name, columns, itself = names.get(said.constraint_name, (said.constraint_name, (), False))
    of = f" ({', '.join(columns)})" if columns else ""
    message = f"breaks the {_KINDS.get(state, 'constraint')} {name!r}{of}"
    return Breach(columns[0] if len(columns) == 1 else "", message, among=itself and state == "23503")


def translated(error: psycopg.Error) -> SynclineError:
    """
    The error of ours for one of the driver's.

    Only a message of the server's own words is kept: what is about data (class 22) may quote values, and `DETAIL`
    lines hold rows.
    """
    state = error.sqlstate or ""
    message = error.diag.message_primary or str(error).strip().partition("\n")[0]
    if _by_a_function(error):
        return Invalid(
            f"rows are refused by a trigger of the table: {foreign(message)} (SQLSTATE {state})",
            code="SYN486",
            help="Correct what it asks for in the mapping or at the source, or change the trigger.",
        )
    match state[:2]:
        case "08" | "57" if state != "57014":
            return Again(f"PostgreSQL: {message}", code="SYN480")
        case "40" | "55" | "57" if state in _BUSY:
            return Again(f"PostgreSQL: {message}", code="SYN488")
        case "53":
            return Again(f"PostgreSQL: {message}", code="SYN488", help="The server is short of memory, disk or slots.")
        case "28":
            return Stalled(f"PostgreSQL: {message}", code="SYN482", help="Check user and password.")
        case "22" | "54":
            return Invalid(
                f"a value that PostgreSQL can't hold ({type(error).__name__}, SQLSTATE {state})",
                code="SYN485",
                help="Reject the rows, or map the value to one that fits.",
            )
        case "23" | "44":
            place = error.diag.constraint_name or error.diag.column_name or "unnamed"
            return Invalid(
                f"rows break the constraint {place!r} of table {error.diag.table_name!r} ({type(error).__name__})",
                code="SYN486",
                help="Check values in the mapping, so that such rows become rejects, or change the constraint.",
            )
        case "2B":
            return Invalid(f"PostgreSQL: {message}", code="SYN486", help="Drop what depends on it, or don't replace.")
        case _ if state in _REFUSED:
            return Stalled(f"PostgreSQL: {message}", code="SYN482", help="Grant what is missing, or use another user.")
        case _ if state == "42601":  # syntax, or several statements: only a declared query may have them
            return no_query(f"PostgreSQL: {message}")
        case "":
            # Without a state the connection is lost, or was never there.
            return Again(f"PostgreSQL: {message}", code="SYN480")
        case _:
            return Stalled(f"PostgreSQL: {message} (SQLSTATE {state})", code="SYN491")


def refused(error: psycopg.Error) -> SynclineError:
    """The error of ours for a connection that wasn't made. libpq tells its reason as text only."""
    message = " ".join(str(error).split())
    if "FATAL" in message and not _LATER.search(message):
        return Stalled(f"PostgreSQL refuses: {message}", code="SYN482", help="Check user, password and database.")
    if "not support SSL" in message:
        return Stalled(
            f"PostgreSQL: {message}",
            code="SYN482",
            help="Switch TLS on at the server: another machine is asked for it. Where the network is trusted instead, "
            "say ?sslmode=disable in the URL, and except it from SYN505.",
        )
    if "certificate" in message or "SSL" in message:
        return Stalled(
            f"PostgreSQL: {message}",
            code="SYN482",
            help="Name the authority of the server's certificate by tls: {ca: FILE} of the integration, or sslrootcert "
            'in the URL. Of a server without TLS 1.3, tls: {min: "1.2"}, or ssl_min_protocol_version=TLSv1.2 there.',
        )
    return Again(f"PostgreSQL can't be reached: {message}", code="SYN480")
