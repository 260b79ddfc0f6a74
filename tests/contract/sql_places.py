"""Places that SQL destinations write to in tests, and how to read them back as Python's own values."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import duckdb
import polars as pl
import psycopg
import pymysql
from pydantic import BaseModel

from syncline.connectors.sql.destination import SqlDestination
from syncline.connectors.sql.names import quoted
from syncline.connectors.sql.opening import open_database
from syncline.model.schema import DataType, Field, Schema
from syncline.model.secret import Secret
from syncline.sdk.destination import Target, WriteMode
from syncline.sdk.frame import target_frame_schema
from syncline.sdk.source import Credentials, Instance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

FLOW = "acme/Sync/orders"


class Spec(BaseModel):
    """Stands for the specs of a connector and an integration, which databases don't look at."""


@dataclass
class Place:
    """A database of a test. `read` gives rows as Python values, whatever they are stored as."""

    instance: Instance
    opened: list[SqlDestination] = field(default_factory=list)

    @property
    def dialect(self) -> str:
        if "path" in self.instance.config:
            return str(self.instance.config.get("engine", "sqlite"))
        return "mariadb" if self.url.startswith("mariadb:") else "postgresql"

    def open(self) -> SqlDestination:
        """A destination, closed at the end of the test if the test doesn't."""
        self.opened.append(SqlDestination(open_database(self.instance)))
        return self.opened[-1]

    def connection(self) -> Any:
        """One of its own to MariaDB."""
        return _mariadb(self.url, self.login)

    def execute(self, statement: str, *parameters: Any) -> list[tuple]:
        """Runs a statement with `?` for parameters over a connection of its own, in the schema of the test."""
        if self.dialect in {"sqlite", "duckdb"}:
            self.file.parent.mkdir(exist_ok=True)
        if self.dialect == "sqlite":
            with closing(sqlite3.connect(self.file)) as file:
                rows = file.execute(statement, parameters).fetchall()
                file.commit()
                return rows
        if self.dialect == "duckdb":
            return _of_duckdb(self.file, statement, parameters)
        if self.dialect == "mariadb":
            with _mariadb(self.url, self.login) as server, server.cursor() as found:
                found.execute(statement.replace("?", "%s") if parameters else statement, parameters or None)
                return list(found.fetchall()) if found.description else []
        options = f"-c search_path={self.instance.config['schema']} -c timezone=UTC"
        with psycopg.connect(self.url, autocommit=True, options=options, **self.login) as connection:
            cursor = connection.execute(statement.replace("?", "%s") if parameters else statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def read(self, table: str, schema: Schema) -> list[tuple]:
        """The rows of a table, in the order of the first column."""
        names = ", ".join(quoted(name) for name in schema.names)
        rows = self.execute(f"SELECT {names} FROM {quoted(table)} ORDER BY {quoted(schema.names[0])}")
        return [tuple(self._value(value, f.type) for value, f in zip(row, schema.fields, strict=True)) for row in rows]

    def tables(self) -> set[str]:
        """Names of the tables that are there; none where the file isn't."""
        if self.dialect in {"sqlite", "duckdb"} and not self.file.exists():
            return set()
        if self.dialect == "sqlite":
            return {name for (name,) in self.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if self.dialect in {"mariadb", "duckdb"}:
            return {name for (name,) in self.execute("SHOW TABLES")}
        found = self.execute("SELECT tablename FROM pg_tables WHERE schemaname = ?", self.instance.config["schema"])
        return {name for (name,) in found}

    @property
    def file(self) -> Path:
        return self.instance.root / str(self.instance.config["path"])

    @property
    def url(self) -> str:
        return str(self.instance.config["url"])

    @property
    def login(self) -> dict[str, Any]:
        password = self.instance.credentials.secrets["password"].reveal()
        return {"user": self.instance.credentials.settings["username"], "password": password}

    def clear(self) -> None:
        """Drops every table."""
        if self.dialect == "postgresql":
            self.execute(f"DROP SCHEMA IF EXISTS {self.instance.config['schema']} CASCADE")
        else:
            for table in self.tables():
                self.execute(f"DROP TABLE {quoted(table)}")

    def text(self, name: str) -> str:
        """A column's value as text, in an expression."""
        return f"CAST({quoted(name)} AS {'char' if self.dialect == 'mariadb' else 'text'})"

    def close(self) -> None:
        for destination in self.opened:
            destination.close()
        if self.dialect == "postgresql":
            self.clear()
        if self.dialect == "mariadb":
            self.execute(f"DROP DATABASE {quoted(urlsplit(self.url).path[1:])}")

    def _value(self, value: Any, data_type: DataType) -> Any:
        if value is None:
            return None
        if data_type.name == "json":
            return json.loads(value) if isinstance(value, str) and self.dialect != "postgresql" else value
        if self.dialect in {"postgresql", "duckdb"}:
            return value
        if self.dialect == "mariadb":
            return _of_mariadb(value, data_type)
        match data_type.name:
            case "decimal":
                return Decimal(value)
            case "date":
                return date.fromisoformat(value)
            case "time":
                return time.fromisoformat(value)
            case "timestamp":
                assert value.endswith("Z")
                return datetime.fromisoformat(value[:-1]).replace(tzinfo=UTC)
            case "datetime":
                return datetime.fromisoformat(value)
            case "boolean":
                assert value in {0, 1}
                return bool(value)
            case _:
                return value


def _of_duckdb(path: Path, statement: str, parameters: tuple[Any, ...]) -> list[tuple]:
    with closing(duckdb.connect(path)) as file:
        file.execute("SET TimeZone = 'UTC'")
        if not statement.startswith("SELECT"):
            return file.execute(statement, list(parameters) or None).fetchall()
        # As columns: instants as Python's own need another library.
        frame = pl.from_arrow(file.sql(statement, params=list(parameters) or None).to_arrow_table())
        assert isinstance(frame, pl.DataFrame)
        return frame.rows()


def _of_mariadb(value: Any, data_type: DataType) -> Any:
    match data_type.name:
        case "boolean":
            assert value in {0, 1}
            return bool(value)
        case "time":
            return (datetime(1, 1, 1, tzinfo=UTC) + value).time()
        case "timestamp":
            return value.replace(tzinfo=UTC)
        case _:
            return value


def _mariadb(url: str, login: dict[str, Any]) -> Any:
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        database=parts.path[1:] or None,
        user=login["user"],
        password=login["password"],
        charset="utf8mb4",
        autocommit=True,
        ssl_disabled=True,
        init_command="SET sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES', time_zone = '+00:00'",
    )


#: Every database that is written to.
DIALECTS = ("sqlite", "postgresql", "mariadb", "duckdb")


def place_of(dialect: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    """A database of a dialect, of its own."""
    match dialect:
        case "sqlite":
            return sqlite_place(folder)
        case "duckdb":
            return duckdb_place(folder)
        case "mariadb":
            return mariadb_place(request.getfixturevalue("mariadb_server_url"), folder)
        case _:
            return postgres_place(request.getfixturevalue("postgres_url"), folder)


def prepared_place(dialect: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    """A database in which there is a place for tables."""
    found = place_of(dialect, request, folder)
    if dialect == "postgresql":
        found.execute(f"CREATE SCHEMA {found.instance.config['schema']}")
    found.open()
    yield found
    found.close()


def mariadb_instance(url: str, folder: Path) -> Instance:
    """An integration of the database of a URL, which may hold user and password."""
    parts = urlsplit(url)
    login = Credentials("basic", {"username": parts.username or "root"}, {"password": Secret(parts.password or "")})
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return Instance("server", Spec(), Spec(), {"url": urlunsplit(plain)}, folder, login)


def mariadb_place(url: str, folder: Path) -> Place:
    """A database of its own at the server of a URL."""
    named = urlsplit(url)._replace(path=f"/t_{uuid4().hex[:12]}")
    place = Place(mariadb_instance(urlunsplit(named), folder))
    plain = urlsplit(place.url)
    with _mariadb(urlunsplit(plain._replace(path="")), place.login) as connection, connection.cursor() as cursor:
        # Of a character set that texts don't have, so that ours is seen to be asked for.
        cursor.execute(f"CREATE DATABASE {quoted(plain.path[1:])} CHARACTER SET latin1")
    return place


def sqlite_place(folder: Path) -> Place:
    """A database file in a folder that isn't there yet."""
    return Place(Instance("local", Spec(), Spec(), {"path": "data/warehouse.db"}, folder))


def duckdb_place(folder: Path) -> Place:
    """A database file in a folder that isn't there yet."""
    return Place(Instance("local", Spec(), Spec(), {"path": "data/warehouse.duckdb", "engine": "duckdb"}, folder))


def postgres_place(url: str, folder: Path) -> Place:
    """A schema of its own in the database of a URL, which isn't there yet."""
    parts = urlsplit(url)
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    login = Credentials(
        "basic", {"username": parts.username or "postgres"}, {"password": Secret(parts.password or "none")}
    )
    config = {"url": plain, "schema": f"t_{uuid4().hex[:12]}"}
    return Place(Instance("server", Spec(), Spec(), config, folder, login))


def schema_of(fields: dict[str, str], *key: str) -> Schema:
    """A schema from names and types as written in manifests."""
    return Schema(tuple(Field(name, DataType.parse(text)) for name, text in fields.items()), key)


def frame_of(schema: Schema, *rows: tuple) -> pl.DataFrame:
    """A frame of the schema's exact types."""
    return pl.DataFrame(list(rows), schema=target_frame_schema(schema), orient="row")


def target_of(schema: Schema, mode: WriteMode = "upsert", run: str = "run-1", **more: Any) -> Target:
    """A target named `orders` unless told otherwise."""
    return Target(**{"flow": FLOW, "run": run, "stream": "orders", "schema": schema, "mode": mode, **more})
