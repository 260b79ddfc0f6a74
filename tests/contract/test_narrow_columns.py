"""Columns of a table of others that hold a part of what is declared: values beyond them are named, the others written."""

from __future__ import annotations

import pytest

from syncline.model.errors import Invalid
from syncline.sdk.destination import REFUSED
from tests.contract.sql_places import frame_of, prepared_place, schema_of, target_of

COLLATION = "CHARACTER SET utf8mb4 COLLATE"


PARTLY = [
    (
        "postgresql",
        "string",
        "varchar(3)",
        ["", "abc", "ßß€"],
        ["abcd", "abc "],
        "more than the 3 characters of its column",
    ),
    (
        "postgresql",
        "string",
        "char(2)",
        ["DE", "ßx"],
        ["D", "DEU", "D ", ""],
        "other than the 2 characters of its column",
    ),
    (
        "postgresql",
        "integer",
        "smallint",
        [-32768, 32767],
        [-32769, 32768],
        "outside the -32,768 to 32,767 of its column",
    ),
    ("mariadb", "string", f"varchar(3) {COLLATION} utf8mb4_general_ci", ["", "abc", "ab "], ["abcd"], "3 characters"),
    ("mariadb", "string", f"char(3) {COLLATION} utf8mb4_general_ci", ["", "abc", "ß"], ["abcd", "a "], "3 characters"),
    ("mariadb", "string", f"tinytext {COLLATION} utf8mb4_bin", ["ß" * 127], ["ß" * 128], "255 bytes of its column"),
    ("mariadb", "integer", "smallint", [-32768, 32767], [-32769, 32768], "-32,768 to 32,767"),
    ("mariadb", "int32", "tinyint(4)", [-128, 127], [128], "-128 to 127"),
    ("mariadb", "integer", "int(10) unsigned", [0, 4294967295], [-1, 4294967296], "0 to 4,294,967,295"),
    ("mariadb", "integer", "bigint(20) unsigned", [0, 2**63 - 1], [-1], "0 to 9,223,372,036,854,775,807"),
    ("duckdb", "integer", "SMALLINT", [-32768, 32767], [-32769, 32768], "-32,768 to 32,767"),
    ("duckdb", "integer", "UTINYINT", [0, 255], [-1, 256], "0 to 255"),
]


@pytest.mark.parametrize("mode", ["upsert", "append", "replace"])
@pytest.mark.parametrize(
    ("dialect", "declared", "column", "good", "bad", "told"),
    PARTLY,
    ids=lambda value: value.partition(" ")[0] if isinstance(value, str) else "",
)
def test_values_beyond_a_column_are_named(request, tmp_path, mode, dialect, declared, column, good, bad, told):
    """Each value that an existing column doesn't hold is refused with its column; all it holds are read back unchanged."""
    schema = schema_of({"id": "integer", "held": declared}, "id")
    for database in prepared_place(dialect, request, tmp_path):
        database.execute(f"CREATE TABLE partly (id bigint PRIMARY KEY, held {column})")
        writer = database.open().open(target_of(schema, mode, stream="partly"))
        rows = list(enumerate((*good, *bad, None)))
        with pytest.raises(Invalid) as error:
            writer.write(frame_of(schema, *rows), "1")
        assert error.value.code == REFUSED
        refused = writer.refuse(frame_of(schema, *rows))
        assert [(one.row, one.column) for one in refused] == [(len(good) + n, "held") for n in range(len(bad))]
        assert all(told in one.message for one in refused)
        kept = [row for row in rows if row[1] not in bad]
        writer.write(frame_of(schema, *kept), "1")
        writer.finish("2")
        assert database.read("partly", schema) == kept


@pytest.mark.parametrize(
    ("dialect", "declared", "column"),
    [
        ("postgresql", "string", "varchar(3)[]"),
        ("postgresql", "decimal(14,2)", "numeric(9,2)"),
        ("postgresql", "date", "varchar(30)"),
        ("mariadb", "string", "varchar(3) CHARACTER SET latin1"),
        ("mariadb", "integer", "int"),
        ("duckdb", "integer", "INTEGER"),
    ],
)
def test_a_column_of_another_kind_is_refused_whole(request, tmp_path, dialect, declared, column):
    """Where a value would be changed, or a type can be declared that is the column's, nothing is written."""
    schema = schema_of({"id": "integer", "held": declared}, "id")
    for database in prepared_place(dialect, request, tmp_path):
        database.execute(f"CREATE TABLE partly (id bigint PRIMARY KEY, held {column})")
        with pytest.raises(Invalid) as error:
            database.open().open(target_of(schema, stream="partly"))
        assert error.value.code == "SYN484"


@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_nopad_bin"])
def test_texts_of_a_key_are_equal_as_elsewhere(request, tmp_path, collation):
    """A short key is taken where texts differ by their characters, and not where `a` is `A`."""
    schema = schema_of({"code": "string", "n": "integer"}, "code")
    for database in prepared_place("mariadb", request, tmp_path):
        database.execute(f"CREATE TABLE partly (code varchar(3) {COLLATION} {collation} PRIMARY KEY, n bigint)")
        target = target_of(schema, stream="partly")
        if collation == "utf8mb4_general_ci":
            with pytest.raises(Invalid, match="can't hold string"):
                database.open().open(target)
        else:
            writer = database.open().open(target)
            writer.write(frame_of(schema, ("a", 1), ("A", 2)), "1")
            assert database.read("partly", schema) == [("A", 2), ("a", 1)]
            assert [one.row for one in writer.refuse(frame_of(schema, ("abcd", 1)))] == [0]
