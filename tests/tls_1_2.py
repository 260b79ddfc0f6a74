"""Servers that speak TLS 1.2 and nothing newer, or none, or ask whoever comes for a certificate."""

from __future__ import annotations

import getpass
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import unavailable

if TYPE_CHECKING:
    from tests.peers.pki import Certificate


def old(certificate: Certificate) -> ssl.SSLContext:
    """A server's context that knows nothing newer than TLS 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def started(command: list[str], port: int, *, seconds: float = 30.0) -> Iterator[None]:
    """Runs a program until it listens, and ends it after the block; skips where it isn't installed."""
    if shutil.which(command[0]) is None:
        unavailable(command[0], "it isn't installed")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    process.kill()
                    said = process.communicate()[0].decode(errors="replace")
                    raise AssertionError(f"{command[0]} doesn't come up: {said[-600:]}") from None
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


@contextmanager
def redis_1_2(folder: Path, certificate: Certificate) -> Iterator[int]:
    """A Redis server over TLS 1.2; its port."""
    port = free_port()
    command = ["redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--tls-cert-file", str(certificate.certificate), "--tls-key-file", str(certificate.key)]
    command += ["--tls-auth-clients", "no", "--tls-protocols", "TLSv1.2", "--save", ""]
    with started(command, port):
        yield port


@contextmanager
def web_1_2(certificate: Certificate) -> Iterator[int]:
    """OpenSSL's own server, which answers each GET with a page; its port."""
    port = free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-tls1_2", "-www", "-quiet"]
    with started([*command, "-cert", str(certificate.certificate), "-key", str(certificate.key)], port):
        yield port


@contextmanager
def mariadb_1_2(folder: Path, certificate: Certificate) -> Iterator[int]:
    """A MariaDB server of its own over TLS 1.2, with the user `old` (password `geheim`) and the database `lake`."""
    with _mariadb(folder, certificate, "'old' IDENTIFIED BY 'geheim' REQUIRE SSL", "--tls-version=TLSv1.2") as port:
        yield port


@contextmanager
def mariadb_known_by_certificate(folder: Path, certificate: Certificate, authority: Path) -> Iterator[int]:
    """One that knows the user `reader` by a certificate of that authority, without a password."""
    with _mariadb(folder, certificate, "'reader' REQUIRE SUBJECT '/CN=reader'", f"--ssl-ca={authority}") as port:
        yield port


@contextmanager
def postgresql_known_by_certificate(folder: Path, certificate: Certificate, authority: Path) -> Iterator[int]:
    """A PostgreSQL server of its own that knows the user `reader` likewise; its port."""
    names = {"server.crt": certificate.certificate, "server.key": certificate.key, "ca.crt": authority}
    for name, file in names.items():
        shutil.copy(file, folder / name)
        (folder / name).chmod(0o600)
    files = {"ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "ssl_ca_file": "ca.crt"}
    settings = {"ssl": "on", **{name: str(folder / file) for name, file in files.items()}}
    with _postgresql(folder, "hostssl all all 127.0.0.1/32 cert\n", settings) as port:
        yield port


@contextmanager
def postgresql_without_tls(folder: Path) -> Iterator[int]:
    """One that speaks no TLS, and lets everybody in as `reader`; its port."""
    with _postgresql(folder, "host all all 127.0.0.1/32 trust\n", {"ssl": "off"}) as port:
        yield port


@contextmanager
def _postgresql(folder: Path, access: str, settings: dict[str, str]) -> Iterator[int]:
    """A PostgreSQL server of its own, with this `pg_hba.conf`; its port."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        unavailable("postgresql", "initdb isn't installed")
    port, data = free_port(), folder / "data"
    become: list[str] = []
    if getpass.getuser() == "root":  # which PostgreSQL doesn't run as
        become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres", "postgres")
    command = [*become, str(programs[-1]), "--pgdata", str(data), "--username=reader", "--auth=trust", "--no-sync"]
    subprocess.run(command, check=True, capture_output=True)
    (data / "pg_hba.conf").write_text(access)
    command = [*become, str(programs[-1].with_name("postgres")), "-D", str(data)]
    common = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off"}
    for name, value in (common | settings).items():
        command += ["-c", f"{name}={value}"]
    with started(command, port):
        until = time.monotonic() + 30
        while "ready" not in (data / "postmaster.pid").read_text():  # it listens before it lets anybody in
            assert time.monotonic() < until
            time.sleep(0.05)
        yield port


@contextmanager
def _mariadb(folder: Path, certificate: Certificate, user: str, more: str) -> Iterator[int]:
    """A MariaDB server of its own over TLS, with one user, and the database `lake`; its port."""
    if shutil.which("mariadb-install-db") is None:
        unavailable("mariadb", "mariadb-install-db isn't installed")
    data, port = folder / "data", free_port()
    data.mkdir()
    setup = folder / "setup.sql"
    setup.write_text(f"CREATE DATABASE lake;\nCREATE USER {user};\nGRANT ALL ON lake.* TO {user.partition(' ')[0]};\n")
    common = ["--no-defaults", f"--datadir={data}"]
    subprocess.run(
        ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True,
        capture_output=True,
    )
    command = ["mariadbd", *common, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/s.sock"]
    command += [f"--ssl-cert={certificate.certificate}", f"--ssl-key={certificate.key}", more]
    command += [f"--init-file={setup}", f"--pid-file={folder}/pid", "--innodb-buffer-pool-size=8M"]

    if getpass.getuser() == "root":
        command.append("--user=root")
    with started(command, port):
        yield port
