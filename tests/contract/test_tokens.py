"""Tokens in the state: one renewal for any number of threads and processes, on both databases; sealed; never lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from syncline.model.errors import Again, Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth.authenticator import GRACE, Authenticator
from syncline.sdk.auth.tokens import Token
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Request
from syncline.state import tables
from syncline.state.open import open_store
from tests import warm
from tests.contract.token_server import FIRST, rotating, scheme, token_of, vault_at
from tests.servers import postgres_database

ROOT = Path(__file__).parents[2]

#: Seconds for which the clients of `token_server` claim a token: the time that the server is given, and the grace.
CLAIMED = 20.0 + GRACE


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """The URL of an empty state, and a folder for keys."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state.db'}", tmp_path / "keys"
        return
    with postgres_database(request.getfixturevalue("postgres_server_url")) as url:
        yield url, tmp_path / "keys"


def process(place, url, threads):
    command = [sys.executable, "-m", "tests.contract.token_server", place[0], str(place[1]), url, str(threads)]
    return warm.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_hundred_threads_renew_once(place):
    """Of a hundred clients that need a token at the same moment one asks the server; all get its token."""
    with rotating() as (server, api), vault_at(*place) as vault, ThreadPoolExecutor(100) as pool:
        ready = threading.Barrier(100)

        def one(_):
            ready.wait()
            return token_of(vault, api.url)

        found = set(pool.map(one, range(100)))

    assert found == {"canary-access-1"}
    assert (server.renewals, server.reused, server.most_at_once) == (1, 0, 1)


def test_processes_renew_once(place):
    """Of several processes with many threads each one asks the server; no refresh token is used twice."""
    with closing(open_store(place[0])):
        pass
    with rotating(0.5) as (server, api):
        running = [process(place, api.url, 10) for _ in range(3)]
        ended = [(p.communicate(timeout=300), p.returncode) for p in running]

    assert [code for _, code in ended] == [0, 0, 0], [error for (_, error), _ in ended]
    assert {line for (out, _), _ in ended for line in out.split()} == {"canary-access-1"}
    assert (server.renewals, server.reused, server.most_at_once) == (1, 0, 1)


def test_a_process_that_dies_while_renewing_holds_nobody_up(place):
    """The claim of a process that was killed is taken over before its time is over: its own machine knows that it died."""
    with closing(open_store(place[0])):
        pass
    with rotating(600.0) as (server, api):
        killed = process(place, api.url, 1)
        while not server.at_once and killed.poll() is None:
            time.sleep(0.01)
        killed.kill()
        killed.communicate(timeout=120)
        assert server.at_once == 1
        server.delay = 0.0
        began = time.monotonic()
        with vault_at(*place) as vault:
            assert token_of(vault, api.url, timeout=120.0) == "canary-access-1"

    assert time.monotonic() - began < CLAIMED


def test_the_claim_of_another_machine_runs_out(place):
    """A claim whose process can't be looked at ends by the database's clock: not before its time, and soon after it."""
    with rotating(0.0) as (_, api), vault_at(*place) as vault:
        made = scheme(api.url)
        tokens = vault.tokens("acme", "crm", made.basis)
        began = time.monotonic()
        assert tokens.claim(0, 4.0)
        with closing(open_store(place[0])) as store, store._database.write() as connection:
            connection.execute(update(tables.tokens).values(process="elsewhere 1 - - 0"))
        assert not tokens.claim(0, 4.0) or time.monotonic() - began > 3.0
        assert token_of(vault, api.url) == "canary-access-1"

    assert 3.0 < time.monotonic() - began < 60.0


def test_all_renewals_in_turn_use_each_token_once(place):
    """Renewed again and again by several clients, each refresh token is used once, and none is lost."""
    with rotating(0.0) as (server, api), vault_at(*place) as vault:
        made = scheme(api.url)
        clients = [
            Authenticator(made, SystemClock(), _Direct(server), vault.tokens("acme", "crm", made.basis))
            for _ in range(4)
        ]
        refused = _response(401)
        for _ in range(5):
            for client in clients:
                signed = client.apply(Request("GET", f"{api.url}/items"))
                assert client.renew(signed.version, refused)
        assert vault.tokens("acme", "crm", made.basis).read().token.refresh.reveal() == server.current

    assert server.reused == 0
    assert server.renewals <= 21


def test_a_reused_token_ends_in_a_login(place):
    """Where the server has ended the family, a person is told what to do, and no token is in the message."""
    with rotating(0.0) as (server, api), vault_at(*place) as vault:
        server.current = "somebody-else-used-it"
        with pytest.raises(Stalled) as caught:
            token_of(vault, api.url)
        assert caught.value.code == "SYN442"


def test_a_slow_server_has_a_deadline(place):
    """A token endpoint that doesn't answer in time is an error that may pass, for all who wait; nobody waits for it."""
    with rotating(600.0) as (server, api), vault_at(*place) as vault, ThreadPoolExecutor(5) as pool:
        began = time.monotonic()
        futures = [pool.submit(token_of, vault, api.url, 0.3) for _ in range(5)]
        errors = [future.exception() for future in futures]
        waited = time.monotonic() - began
        server.delay = 0.0

    assert all(isinstance(error, Again) for error in errors)
    assert waited < 120.0


def test_tokens_are_sealed_at_rest(place):
    """The state holds a token only encrypted, bound to its tenant, name and purpose."""
    with rotating(0.0) as (_, api), vault_at(*place) as vault:
        token_of(vault, api.url)
        with vault.state() as store:
            found = store.tokens()
        assert len(found) == 1
        for canary in (b"canary-access-1", b"canary-refresh-1", FIRST.encode()):
            assert canary not in (found[0].sealed or b"")
        moved = vault.sealed("acme", "other", found[0].key.basis)
        with vault.state() as store:
            assert store.claim_token(moved.key, 0, 1.0)
            assert store.swap_token(moved.key, 0, found[0].sealed, 0.0)
        with pytest.raises(Stalled, match="changed, or belongs elsewhere"):
            moved.read()


def test_a_first_token_needs_no_claim(place):
    """A login stores its token in a state that never had one, and over one that is there."""
    with vault_at(*place) as vault:
        tokens = vault.tokens("acme", "crm", "basis")
        assert tokens.swap(0, Token(Secret("first")))
        assert tokens.swap(1, Token(Secret("second")))
        assert tokens.read().token.access.reveal() == "second"
        assert not tokens.swap(0, Token(Secret("late")))


def test_who_is_late_changes_nothing(place):
    """A writer whose version was replaced meanwhile is refused, and what is there stays."""
    with vault_at(*place) as vault:
        tokens = vault.tokens("acme", "crm", "basis")
        assert tokens.claim(0, 10.0)
        assert tokens.swap(0, Token(Secret("first")))
        assert not tokens.swap(0, Token(Secret("late")))
        assert not tokens.claim(0, 10.0)
        assert tokens.read().token.access.reveal() == "first"
        assert tokens.forget(1)
        assert (tokens.read().version, tokens.read().token) == (2, None)


class _Direct:
    """Sends to the server's function, past the network."""

    def __init__(self, server):
        self.server = server

    def ahead(self, request, timeout):
        pass

    def close(self):
        pass

    def send(self, request, timeout):
        import json

        from syncline.sdk.http import Response
        from tests.api_server import Asked

        reply = self.server(Asked(request.method, "/token", {}, {}, request.body))
        return Response(reply.status, {}, json.dumps(reply.body).encode())


def _response(status):
    from syncline.sdk.http import Response

    return Response(status, {}, b"")
