"""Which database an integration means."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline.connectors.sql.settings import DuckdbSettings, MariadbSettings, PostgresSettings, SqliteSettings, settings
from syncline.model.errors import Invalid
from syncline.model.secret import Secret
from syncline.sdk.source import Credentials, Instance
from tests.contract.sql_places import Spec

URL = "postgresql://db.example:5432/warehouse?sslmode=verify-full"


def instance(config: dict, credentials: Credentials | None = None, root: Path = Path("/data")) -> Instance:
    return Instance("warehouse", Spec(), Spec(), config, root, credentials or Credentials())


def test_path_is_sqlite(tmp_path: Path):
    """A path is a SQLite file under the root."""
    found = settings(instance({"path": "a/b.db"}, root=tmp_path))

    assert found == SqliteSettings(tmp_path.resolve() / "a/b.db")


def test_a_path_of_duckdb(tmp_path: Path):
    """A path is a DuckDB file where the connector says so."""
    found = settings(instance({"path": "a/b.db", "engine": "duckdb"}, root=tmp_path))

    assert found == DuckdbSettings(tmp_path.resolve() / "a/b.db")


def test_url_is_postgresql():
    """A URL is a PostgreSQL server, with the schema `public` unless another is named, and its parameters kept."""
    assert settings(instance({"url": URL})) == PostgresSettings(URL, "public")
    assert settings(instance({"url": URL, "schema": "CRM"})) == PostgresSettings(URL, "CRM")


@pytest.mark.parametrize(
    ("config", "tls"),
    [
        ({"url": "mariadb://db.example/lake"}, True),
        ({"url": "mariadb://db.example/lake", "tls": "off"}, False),
        ({"url": "mariadb://127.0.0.1/lake"}, False),
        ({"url": "mariadb://localhost/lake", "tls": "verify"}, True),
    ],
)
def test_mariadb_over_tls(config: dict, tls: bool):
    """MariaDB on another machine is spoken to over TLS unless somebody says otherwise; on this one if asked to."""
    found = settings(instance(config))

    assert isinstance(found, MariadbSettings)
    assert (found.port, found.database, found.tls is not None) == (3306, "lake", tls)


@pytest.mark.parametrize("user", [{"settings": {"username": "etl"}}, {"secrets": {"username": Secret("etl")}}])
def test_credentials(user: dict):
    """User and password come from an AuthConfig of type basic; the user may be a secret as well."""
    secrets = {"password": Secret("pw"), **user.get("secrets", {})}
    found = settings(instance({"url": URL}, Credentials("basic", user.get("settings", {}), secrets)))

    assert found == PostgresSettings(URL, "public", "etl", Secret("pw"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "either `path`"),
        ({"path": "a.db", "url": URL}, "either `path`"),
        ({"path": ""}, "not the path"),
        ({"path": "."}, "leads out"),
        ({"path": "../other/a.db"}, "leads out"),
        ({"path": "/etc/passwd"}, "leads out"),
        ({"url": "mysql://db/x"}, "scheme 'mysql'"),
        ({"url": "mariadb://db"}, "not one of MariaDB"),
        ({"url": "mariadb://etl:geheim@db/x"}, "holds a user"),
        ({"url": "postgresql://etl:geheim@db/x"}, "holds a user"),
        ({"url": "postgresql://db/x?password=geheim"}, "holds a user"),
        ({"url": URL, "schema": "pg_catalog"}, "`schema`"),
        ({"url": URL, "schema": ""}, "`schema`"),
    ],
)
def test_refused(config: dict, message: str):
    """What can't be used is invalid, with a reason that doesn't repeat a password."""
    with pytest.raises(Invalid, match=message) as caught:
        settings(instance(config))

    assert caught.value.code == "SYN481"
    assert "geheim" not in str(caught.value)


def test_a_link_out_of_the_root(tmp_path: Path):
    """A symbolic link doesn't lead out of the root."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(Invalid, match="leads out"):
        settings(instance({"path": "link/a.db"}, root=root))


def test_bearer_is_refused():
    """A database can't use a token."""
    with pytest.raises(Invalid, match="type bearer"):
        settings(instance({"url": URL}, Credentials("bearer", {}, {"token": Secret("t")})))
