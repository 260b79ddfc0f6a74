"""HTTPS where the daemon listens: spoken to by real clients, with certificates of an authority of the tests."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection

import pytest

from syncline.daemon.http import listening as module
from syncline.daemon.http.listening import Reply, listening
from syncline.daemon.http.tls import ServerTls
from syncline.model.errors import Invalid
from tests.peers.pki import Authority, Certificate


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def files(authority, tmp_path):
    """A certificate and its key, in files of their own that the daemon is given."""
    found = Certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    renew(authority, found)
    return found


def renew(authority, files, **holds):
    """Replaces both files, as an ACME client does; what the new certificate is, as DER."""
    issued = authority.issue("localhost", **holds)
    issued.key.chmod(0o600)
    shutil.move(issued.key, files.key)
    shutil.move(issued.certificate, files.certificate)
    return ssl.PEM_cert_to_DER_cert(files.certificate.read_text())


def echo(asked):
    return Reply(200, {"path": asked.path, "body": asked.body.decode()})


def over(files, said):
    return listening(("127.0.0.1", 0), echo, max_body=100, tls=ServerTls(files.certificate, files.key, said.append))


def shown(authority, port):
    """The certificate that is shown to a client that verifies it, as DER."""
    with (
        socket.create_connection(("localhost", port), timeout=30) as way,
        authority.context().wrap_socket(way, server_hostname="localhost") as secured,
    ):
        return secured.getpeercert(binary_form=True)


def asked(authority, port):
    connection = HTTPSConnection("localhost", port, timeout=30, context=authority.context())
    with closing(connection):
        connection.request("POST", "/hook", body=b"hello")
        return connection.getresponse().read()


def test_a_client_that_verifies_the_certificate_is_answered(authority, files):
    """Over TLS 1.3 and 1.2 and nothing older, also where the whole answer is read to the end of the connection."""
    with over(files, []) as port:
        assert asked(authority, port) == b'{"path": "/hook", "body": "hello"}'
        for version in ("1.2", "1.3"):
            command = ["curl", "-sS", "--tls-max", version, "--tlsv1.2", "--cacert", str(authority.ca)]
            said = subprocess.run([*command, f"https://localhost:{port}/healthz"], capture_output=True, check=True)
            assert said.stdout == b'{"path": "/healthz", "body": ""}'
        command = ["openssl", "s_client", "-connect", f"localhost:{port}", "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"]
        old = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert (old.returncode, b"alert protocol version" in old.stderr) == (1, True)
        way = socket.create_connection(("localhost", port), timeout=30)
        with authority.context().wrap_socket(way, server_hostname="localhost", suppress_ragged_eofs=False) as secured:
            secured.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while more := secured.recv(4096):  # raises where the end isn't said
                answer += more
            assert answer.endswith(b'"body": ""}')


def test_plain_http_is_refused(files):
    """A request in the clear is answered with nothing that it could read."""
    with over(files, []) as port:
        connection = HTTPConnection("localhost", port, timeout=30)
        with closing(connection):
            connection.request("GET", "/healthz")
            with pytest.raises((HTTPException, OSError)):
                connection.getresponse()


def test_a_renewed_certificate_is_shown_without_a_restart(authority, files):
    """Files that are replaced count for the next connection; a pair that doesn't belong together, not before it does."""
    said: list[str] = []
    before = ssl.PEM_cert_to_DER_cert(files.certificate.read_text())
    with over(files, said) as port:
        assert shown(authority, port) == before
        now = renew(authority, files)
        assert shown(authority, port) == now != before
        assert said == [f"the certificate in {files.certificate} was read again"]

        key = files.key.read_bytes()
        issued = authority.issue("localhost")
        shutil.copy(issued.certificate, files.certificate)  # its key isn't written yet
        assert [shown(authority, port) for _ in range(2)] == [now, now]
        assert len(said) == 2
        assert "isn't that of the certificate" in said[1]
        files.key.write_bytes(issued.key.read_bytes())
        assert shown(authority, port) == ssl.PEM_cert_to_DER_cert(files.certificate.read_text())
        files.key.unlink()
        assert asked(authority, port)
        assert "can't be read" in said[-1]
        assert key.decode() not in "".join(said)


def test_a_secret_of_kubernetes_that_is_renewed_is_shown(authority, tmp_path):
    """Files that are links into a folder, which another takes the place of at once, are read again together."""

    def mounted(name):
        (tmp_path / name).mkdir()
        pair = Certificate(tmp_path / name / "tls.crt", tmp_path / name / "tls.key")
        now = renew(authority, pair)
        (tmp_path / "..new").symlink_to(name)
        (tmp_path / "..new").replace(tmp_path / "..data")
        return now

    before = mounted("..first")
    files = Certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    for path in (files.certificate, files.key):
        path.symlink_to(f"..data/{path.name}")
    said: list[str] = []
    with over(files, said) as port:
        assert shown(authority, port) == before
        now = mounted("..second")
        assert [shown(authority, port) for _ in range(2)] == [now, now]
    assert said == [f"the certificate in {files.certificate} was read again"]


def test_what_cannot_be_shown_is_refused_at_the_start(authority, files, tmp_path):
    """A key of another certificate, one that others may read or that has a password, and what isn't there: each says why."""

    def why(certificate, key):
        with pytest.raises(Invalid) as caught:
            ServerTls(certificate, key, print)
        assert caught.value.code == "SYN697"
        return caught.value.message

    other = authority.issue("reader").key
    other.chmod(0o600)
    assert "isn't that of the certificate" in why(files.certificate, other)
    assert why(files.certificate, tmp_path / "none") == f"{tmp_path / 'none'} can't be read: No such file or directory"
    assert why(tmp_path / "none", files.key) == f"{tmp_path / 'none'} can't be read: No such file or directory"
    assert "hold no certificate and key" in why(files.key, files.key)
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", files.key, "-aes256", "-passout", "pass:geheim", "-out", locked]
    subprocess.run(command, check=True)
    locked.chmod(0o600)
    assert "hold no certificate and key" in why(files.certificate, locked)
    for mode, refused in ((0o644, True), (0o604, True), (0o660, True), (0o640, False), (0o400, False)):
        files.key.chmod(mode)
        if refused:
            assert "open to others" in why(files.certificate, files.key)
        else:
            ServerTls(files.certificate, files.key, print)


def test_who_begins_no_handshake_holds_nobody_up(authority, files, monkeypatch):
    """Connections that say nothing end at their deadline, and others are answered meanwhile."""
    monkeypatch.setattr(module, "DEADLINE", 0.5)
    with over(files, []) as port, socket.create_connection(("localhost", port), timeout=30) as silent:
        assert asked(authority, port)
        assert silent.recv(10) == b""
        way = socket.create_connection(("localhost", port), timeout=30)
        with authority.context().wrap_socket(way, server_hostname="localhost") as secured:
            secured.sendall(b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\nhalf")
            assert secured.recv(10) == b""


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("begins", "ends", "told"),
    [
        (-90 * DAY, 15 * DAY, None),
        (-76 * DAY, 13.5 * DAY, "ends in 13 days, at "),
        (-5 * DAY, 1.5 * DAY, None),
        (-6 * DAY, 1.01 * DAY, "ends in 24 h, at "),
        (-90 * DAY, -DAY, "has ended at "),
        (DAY, 90 * DAY, "isn't valid before "),
    ],
)
def test_a_certificate_that_ends_is_told_and_shown(authority, files, begins, ends, told):
    """At the start is told what has ended, will soon or doesn't hold yet, with the day; and it is shown all the same."""
    renew(authority, files, begins=begins, ends=ends)
    said: list[str] = []
    now = datetime.now(UTC)
    with over(files, said) as port:
        context = authority.context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("localhost", port), timeout=30) as way,
            context.wrap_socket(way) as secured,
        ):
            shown = ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"")
    assert shown == files.certificate.read_text()
    if told is None:
        assert said == []
        return
    (line,) = said
    assert line.startswith(f"SYN918 the certificate in {files.certificate} {told}")
    assert f"{now + (begins if begins > timedelta() else ends):%Y-%m-%d}" in line


def test_it_is_told_daily_until_it_is_renewed(authority, files):
    """A listener that nobody connects to tells it again the next day, and no more once the files are others."""
    renew(authority, files, begins=-80 * DAY, ends=10.5 * DAY)
    said: list[str] = []
    now = time.time()
    tls = ServerTls(files.certificate, files.key, said.append, lambda: now)
    tls.remind()
    assert len(said) == 1
    assert abs((tls.ends() or 0) - now - 10.5 * 86_400) < 60
    now += 86_400
    tls.remind()
    assert ["ends in 10 days" in line for line in said] == [True, False]
    assert "ends in 9 days" in said[1]
    renew(authority, files, begins=-DAY, ends=90 * DAY)
    now += 86_400
    for _ in range(2):
        tls.remind()
    assert said[2:] == [f"the certificate in {files.certificate} was read again"]


def test_the_chain_counts(authority, files):
    """A certificate of the chain that ends before the one that is shown is told as such."""
    renew(authority, files, begins=-DAY, ends=90 * DAY)
    files.certificate.write_bytes(files.certificate.read_bytes() + authority.ca.read_bytes())
    said: list[str] = []
    ServerTls(files.certificate, files.key, said.append, lambda: time.time() + 47 * 3600)
    (line,) = said
    assert line.startswith(f"SYN918 a certificate of the chain in {files.certificate} ends in 1 h,")
