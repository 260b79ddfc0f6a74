"""One rule for every connection: TLS 1.3, and 1.2 only where that is declared. Against real servers that speak only 1.2."""

from __future__ import annotations

import re
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from syncline.connectors.smtp.session import session
from syncline.connectors.sql.mariadb.session import connect
from syncline.connectors.sql.runtime import check
from syncline.connectors.sql.settings import MariadbSettings
from syncline.daemon.git.access import Access
from syncline.daemon.git.source import GitSource, SourceRepository
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.catalog import catalog
from syncline.model.errors import Stalled, SynclineError
from syncline.model.secret import Secret
from syncline.model.tls import Oldest
from syncline.sdk.clients import Network
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request, Tls, TransportError
from syncline.sdk.source import Credentials, Instance
from syncline.state.open import open_reader
from syncline.state.redis_budgets import open_redis
from tests.mail_server import mail_server
from tests.peers.pki import Authority, Certificate
from tests.tls_1_2 import mariadb_1_2, old, postgresql_known_by_certificate, postgresql_without_tls, redis_1_2, web_1_2

ENGINE = Path(__file__).parents[2] / "engine" / "syncline"
LOCAL = Egress(private=("127.0.0.0/8",), literals=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("localhost")


def test_mariadb(authority: Authority, certificate: Certificate, tmp_path: Path):
    """A MariaDB server with nothing newer than TLS 1.2 is refused, with what to declare; declared, it is spoken to."""

    def settings(tls_min: Oldest) -> MariadbSettings:
        tls = Tls(tls_min, authority.ca.read_text())
        return MariadbSettings("localhost", port, "lake", "old", Secret("geheim"), tls)

    with mariadb_1_2(tmp_path, certificate) as port:
        with pytest.raises(Stalled, match="SSL") as caught:
            connect(settings("1.3"))
        with closing(connect(settings("1.2"))) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
            row = cursor.fetchone()

    assert caught.value.code == "SYN482"
    assert 'tls: {min: "1.2"}' in caught.value.help
    assert row == ("Ssl_version", "TLSv1.2")


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that PostgreSQL may look into, whoever it runs as."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


#: This machine by an address that isn't taken for its own, so that it stands for another one.
ELSEWHERE = "0.0.0.0"  # noqa: S104 - it is connected to, not bound


def _warehouse(url: str) -> str:
    """Looks at a warehouse; the version of TLS that it was spoken to by."""
    key = max(k for k in catalog() if (k.kind, k.base) == ("Connector", "postgresql"))
    spec = IntegrationSpec.model_validate({"connector": "postgresql"})
    login = Credentials("basic", {"username": "reader"})
    reached = check(Instance("lake", catalog()[key].spec, spec, {"url": url}, Path(), login))
    return reached.tls.version if reached.tls is not None else ""


def _state(url: str) -> None:
    open_reader(url.replace("://", "://reader@")).close()


def test_postgresql_without_tls(readable: Path):
    """
    PostgreSQL on another machine that has no TLS is refused, as warehouse and as state, with what to declare; declared,
    it is spoken to in the clear. On this machine nothing needs to be declared.
    """
    with postgresql_without_tls(readable) as port:
        there = f"postgresql://{ELSEWHERE}:{port}/postgres"
        with pytest.raises(Stalled, match="not support SSL") as warehouse:
            _warehouse(there)
        with pytest.raises(Stalled, match="not support SSL") as state:
            _state(there)
        for url in (f"{there}?sslmode=disable", f"postgresql://127.0.0.1:{port}/postgres"):
            assert _warehouse(url) == ""
            _state(url)

    assert (warehouse.value.code, state.value.code) == ("SYN482", "SYN614")
    for error in (warehouse.value, state.value):
        assert "?sslmode=disable" in error.help


def test_postgresql_is_verified(authority: Authority, certificate: Certificate, readable: Path):
    """PostgreSQL on another machine is spoken to only if its certificate is by a known authority, and has its name."""
    reader = authority.issue("reader")
    reader.key.chmod(0o600)
    ours = f"hostaddr={ELSEWHERE}&sslcert={reader.certificate}&sslkey={reader.key}"
    with postgresql_known_by_certificate(readable, certificate, authority.ca) as port:
        server = f"postgresql://localhost:{port}/postgres?{ours}"
        known = f"{server}&sslrootcert={authority.ca}"
        for url, said in ((server, "certificate verify failed"), (known.replace("localhost", ELSEWHERE), "match")):
            with pytest.raises(Stalled, match=said) as warehouse:
                _warehouse(url)
            with pytest.raises(Stalled, match=said) as state:
                _state(url)
            assert "ca: FILE" in warehouse.value.help
            assert "sslrootcert=FILE" in state.value.help
        assert _warehouse(known) == "TLSv1.3"
        _state(known)


def _mail(root: Path, port: int, tls: str, **more: str) -> Instance:
    key = max(k for k in catalog() if (k.kind, k.base) == ("Connector", "smtp"))
    config: dict[str, Any] = {"host": "localhost", "port": port, "tls": tls, "from": "a@example.com"}
    spec = IntegrationSpec.model_validate({"connector": "smtp", "tls": {"ca": "ca.crt", **more}})
    return Instance("mail", catalog()[key].spec, spec, config, root, network=Network(egress=LOCAL))


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail(authority: Authority, certificate: Certificate, tls: str):
    """A mail server likewise, by STARTTLS and from the start; nothing was handed over to the one that is refused."""
    with mail_server(certificate, implicit=tls == "implicit", context=old(certificate)) as server:
        with (
            pytest.raises(Stalled, match="no TLS: ") as caught,
            session(_mail(authority.ca.parent, server.port, tls)),
        ):
            pass
        with session(_mail(authority.ca.parent, server.port, tls, min="1.2")) as smtp:
            assert isinstance(smtp.sock, ssl.SSLSocket)
            assert smtp.sock.version() == "TLSv1.2"

    assert caught.value.code == "SYN736"
    assert 'tls: {min: "1.2"}' in caught.value.help


def test_redis(authority: Authority, certificate: Certificate, tmp_path: Path):
    """A Redis server likewise; the library's own word for an older version counts for nothing."""
    with redis_1_2(tmp_path, certificate) as port:
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={authority.ca}"
        for refused in (url, f"{url}&ssl_min_version=771"):
            with closing(open_redis(refused)) as budgets, pytest.raises(Stalled, match="TLS 1.3") as caught:
                budgets.reserve("x", 5, 1.0, want=1, lease=1.0)
            assert "tlsMin=1.2" in caught.value.help
        with closing(open_redis(f"{url}&tlsMin=1.2")) as budgets:
            assert budgets.reserve("x", 5, 1.0, want=1, lease=1.0).count == 1


def test_the_web(authority: Authority, certificate: Certificate):
    """
    OpenSSL's server, through the transport that APIs, files of S3 and the web, queues, Vault, AWS, witnesses and
    webhooks that tell are all reached by.
    """

    def asked(tls: Tls) -> int:
        transport = HttpTransport(SystemClock(), 1 << 20, egress=LOCAL, tls=tls)
        with closing(transport):
            return transport.send(Request("GET", f"https://localhost:{port}/"), timeout=10).status

    ca = authority.ca.read_text()
    with web_1_2(certificate) as port:
        with pytest.raises(TransportError, match="TLS 1.3") as caught:
            asked(Tls(ca=ca))
        assert asked(Tls("1.2", ca)) == 200

    assert caught.value.code == "SYN468"


def test_git(authority: Authority, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """
    Git is told the same: it speaks to such a server only with its own variable, and with that it gets as far as to
    find no repository there. Another value of the variable counts for nothing. The server's authority is known by
    another variable of Git's.
    """
    monkeypatch.setenv("GIT_SSL_CAINFO", str(authority.ca))

    def fetched() -> SynclineError:
        source = GitSource(f"https://localhost:{port}/config.git")
        with pytest.raises(SynclineError) as caught:
            SourceRepository(source, tmp_path / "home", Access()).head()
        return caught.value

    with web_1_2(certificate) as port:
        plain = fetched()
        monkeypatch.setenv("GIT_SSL_VERSION", "tlsv1.0")
        older = fetched()
        monkeypatch.setenv("GIT_SSL_VERSION", "tlsv1.2")
        declared = fetched()
        monkeypatch.delenv("GIT_SSL_CAINFO")
        unknown = fetched()

    assert (plain.code, older.code) == ("SYN667", "SYN667")
    assert "GIT_SSL_VERSION=tlsv1.2" in plain.help
    assert "TLS" not in declared.message
    assert declared.code == "SYN661"
    assert unknown.code == "SYN667"
    assert "GIT_SSL_CAINFO" in unknown.help


def test_no_other_place_says_a_version():
    """Nothing but the rule, and what hands it on to OpenSSL, names a version or makes a context: who connects asks them."""
    made = re.compile(r"SSLContext\(|create_default_context\(|TLSVersion\.|_create_unverified|CERT_NONE|check_hostname")
    found = {str(path.relative_to(ENGINE)) for path in ENGINE.rglob("*.py") if made.search(path.read_text())}

    assert found == {"sdk/http/tls.py", "state/redis_budgets.py", "daemon/http/tls.py"}
