"""What tests make new states from, instead of running the migrations each time, is what the migrations make."""

from __future__ import annotations

import uuid
from contextlib import closing

import pytest

from syncline.state.database import open_postgresql, open_sqlite
from syncline.state.schema import HEAD, migrate, ready
from tests.recorded_migrations import recorded_migrations

SQLITE = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
POSTGRESQL = (
    (
        "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_schema = '{0}' ORDER BY 1, 2"
    ),
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = '{0}' ORDER BY 1, 2",
    (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = '{0}'::regnamespace ORDER BY 1, 2"
    ),
)


@pytest.mark.parametrize("sort", ["sqlite", "postgresql"])
def test_the_record_makes_what_the_migrations_make(sort, tmp_path, request):
    """Tables, columns, indexes, constraints and the version are the same; each state has a lineage of its own."""
    url = request.getfixturevalue("postgres_url") if sort == "postgresql" else ""
    made = []
    with recorded_migrations() as recorder:
        for name in ("migrated", "recorded"):
            schema = f"{name}_{uuid.uuid4().hex[:8]}"
            opened = open_postgresql(url, schema) if url else open_sqlite(tmp_path / f"{name}.db")
            with closing(opened) as database:
                assert recorder.recorded(sort) == (name == "recorded")
                migrate(database)
                assert ready(database)
                made.append(_described(database, schema))
    assert made[0]["version"] == HEAD
    assert made[0].pop("lineage") != made[1].pop("lineage")
    assert made[0] == made[1]


def _described(database, schema):
    here = database.schema is not None
    prefix = f'"{schema}".' if here else ""
    queries = [query.format(schema) for query in POSTGRESQL] if here else [SQLITE]
    with database.read() as connection:
        rows = [repr(tuple(row)).replace(schema, "") for q in queries for row in connection.exec_driver_sql(q)]
        assert len(rows) > 40
        return {
            "rows": rows,
            "version": database.version(connection),
            "lineage": connection.exec_driver_sql(f"SELECT lineage FROM {prefix}meta").scalar_one(),
            "serial": connection.exec_driver_sql(f"SELECT id, serial FROM {prefix}meta").all(),
        }
