"""Logins to a database that a real server of Vault's API makes for us: kept alive, followed by others, given back."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from syncline.model.errors import Invalid, Stalled
from syncline.secrets.contract import Context, Reference, Sessions
from syncline.secrets.provider import resolve, until, writer
from tests import repository
from tests.e2e.api import syncline
from tests.e2e.house import SQLITE, TENANT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.systems.openbao import OpenBao

FLOW = "acme/Sync/orders"
MANIFESTS = """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: shop, tenant: acme}
spec:
  type: basic
  username: {secretRef: {provider: vault-dynamic, key: database/creds/ROLE, path: username}}
  password: {secretRef: {provider: vault-dynamic, key: database/creds/ROLE, path: password}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: shop, tenant: acme}
spec:
  connector: postgresql@^1
  auth: shop
  config: {url: "URL"}
  tables: {orders: {table: orders, key: [id]}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: order, tenant: acme}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer, required: true}
  - {to: buyer, from: buyer}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec:
  SQLITE
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: orders, tenant: acme}
spec: {from: shop/orders, mapping: order, to: warehouse/orders, read: full, write: upsert}
"""


def users(database: str, role: str) -> set[str]:
    """The logins that there are in the database which were made for a role of the engine."""
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", [f"v-%-{role}-%"]).fetchall()
    return {name for (name,) in found}


def gone(database: str, role: str, seconds: float = 10) -> bool:
    """Whether no login of a role is left, after the little while in which a server revokes what hung on a token."""
    end = time.monotonic() + seconds
    while users(database, role) and time.monotonic() < end:
        time.sleep(0.1)
    return not users(database, role)


def login(where: Context, role: str) -> tuple[str, str]:
    """User and password, asked for one after the other."""
    user, password = (resolve(Reference("vault-dynamic", f"database/creds/{role}", p), where) for p in FIELDS)
    return user.reveal(), password.reveal()


FIELDS = ("username", "password")


def test_a_login_is_made_once_and_given_back(openbao: OpenBao, postgres_url: str, tmp_path: Path):
    """Both its fields are of one login, which is another for another tenant; with the sessions all of them are gone."""
    openbao.logins(postgres_url, "once", default_ttl="60s", max_ttl="300s")
    environ = openbao.role("leases-once")
    before = openbao.tokens()
    with closing(Sessions()) as sessions:
        acme, beta = (Context(tmp_path, environ, tenant, sessions=sessions) for tenant in ("acme", "beta"))
        first = login(acme, "once")
        assert login(acme, "once") == first
        assert login(beta, "once")[0] != first[0]
        assert len(users(postgres_url, "once")) == 2
        assert first[0] in users(postgres_url, "once")
        found = until(Reference("vault-dynamic", "database/creds/once", "password"), acme)
        assert found is not None
        assert 50 < found.ends.timestamp() - time.time() < 61
        assert found.renewable

    assert gone(postgres_url, "once")
    assert openbao.tokens() <= before


def test_a_login_is_renewed_while_it_is_used(openbao: OpenBao, postgres_url: str, tmp_path: Path):
    """Nobody asks for it again, as in a long run, and it is there for longer than it was made for, as is the token."""
    openbao.logins(postgres_url, "long", default_ttl="4s", max_ttl="60s")
    with closing(Sessions()) as sessions:
        where = Context(tmp_path, openbao.role("leases-long", token_ttl="5s"), "acme", sessions=sessions)
        user, _ = login(where, "long")
        time.sleep(9)
        assert users(postgres_url, "long") == {user}
        assert login(where, "long")[0] == user


def test_a_login_at_its_longest_time_is_followed_by_another(openbao: OpenBao, postgres_url: str, tmp_path: Path):
    """Who asks in its last part is given another, user and password of one; who has half of one is given its rest."""
    openbao.logins(postgres_url, "short", default_ttl="4s", max_ttl="4s")
    place = "database/creds/short"
    with closing(Sessions()) as sessions:
        where = Context(tmp_path, openbao.role("leases-short"), "acme", sessions=sessions)
        first = login(where, "short")
        half = resolve(Reference("vault-dynamic", place, "username"), where).reveal()
        time.sleep(3.2)
        rest = resolve(Reference("vault-dynamic", place, "password"), where).reveal()
        second = login(where, "short")

        assert (half, rest) == first
        assert second[0] != first[0]
        assert second[1] != first[1]
        assert second[0] in users(postgres_url, "short")


def test_a_login_goes_with_its_token(openbao: OpenBao, postgres_url: str, tmp_path: Path):
    """Where the token reached its longest time, what was leased with it ends with it; who asks then is given another."""
    openbao.logins(postgres_url, "token", default_ttl="60s", max_ttl="60s")
    with closing(Sessions()) as sessions:
        environ = openbao.role("leases-token", token_ttl="4s", token_max_ttl="4s")
        where = Context(tmp_path, environ, "acme", sessions=sessions)
        first, _ = login(where, "token")
        time.sleep(3.2)
        second, _ = login(where, "token")
        assert second != first
        assert second in users(postgres_url, "token")


def test_with_a_token_that_was_given_the_login_is_given_back(openbao: OpenBao, postgres_url: str, tmp_path: Path):
    """The token stays, and the login goes where its policy lets us revoke leases."""
    openbao.logins(postgres_url, "given", default_ttl="60s")
    policy = 'path "sys/leases/revoke" { capabilities = ["update"] }'
    openbao.ask("POST", "sys/policies/acl/revoker", {"policy": policy})
    environ, token = openbao.token_for(ttl="60s", policies=["syncline", "revoker"])
    with closing(Sessions()) as sessions:
        login(Context(tmp_path, environ, "acme", sessions=sessions), "given")
        assert len(users(postgres_url, "given")) == 1

    assert users(postgres_url, "given") == set()
    assert openbao.ask("POST", "auth/token/lookup", {"token": token})["data"]["ttl"] > 0


def test_what_cannot_be_had_says_why(openbao: OpenBao, postgres_url: str, tmp_path: Path):
    """A role that isn't there, a field that isn't, a secret that nothing leases, a reference to no field, a write."""
    openbao.logins(postgres_url, "there", default_ttl="60s")
    openbao.ask("POST", "secret/data/acme/kv", {"data": {"a": "1"}})
    with closing(Sessions()) as sessions:
        where = Context(tmp_path, openbao.role("leases-errors"), "acme", sessions=sessions)
        for key, field, code in (
            ("database/creds/nothing", "password", "SYN822"),
            ("database/creds/there", "passwort", "SYN801"),
            ("secret/data/acme/kv", "a", "SYN822"),
        ):
            with pytest.raises(Stalled) as caught:
                resolve(Reference("vault-dynamic", key, field), where)
            assert caught.value.code == code
        with pytest.raises(Invalid, match="which field"):
            resolve(Reference("vault-dynamic", "database/creds/there"), where)
        with pytest.raises(Invalid, match="written"):
            writer(Reference("vault-dynamic", "database/creds/there", "password"), where)


def test_a_run_reads_a_database_with_a_login_of_its_own(openbao: OpenBao, postgres_url: str, tmp_path: Path):
    """From plan to run through the command line; `secrets check` says when a login would end; none is left of either."""
    openbao.logins(postgres_url, "run", default_ttl="60s", max_ttl="300s")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id integer PRIMARY KEY, buyer text)")
        connection.execute("INSERT INTO orders VALUES (1, 'Ada'), (2, 'Grace')")
    at = urlsplit(postgres_url)
    url = f"postgresql://{at.hostname}:{at.port or 5432}{at.path}?sslmode=disable"
    texts = MANIFESTS.replace("ROLE", "run").replace("URL", url).replace("SQLITE", SQLITE)
    repository.write(tmp_path, {"tenant.yaml": TENANT, "flow.yaml": texts})
    environ = openbao.role("leases-run")
    before = openbao.tokens()

    applied = syncline(tmp_path, "apply", "--yes", extra=environ)
    looked = syncline(tmp_path, "secrets", "check", "--output", "json", extra=environ)
    said = syncline(tmp_path, "secrets", "check", extra=environ)
    ran = syncline(tmp_path, "run", FLOW, extra=environ)

    assert [one.returncode for one in (applied, looked, said, ran)] == [0, 0, 0, 0], ran.stdout + ran.stderr
    assert all(one["ok"] and one["expires"].startswith("20") for one in json.loads(looked.stdout))
    assert said.stdout.count("made for us until 20") == 2
    assert ", renewable" in said.stdout
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as warehouse:
        assert warehouse.execute("SELECT id, buyer FROM orders ORDER BY id").fetchall() == [(1, "Ada"), (2, "Grace")]
    assert gone(postgres_url, "run")
    assert openbao.tokens() <= before
