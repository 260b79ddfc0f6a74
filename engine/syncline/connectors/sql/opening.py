"""Connecting to the database that an instance configures: to write to it, or only to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.connectors.sql.settings import DuckdbSettings, MariadbSettings, PostgresSettings, SqliteSettings, settings

if TYPE_CHECKING:
    from syncline.connectors.sql.database import Database
    from syncline.connectors.sql.reading import Reading
    from syncline.sdk.source import Instance


def open_database(instance: Instance) -> Database:
    """Connects to the database, to write to it as well."""
    match settings(instance):
        case SqliteSettings() as found:
            from syncline.connectors.sql.sqlite import SqliteDatabase

            return SqliteDatabase(found)
        case DuckdbSettings() as found:
            from syncline.connectors.sql.duckdb import DuckdbDatabase

            return DuckdbDatabase(found)
        case PostgresSettings() as found:
            from syncline.connectors.sql.postgresql import PostgresDatabase

            return PostgresDatabase(found, instance.keep)
        case MariadbSettings() as found:
            from syncline.connectors.sql.mariadb import MariadbDatabase

            return MariadbDatabase(found)


def open_reading(instance: Instance) -> Reading:
    """Connects to the database, to read only."""
    match settings(instance):
        case SqliteSettings() as found:
            from syncline.connectors.sql.sqlite_reading import SqliteReading

            return SqliteReading(found)
        case DuckdbSettings() as found:
            from syncline.connectors.sql.duckdb_reading import DuckdbReading

            return DuckdbReading(found)
        case PostgresSettings() as found:
            from syncline.connectors.sql.postgresql_reading import PostgresReading

            return PostgresReading(found)
        case MariadbSettings() as found:
            from syncline.connectors.sql.mariadb_reading import MariadbReading

            return MariadbReading(found)
