"""What only the PostgreSQL store promises: what it says when its server isn't there, refuses it or goes away."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from contextlib import closing, suppress
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from syncline.model.errors import Again, Stalled, Waiting
from syncline.model.key import ObjectKey
from syncline.state.open import open_reader, open_store
from tests import warm

KEY = ObjectKey("acme", "Sync", "orders")


@pytest.fixture
def schema() -> str:
    """A schema that no other test uses."""
    return f"s{uuid.uuid4().hex[:12]}"


def _with(url: str, *, user: str = "postgres:canary", port: int | None = None, path: str | None = None) -> str:
    parts = urlsplit(url)
    host = f"{user}@{parts.hostname}:{port or parts.port or 5432}"
    return urlunsplit(parts._replace(netloc=host, path=parts.path if path is None else path))


def test_nobody_listening_is_again():
    """A server that doesn't answer is worth another try; the message names the place without the password."""
    with pytest.raises(Again, match=r"postgresql://u:\*\*\*@127.0.0.1:1/db doesn't answer: .*refused") as caught:
        open_store("postgresql://u:canary@127.0.0.1:1/db")
    assert caught.value.code == "SYN615"
    assert "canary" not in caught.value.message


def test_a_state_is_found_at_the_one_of_several_hosts_that_answers(postgres_url, schema):
    """Each host has its port, as libpq takes them: where the first doesn't answer, the next one is asked."""
    parts = urlsplit(postgres_url)
    hosts = f"host={parts.hostname},{parts.hostname}&port=1,{parts.port or 5432}"
    several = urlunsplit(parts._replace(netloc=f"{parts.username or 'postgres'}@", query=hosts))
    with closing(open_store(several, schema=schema)) as store:
        store.put_cursor(KEY, "1")
    with closing(open_reader(postgres_url, schema=schema)) as reader:
        assert reader.cursor(KEY) == "1"


@pytest.mark.parametrize("opener", [open_store, open_reader])
def test_missing_database_or_role_is_stalled(postgres_url, opener):
    """A database or a role that doesn't exist needs a person."""
    for url in (_with(postgres_url, path="/no_such_db"), _with(postgres_url, user="nobody_here")):
        with pytest.raises(Stalled, match="can't be used: .*does not exist") as caught:
            opener(url)
        assert caught.value.code == "SYN614"


def test_missing_permission_is_stalled(postgres_url, schema):
    """A role that may not see the state is told so, as a reader and as a store."""
    open_store(postgres_url, schema=schema).close()
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"CREATE ROLE {schema} LOGIN")
        try:
            for opener in (open_reader, open_store):
                with pytest.raises(Stalled, match="permission denied") as caught:
                    opener(_with(postgres_url, user=schema), schema=schema)
                assert caught.value.code == "SYN614"
        finally:
            server.execute(f"DROP ROLE {schema}")


def test_lost_connections_are_made_anew(postgres_url, schema):
    """When the server drops its connections, one call fails as `Again` and the next works."""
    store = open_store(postgres_url, schema=schema)
    store.put_cursor(KEY, "1")
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = %s AND datname = current_database()",
            (f"syncline-state:{schema}",),
        )
    with pytest.raises(Again):
        store.put_cursor(KEY, "2")
    store.put_cursor(KEY, "3")
    assert store.cursor(KEY) == "3"
    store.close()


ELSEWHERE = """\
import socket, sys
socket.gethostname = lambda: "elsewhere"
from syncline.state.open import open_store
store = open_store(sys.argv[1], schema=sys.argv[2])
with store.lease("apply", ttl=60):
    print("held", flush=True)
    input()
"""


def test_a_holder_that_died_on_another_machine_is_followed_at_once(postgres_url, schema):
    """The server knows that a process ended, wherever it ran: its lease of ten minutes is free as soon as it does."""
    store = open_store(postgres_url, schema=schema)
    command = [sys.executable, "-c", ELSEWHERE, postgres_url, schema]
    with warm.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Waiting, match="^elsewhere:"), store.lease("apply"):
            pass
        other.kill()
        other.wait()
    end = time.monotonic() + 60
    while True:
        with suppress(Waiting), store.lease("apply") as lease:
            assert lease.token == 2
            break
        assert time.monotonic() < end
    store.close()


def test_a_presence_that_was_cut_is_made_anew(postgres_url, schema):
    """A holder whose connections were all cut is soon known to live again, and keeps its lease."""
    store, other = open_store(postgres_url, schema=schema), open_store(postgres_url, schema=schema)
    with store.lease("apply", ttl=60) as lease:
        with psycopg.connect(postgres_url, autocommit=True) as server:
            server.execute(
                "SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE l.locktype = 'advisory'"
                " AND (l.classid::bigint << 32) + l.objid::bigint = %s",
                [store._renewals.presence.session],
            )
        store._renewals.presence.ensure()
        with pytest.raises(Waiting), other.lease("apply"):
            pass
        store.begin_apply(lease, "1", "p", "r", [])
    store.close()
    other.close()


@pytest.mark.parametrize("name", ["user", "order", "_x9"])
def test_schema_may_be_a_reserved_word(postgres_url, name):
    """A schema is quoted everywhere; what is in one is not seen in another."""
    store = open_store(postgres_url, schema=name)
    store.put_cursor(KEY, name)
    assert open_store_cursor(postgres_url, name) == name
    store.close()


def test_reader_makes_no_schema(postgres_url, schema):
    """A reader before the first apply leaves the database without our schema."""
    open_reader(postgres_url, schema=schema).close()
    with psycopg.connect(postgres_url) as server:
        assert server.execute("SELECT to_regnamespace(%s)", [schema]).fetchone() == (None,)


def open_store_cursor(url: str, schema: str) -> str | None:
    """The cursor as a reader sees it."""
    reader = open_reader(url, schema=schema)
    try:
        return reader.cursor(KEY)
    finally:
        reader.close()
