"""Proxies: tinyproxy and Squid for HTTP, both over TLS as well, microsocks and Dante for SOCKS 5."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.peers.install import debian, program
from tests.peers.pki import SERVER, Authority
from tests.peers.process import free_port, listens, running

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("tinyproxy", "squid", "haproxy", "microsocks", "dante-server")
USER, PASSWORD = "alice", "proxy-canary-4711"
TINYPROXY = f"""\
Port PORT
Listen 127.0.0.1
Timeout 60
LogLevel Connect
BasicAuth {USER} {PASSWORD}
"""
# One that caches nothing, and reaches only ports that it is told.
SQUID = """\
LISTEN
auth_param basic program /usr/lib/squid/basic_ncsa_auth FOLDER/passwords
acl known proxy_auth REQUIRED
acl closed port 1
http_access deny !known
http_access deny closed
http_access allow known
cache deny all
pid_filename none
access_log stdio:FOLDER/squid-access.log
cache_log FOLDER/squid-cache.log
shutdown_lifetime 0 seconds
"""
# It speaks TLS in front of a proxy that doesn't.
HAPROXY = """\
global
  log stdout format raw local0
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen proxy
  bind 127.0.0.1:PORT ssl crt PEM ssl-min-ver TLSv1.2
  server behind 127.0.0.1:BEHIND
"""
# One that reaches every port but one, and asks for no credentials: those that it knows are users of the machine.
DANTE = """\
logoutput: FOLDER/danted.log
internal: 127.0.0.1 port = PORT
external: 127.0.0.1
socksmethod: none
clientmethod: none
user.unprivileged: nobody
client pass { from: 127.0.0.1/32 to: 0.0.0.0/0 }
socks block { from: 127.0.0.1/32 to: 0.0.0.0/0 port = 1 }
socks pass { from: 127.0.0.1/32 to: 0.0.0.0/0 log: connect }
"""


@dataclass(frozen=True)
class ProxySystem:
    """A running proxy of 127.0.0.1; `log` has a line for each request to it. `ca` trusts its certificate (PEM)."""

    name: str
    port: int
    log: Path
    user: str = USER
    password: str = field(default=PASSWORD, repr=False)
    protocol: Literal["http", "https", "socks5"] = "http"
    ca: str = ""

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.protocol}://127.0.0.1:{self.port}"

    @property
    def declared(self) -> str:
        """It as `proxy` of an Integration, in YAML; `PROXY_PASSWORD` has its password, `proxy-ca.pem` its authority."""
        login = f", username: {self.user}, password: {{secretRef: {{provider: env, key: PROXY_PASSWORD}}}}"
        trust = ", tls: {ca: proxy-ca.pem}" if self.ca else ""
        return f"proxy: {{url: '{self.url}'{login if self.user else ''}{trust}}}"

    def logged(self, text: str) -> int:
        """How often a text is in its log."""
        return self.log.read_text(errors="replace").count(text)


def install() -> None:
    """Their Debian packages."""
    debian(*PACKAGES)


@contextmanager
def tinyproxy(folder: Path) -> Iterator[ProxySystem]:
    """A tinyproxy that connects with any port."""
    install()
    port = free_port()
    settings = folder / "tinyproxy.conf"
    settings.write_text(TINYPROXY.replace("PORT", str(port)))
    with running([program("tinyproxy"), "-d", "-c", settings], folder, lambda: listens(port)):
        yield ProxySystem("tinyproxy", port, folder / "tinyproxy.log")


@contextmanager
def tinyproxy_tls(folder: Path) -> Iterator[ProxySystem]:
    """A tinyproxy behind HAProxy, which speaks TLS 1.2 and 1.3."""
    with tinyproxy(folder) as behind:
        port, pki = free_port(), Authority(folder / "pki")
        files = pki.issue(SERVER)
        pem = folder / "haproxy.pem"
        pem.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
        settings = folder / "haproxy.cfg"
        text = HAPROXY.replace("PORT", str(port)).replace("PEM", str(pem)).replace("BEHIND", str(behind.port))
        settings.write_text(text)
        with running([program("haproxy"), "-db", "-f", settings], folder, lambda: listens(port)):
            yield replace(behind, name="tinyproxy-tls", port=port, protocol="https", ca=pki.ca.read_text())


@contextmanager
def squid(folder: Path, *, tls: bool = False) -> Iterator[ProxySystem]:
    """A Squid that refuses port 1."""
    install()
    port = free_port()
    # It gives up root, and then enters no folder of a test's.
    with tempfile.TemporaryDirectory(prefix="squid-") as name:
        own = Path(name)
        own.chmod(0o777)
        hashed = subprocess.run(
            [program("openssl"), "passwd", "-apr1", "-stdin"],
            input=PASSWORD,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        (own / "passwords").write_text(f"{USER}:{hashed}")
        listen, ca = f"http_port 127.0.0.1:{port}", ""
        if tls:
            pki = Authority(own / "pki")
            files = pki.issue(SERVER)
            listen = f"https_port 127.0.0.1:{port} tls-cert={files.certificate} tls-key={files.key}"
            ca = pki.ca.read_text()
        settings = own / "squid.conf"
        settings.write_text(SQUID.replace("LISTEN", listen).replace("FOLDER", name))
        made = ProxySystem("squid", port, own / "squid-access.log")
        with running([program("squid"), "-N", "-f", settings], folder, lambda: listens(port)):
            yield replace(made, name="squid-tls", protocol="https", ca=ca) if tls else made


@contextmanager
def microsocks(folder: Path) -> Iterator[ProxySystem]:
    """A small SOCKS 5 server with a user name and a password."""
    install()
    port = free_port()
    command = [program("microsocks"), "-i", "127.0.0.1", "-p", port, "-u", USER, "-P", PASSWORD]
    with running(command, folder, lambda: listens(port)):
        yield ProxySystem("microsocks", port, folder / "microsocks.log", protocol="socks5")


@contextmanager
def dante(folder: Path) -> Iterator[ProxySystem]:
    """Dante, a SOCKS 5 server with rules, which refuses port 1 and asks for no credentials."""
    install()
    port = free_port()
    settings = folder / "danted.conf"
    settings.write_text(DANTE.replace("PORT", str(port)).replace("FOLDER", str(folder)))
    with running([program("danted"), "-f", settings], folder, lambda: listens(port)):
        yield ProxySystem("dante", port, folder / "danted.log", user="", password="", protocol="socks5")
