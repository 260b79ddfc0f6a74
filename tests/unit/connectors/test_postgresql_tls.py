"""How PostgreSQL's connections are secured, as a server sees it that speaks no TLS newer than 1.2."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from syncline.connectors.sql.postgresql.session import connect
from syncline.connectors.sql.settings import PostgresSettings
from syncline.model.errors import SynclineError
from syncline.state.libpq import secured
from syncline.state.open import open_reader
from tests.unit.sdk.test_http import certificate, server_context

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGSSLMODE", "PGSSLROOTCERT", "PGHOST", "PGHOSTADDR", "PGSSLMINPROTOCOLVERSION"):
        monkeypatch.delenv(name, raising=False)


VERSION = {"ssl_min_protocol_version": "TLSv1.3"}
VERIFIED = {"sslmode": "verify-full", "sslrootcert": ssl.get_default_verify_paths().cafile or "system", **VERSION}
NO_FILE = {name: value for name, value in VERIFIED.items() if name != "sslrootcert"}


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("db.example.com/lake", VERIFIED),
        ("192.0.2.1:5433/lake", VERIFIED),
        ("[2001:db8::1]/lake", VERIFIED),
        ("/lake?host=db.example.com", VERIFIED),
        ("localhost/lake?hostaddr=192.0.2.1", VERIFIED),
        ("localhost,db.example.com/lake", VERIFIED),
        ("db.example.com/lake?sslrootcert=ca.pem", NO_FILE),
        ("db.example.com/lake?sslrootcert=ca.pem&ssl_min_protocol_version=TLSv1.2", {"sslmode": "verify-full"}),
        ("db.example.com/lake?sslmode=verify-full", VERSION),
        ("db.example.com/lake?sslmode=require", VERSION),
        *((f"db.example.com/lake?sslmode={mode}", {}) for mode in ("disable", "allow", "prefer")),
        *((f"{host}/lake", {}) for host in ("", "localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.2", "[::1]")),
        ("/lake?host=/run/postgresql", {}),
        ("db.example.com/lake?hostaddr=127.0.0.1", {}),
    ],
)
def test_another_machine_is_asked_for_tls(url: str, asked: dict[str, str]):
    """Without a mode in its URL another machine is asked for verified TLS 1.3; what the URL says counts, and this machine may go without."""
    assert secured(f"postgresql://{url}") == asked


def test_the_environment_counts(monkeypatch: pytest.MonkeyPatch):
    """What libpq's variables say counts as if it were in the URL, the machine included."""
    monkeypatch.setenv("PGHOST", "db.example.com")
    assert secured("postgresql:///lake") == VERIFIED
    monkeypatch.setenv("PGSSLROOTCERT", "ca.pem")
    assert secured("postgresql:///lake") == NO_FILE
    monkeypatch.setenv("PGSSLMODE", "disable")
    assert secured("postgresql:///lake") == {}


@pytest.mark.parametrize(
    ("query", "spoken"),
    [("sslmode=require", []), ("sslmode=require&ssl_min_protocol_version=TLSv1.2", ["TLSv1.2"])],
)
@pytest.mark.parametrize("what", ["warehouse", "state"])
def test_tls_1_2_must_be_declared(tmp_path: Path, query: str, spoken: list[str], what: str):
    """Where TLS is demanded, 1.3 is, unless the URL says that an older one is enough; the error says how to say so."""
    context = server_context(certificate(tmp_path))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    seen: list[str | None] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(8)  # SSLRequest
                peer.sendall(b"S")
                try:
                    with context.wrap_socket(peer, server_side=True) as secured:
                        seen.append(secured.version())
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"postgresql://127.0.0.1:{server.getsockname()[1]}/lake?{query}"
        opened = open_reader if what == "state" else lambda url: connect(PostgresSettings(url, "public"))
        with pytest.raises(SynclineError) as caught:
            opened(url)
        thread.join()

    assert seen == spoken
    if what == "warehouse" and not spoken:
        assert "ssl_min_protocol_version=TLSv1.2" in caught.value.help
