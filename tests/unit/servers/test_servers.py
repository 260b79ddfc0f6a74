"""The helpers that give tests a real server are themselves tested against real servers."""

from __future__ import annotations

import psycopg
import pytest

from tests import servers

NOBODY_LISTENS = "postgresql://postgres@127.0.0.1:9/postgres"


def test_database_is_own_and_empty(postgres_url):
    """Every test process works in an empty database of its own."""
    with psycopg.connect(postgres_url) as connection:
        name = connection.execute("SELECT current_database()").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()[0]

    assert name.startswith("syncline_test_")
    assert tables == 0


def test_database_is_dropped_under_open_connections(postgres_server_url):
    """A database is dropped at the end although a test left a connection open."""
    with servers.postgres_database(postgres_server_url) as url:
        left_open = psycopg.connect(url)

    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)
    left_open.close()


def test_own_server_starts_where_none_answers(monkeypatch, tmp_path):
    """Where nothing answers at the usual port, a server of our own does, and gives out databases alike."""
    monkeypatch.delenv("SYNCLINE_TEST_POSTGRES", raising=False)
    monkeypatch.setattr(servers, "POSTGRES_USUAL", NOBODY_LISTENS)

    with (
        servers.postgres_server(tmp_path) as server,
        servers.postgres_database(server) as url,
        psycopg.connect(url) as connection,
    ):
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_missing_server_skips_with_its_reason(monkeypatch, tmp_path):
    """A chosen server that doesn't answer skips the test and says which variable chose it."""
    monkeypatch.setenv("SYNCLINE_TEST_POSTGRES", NOBODY_LISTENS)
    monkeypatch.delenv("SYNCLINE_TEST_REQUIRE", raising=False)

    with (
        pytest.raises(pytest.skip.Exception, match="SYNCLINE_TEST_POSTGRES doesn't answer"),
        servers.postgres_server(tmp_path),
    ):
        pass


def test_required_server_fails_instead(monkeypatch, tmp_path):
    """What SYNCLINE_TEST_REQUIRE lists fails the test when it is missing."""
    monkeypatch.setenv("SYNCLINE_TEST_POSTGRES", NOBODY_LISTENS)
    monkeypatch.setenv("SYNCLINE_TEST_REQUIRE", "shared, postgres")

    with (
        pytest.raises(pytest.fail.Exception, match="required by SYNCLINE_TEST_REQUIRE"),
        servers.postgres_server(tmp_path),
    ):
        pass
