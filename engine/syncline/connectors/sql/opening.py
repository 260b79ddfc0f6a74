"""Connecting to the database that an instance configures: to write to it, or only to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.connectors.sql.settings import DuckdbSettings, MariadbSettings, PostgresSettings, SqliteSettings, settings

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database
    from syncline.connectors.sql.limits import Limits
    from syncline.connectors.sql.reading import Reading
    from syncline.model.schema import Schema
    from syncline.sdk.source import Instance


def open_database(instance: Instance) -> Database:
    """Connects to the database, to write to it as well."""
    match settings(instance):
        case SqliteSettings() as found:
            from syncline.connectors.sql.sqlite.database import SqliteDatabase

            return SqliteDatabase(found)
        case DuckdbSettings() as found:
            from syncline.connectors.sql.duckdb.database import DuckdbDatabase

            return DuckdbDatabase(found)
        case PostgresSettings() as found:
            from syncline.connectors.sql.postgresql.database import PostgresDatabase

            return PostgresDatabase(found, instance.keep)
        case MariadbSettings() as found:
            from syncline.connectors.sql.mariadb.database import MariadbDatabase

            return MariadbDatabase(found)


def open_reading(instance: Instance) -> Reading:
    """Connects to the database, to read only."""
    match settings(instance):
        case SqliteSettings() as found:
            from syncline.connectors.sql.sqlite.reading import SqliteReading

            return SqliteReading(found)
        case DuckdbSettings() as found:
            from syncline.connectors.sql.duckdb.reading import DuckdbReading

            return DuckdbReading(found)
        case PostgresSettings() as found:
            from syncline.connectors.sql.postgresql.reading import PostgresReading

            return PostgresReading(found)
        case MariadbSettings() as found:
            from syncline.connectors.sql.mariadb.reading import MariadbReading

            return MariadbReading(found)


def limits_of(instance: Instance, schema: Schema, *, keyed: bool) -> Limits:
    """What the database can't hold, without connecting to it; see `Database.limits`."""
    match settings(instance):
        case SqliteSettings():
            from syncline.connectors.sql.sqlite import types as sqlite_types

            return sqlite_types.limits(schema, keyed=keyed)
        case DuckdbSettings():
            from syncline.connectors.sql.duckdb import types as duckdb_types

            return duckdb_types.limits(schema, keyed=keyed)
        case PostgresSettings():
            from syncline.connectors.sql.postgresql import types as postgresql_types

            return postgresql_types.limits(schema, keyed=keyed)
        case MariadbSettings():
            from syncline.connectors.sql.mariadb import types as mariadb_types

            return mariadb_types.limits(schema, keyed=keyed)
