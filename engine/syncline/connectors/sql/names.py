"""Names in SQL: quoting, and which names a database can hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Invalid
from syncline.model.schema import Schema

#: Our own tables start with this.
RESERVED = "_syncline_"

#: What a table under construction is called, after the table it will replace.
SHADOW = "__syncline_new"

#: What the table of keys that a run came to is called, after the table that it writes.
SEEN = "__syncline_seen"

#: Columns of our own beside those of mappings, whose names are identifiers: the digest of a row, and whether it is new.
DIGEST, FRESH = "=digest", "=fresh"


def family(table: str, leftovers: Iterable[str]) -> tuple[str, ...]:
    """The names of a table and of what may be beside it, the suffixes of the database's own `leftovers` included."""
    return tuple(table + suffix for suffix in ("", SHADOW, SEEN, *leftovers))


def quoted(name: str) -> str:
    """An identifier, exactly as it is, reserved words and mixed case included."""
    return '"' + name.replace('"', '""') + '"'


def columns(names: Iterable[str], prefix: str = "") -> str:
    """Column names, quoted, separated by commas; `prefix` is an alias such as `t.`."""
    return ", ".join(prefix + quoted(name) for name in names)


def on_conflict(key: str, names: Iterable[str]) -> str:
    """The end of an INSERT that sets columns of a row whose key is there; without any, leaves it alone."""
    assignments = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in names)
    return f"ON CONFLICT ({quoted(key)}) DO " + (f"UPDATE SET {assignments}" if assignments else "NOTHING")


def matching(place: str, stage: str, schema: Schema, differs: str, absent: Collection[str], mark: str) -> str:
    """
    A query that counts the rows of a stage whose key is in a table, and those of them in which a value differs.

    `differs` has two `{}` for two values, and is true where these, nulls included, aren't the same.
    """
    same = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in schema.key)
    if mark:
        same += f" AND t.{quoted(mark)} IS NULL"
    others = [name for name in schema.names if name not in schema.key]
    unequal = [
        f"s.{quoted(name)} IS NOT NULL" if name in absent else differs.format(f"t.{quoted(name)}", f"s.{quoted(name)}")
        for name in others
    ]
    changed = f"CASE WHEN {' OR '.join(unequal)} THEN 1 END" if unequal else "NULL"
    return f"SELECT count(*), count({changed}) FROM {stage} AS s JOIN {place} AS t ON {same}"


def unseen(keys: str, key: Iterable[str]) -> str:
    """A condition on a row `t` that has a key, which isn't in a table of keys."""
    names = [quoted(name) for name in key]
    there = " AND ".join(f"t.{name} IS NOT NULL" for name in names)
    same = " AND ".join(f"s.{name} = t.{name}" for name in names)
    return f"{there} AND NOT EXISTS (SELECT 1 FROM {keys} AS s WHERE {same})"


def check_names(
    table: str,
    names: Iterable[str],
    *,
    limit: int,
    reserve: int = 0,
    folds: bool = False,
    taken: frozenset[str] = frozenset(),
) -> None:
    """
    Raises Invalid for names that the database can't hold: longer than `limit` bytes (which would be cut in silence;
    `reserve` of them are kept for a suffix of the table's name), empty, with a NUL, `taken` by the system, or equal
    where the database `folds` case.
    """
    problems = [f"table {table!r} {why}" for why in _problems(table, limit - reserve)]
    if table.lower().startswith(RESERVED) or (folds and table.lower().startswith("sqlite_")):
        problems.append(f"table {table!r} has a name that is reserved")
    seen: dict[str, str] = {}
    for name in names:
        problems += [f"column {name!r} of table {table!r} {why}" for why in _problems(name, limit)]
        if name in taken:
            problems.append(f"column {name!r} of table {table!r} has the name of a system column")
        folded = name.lower() if folds else name
        if folded in seen:
            problems.append(f"columns {seen[folded]!r} and {name!r} of table {table!r} are the same name here")
        seen.setdefault(folded, name)
    if problems:
        raise Invalid(
            problems[0],
            code="SYN483",
            help="Choose another name in the mapping or the stream.",
            diagnostics=[Diagnostic("SYN483", problem) for problem in problems],
        )


def _problems(name: str, limit: int) -> Iterable[str]:
    if not name:
        yield "has an empty name"
    if "\0" in name:
        yield "has a NUL character in its name"
    if len(name.encode()) > limit:
        yield f"has a name of {len(name.encode())} bytes; at most {limit} are possible"
