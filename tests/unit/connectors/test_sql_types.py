"""Types and names of the databases."""

from __future__ import annotations

import pytest

from syncline.connectors.sql.duckdb import types as duckdb_types
from syncline.connectors.sql.mariadb import types as mariadb_types
from syncline.connectors.sql.names import check_names, quoted
from syncline.connectors.sql.postgresql import types as postgresql_types
from syncline.connectors.sql.sqlite import types as sqlite_types
from syncline.model.errors import Invalid
from syncline.model.schema import TYPE_NAMES, DataType

DECLARED = [*(name for name in TYPE_NAMES if name not in {"decimal", "number"}), "decimal(14,2)"]


@pytest.mark.parametrize("text", DECLARED)
def test_a_new_column_holds_its_type(text: str):
    """The type that a column is made with holds the type that it was made for."""
    declared = DataType.parse(text)

    assert postgresql_types.holds(postgresql_types.column_type(declared), declared)
    assert sqlite_types.holds(text, declared)
    assert mariadb_types.holds(mariadb_types.column_type(declared), declared)
    assert duckdb_types.holds(duckdb_types.column_type(declared), declared)


@pytest.mark.parametrize(
    ("existing", "declared", "expected"),
    [
        ("numeric", "decimal(38,9)", True),
        ("numeric", "integer", True),
        ("numeric(20,4)", "decimal(14,2)", True),
        ("numeric(14,4)", "decimal(14,2)", False),
        ("numeric(14,1)", "decimal(14,2)", False),
        ("numeric(19,0)", "integer", True),
        ("numeric(18,0)", "integer", False),
        ("numeric(5,-2)", "decimal(4,0)", False),
        ("bigint", "int32", True),
        ("integer", "integer", False),
        ("double precision", "decimal(4,2)", False),
        ("double precision", "integer", False),
        ("real", "float", False),
        ("character varying", "string", True),
        ("character varying(80)", "string", False),
        ("text", "integer", False),
        ("timestamp without time zone", "timestamp", False),
        ("timestamp(3) with time zone", "timestamp", False),
        ("timestamp with time zone", "datetime", False),
        ("json", "json", False),
    ],
)
def test_postgresql_holds(existing: str, declared: str, expected: bool):
    """A column holds a type only if every value of it stays as it is."""
    assert postgresql_types.holds(existing, DataType.parse(declared)) is expected


@pytest.mark.parametrize(
    ("existing", "declared", "expected"),
    [
        ("TEXT", "decimal(14,2)", True),
        ("INTEGER", "boolean", True),
        ("NUMERIC", "decimal(14,2)", False),
        ("VARCHAR(20)", "string", False),
        ("decimal(16,2)", "decimal(14,2)", True),
        ("decimal(16,3)", "decimal(14,2)", False),
        ("decimal(12,2)", "decimal(14,2)", False),
        ("integer", "int32", True),
        ("int32", "integer", False),
        ("string", "timestamp", False),
        ("boolean", "integer", False),
    ],
)
def test_sqlite_holds(existing: str, declared: str, expected: bool):
    """What we noted about a column decides, not only how SQLite stores it."""
    assert sqlite_types.holds(existing, DataType.parse(declared)) is expected


def test_quoted():
    """A quote in a name is doubled."""
    assert quoted('a"; DROP TABLE b; --') == '"a""; DROP TABLE b; --"'


@pytest.mark.parametrize(
    ("table", "names", "message"),
    [
        ("t", ["Id", "id"], "'Id' and 'id' of table 't' are the same"),
        ("sqlite_x", ["id"], "reserved"),
        ("t", ["xmin"], "system column"),
        ("t" * 50, ["id"], "at most 49"),
    ],
)
def test_names(table: str, names: list[str], message: str):
    """Names that would meet another are refused, as are those without room for a suffix."""
    with pytest.raises(Invalid, match=message):
        check_names(table, names, limit=63, reserve=14, folds=True, taken=frozenset({"xmin"}))
    check_names("t" * 49, ["Id", "name"], limit=63, reserve=14, folds=True)


def test_all_names_are_reported():
    """Every bad name is a finding of its own."""
    with pytest.raises(Invalid) as caught:
        check_names("t", ["", "a\0", "b" * 64], limit=63)

    assert [finding.code for finding in caught.value.diagnostics] == ["SYN483"] * 3


@pytest.mark.parametrize(
    ("column", "declared", "expected"),
    [
        (("bigint(20)", None, "", 0), "integer", True),
        (("bigint(20) unsigned", None, "", 0), "integer", False),
        (("int(11)", None, "", 0), "integer", False),
        (("decimal(14,4)", None, "", 0), "decimal(14,2)", False),
        (("decimal(19,0)", None, "", 0), "integer", True),
        (("tinyint(1)", None, "", 0), "boolean", True),
        (("tinyint(4)", None, "", 0), "boolean", False),
        (("longtext", "utf8mb4_general_ci", "", 0), "string", True),
        (("longtext", "latin1_swedish_ci", "", 0), "string", False),
        (("longtext", "utf8mb4_nopad_bin", "JSON", 0), "string", False),
        (("longtext", "utf8mb4_nopad_bin", "", 0), "json", True),
        (("text", "utf8mb4_nopad_bin", "", 0), "string", False),
        (("varchar(700)", "utf8mb4_nopad_bin", "", 1), "string", True),
        (("varchar(350)", "utf8mb4_nopad_bin", "", 2), "string", True),
        (("varchar(350)", "utf8mb4_nopad_bin", "", 1), "string", False),
        (("varchar(700)", "utf8mb4_nopad_bin", "", 0), "string", False),
        (("varchar(700)", "utf8mb4_general_ci", "", 1), "string", False),
        (("datetime(6)", None, "UTC", 0), "timestamp", True),
        (("datetime(6)", None, "UTC", 0), "datetime", False),
        (("datetime", None, "", 0), "datetime", False),
        (("timestamp(6)", None, "", 0), "timestamp", False),
    ],
)
def test_mariadb_holds(column: tuple, declared: str, expected: bool):
    """A column holds a type only if every value of it stays as it is, and is compared by its characters in a key."""
    assert mariadb_types.holds(mariadb_types.shown(*column), DataType.parse(declared)) is expected
