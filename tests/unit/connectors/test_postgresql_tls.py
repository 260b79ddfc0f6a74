"""How PostgreSQL's connections are secured, as a server sees it that speaks no TLS newer than 1.2."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from syncline.connectors.sql.postgresql_session import connect
from syncline.connectors.sql.settings import PostgresSettings
from syncline.model.errors import SynclineError
from syncline.state.open import open_reader
from tests.unit.sdk.test_http import certificate, server_context

if TYPE_CHECKING:
    from pathlib import Path


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
