"""MariaDB's errors as ours, by their numbers ("MariaDB Error Codes" of its documentation). Values never get out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from syncline.connectors.sql.database import Breach
from syncline.connectors.sql.reading import no_query
from syncline.model.errors import Again, Invalid, Stalled, SynclineError, foreign

#: The connection is lost or was never there; the server stops, or has no slot; somebody ended the connection.
_AWAY = {0, 1040, 1053, 1152, 1153, 1154, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1927, 2002, 2003, 2006, 2013, 2055}

#: Lock not given, deadlock, statement cancelled or over its time, row changed meanwhile, table altered meanwhile.
_BUSY = {1020, 1205, 1213, 1317, 1412, 1969, 3572, 4031}

#: Out of memory, disk full.
_SHORT = {1021, 1037, 1038, 1041, 1114}

#: No such user, database or privilege; read-only; no TLS; loading from the client isn't allowed.
_REFUSED = {1044, 1045, 1049, 1129, 1130, 1142, 1143, 1227, 1251, 1290, 1370, 1698, 1792, 1836, 2026, 2059}
_NO_LOADING = {1148, 4166}

#: A value beyond its type: too long, out of range, not of the type; a row or key too long.
_VALUES = {1118, 1139, 1264, 1265, 1292, 1366, 1367, 1406, 1411, 1690, 1977}

#: A key, a null, a foreign key or a check stands against it.
_CONSTRAINTS = {1022, 1048, 1062, 1169, 1216, 1217, 1263, 1364, 1451, 1452, 1557, 1586, 1761, 1762, 4025}

#: What SIGNAL raises, of itself or with a number that the server doesn't have: its own and the driver's end before.
_SIGNALS = {1643, 1644}
_OWN_NUMBERS = 10_000

#: How the error of a trigger begins; what follows are the words of whoever wrote it.
_TRIGGER = "rows are refused by a trigger of the table: "

#: Of what a person wrote, and of several statements: the driver doesn't ask the server to take those.
_SYNTAX = 1064

_NAMES = {1059, 1102, 1103, 1166}

#: Where the messages name a thing: a key, a column or a constraint. What stands before it may be a value.
_KEY = re.compile(r"for key '([^']*)'\Z")
_CHECK = re.compile(r"\ACONSTRAINT [`'](.*?)[`'] failed")
_FOREIGN = re.compile(r"CONSTRAINT `([^`]*)` FOREIGN KEY")
_COLUMN = re.compile(r"(?:[Cc]olumn|[Ff]ield) '([^']*)'")
_VALUE = re.compile(r"for column (?:`[^`]*`\.`[^`]*`\.`([^`]*)`|'([^']*)') at row (\d+)\Z")


#: The row of the batch says nothing where parts of a batch are tried.
_ROW = re.compile(r", row \d+ of the batch")
_PLACE = re.compile(r"(?:column|constraint) '([^']*)'")


def broken(error: Invalid, names: Iterable[str]) -> Breach:
    """What stands against a row, of an error of `translated`. A key without a name of its own has that of its column.

    >>> broken(translated(1062, "Duplicate entry 'a' for key 'name'"), ["id", "name"])
    Breach(column='name', message="breaks the constraint 'name' (error 1062)", among=False)
    """
    if error.message.startswith(_TRIGGER):
        return Breach("", f"is refused by a trigger: {error.message.removeprefix(_TRIGGER)}")
    found = _PLACE.search(error.message)
    message = _ROW.sub("", error.message.replace("rows break", "breaks", 1))
    return Breach(found[1] if found and found[1] in names else "", message)


def translated(number: int, message: str) -> SynclineError:
    """The error of ours for one of the server's or the driver's."""
    if number in _AWAY and "[SSL" in message:  # as the driver tells what OpenSSL says of a handshake
        return Stalled(
            f"MariaDB: {message}",
            code="SYN482",
            help='Check tls.ca of the integration. A server that knows no TLS 1.3 needs tls: {min: "1.2"}.',
        )
    if number in _AWAY:
        return Again(f"MariaDB: {message or 'the connection is lost'}", code="SYN480")
    if number in _BUSY:
        return Again(f"MariaDB: {message}", code="SYN488")
    if number in _SHORT:
        return Again(f"MariaDB: {message}", code="SYN488", help="The server is short of memory or disk.")
    if number in _NO_LOADING:
        return Stalled(f"MariaDB: {message}", code="SYN482", help="Set local_infile = ON at the server.")
    if number in _REFUSED:
        return Stalled(f"MariaDB: {message}", code="SYN482", help="Check user, password, database, TLS and privileges.")
    if number in _VALUES:
        found = _VALUE.search(message)
        place = f" in column {found[1] or found[2]!r}, row {found[3]} of the batch" if found else ""
        return Invalid(
            f"a value that MariaDB can't hold{place} (error {number})",
            code="SYN485",
            help="Reject the rows, or map the value to one that fits.",
        )
    if number in _CONSTRAINTS:
        named = (pattern.search(message) for pattern in (_KEY, _CHECK, _FOREIGN, _COLUMN))
        place = next((found[1] for found in named if found), "unnamed")
        return Invalid(
            f"rows break the constraint {place!r} (error {number})",
            code="SYN486",
            help="Check values in the mapping, so that such rows become rejects, or change the constraint.",
        )
    if number in _SIGNALS or number >= _OWN_NUMBERS:
        return Invalid(
            f"{_TRIGGER}{foreign(message)} (error {number})",
            code="SYN486",
            help="Correct what it asks for in the mapping or at the source, or change the trigger.",
        )
    if number == _SYNTAX:
        return no_query(f"MariaDB: {message}")
    if number in _NAMES:
        return Invalid(f"MariaDB can't hold a name (error {number})", code="SYN483", help="Choose another name.")
    return Stalled(f"MariaDB: {message} (error {number})", code="SYN491")
