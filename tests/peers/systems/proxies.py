"""tinyproxy and Squid: HTTP proxies that ask for a user name and a password."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.install import debian, program
from tests.peers.process import free_port, listens, running

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("tinyproxy", "squid")
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
http_port 127.0.0.1:PORT
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


@dataclass(frozen=True)
class ProxySystem:
    """A running proxy of 127.0.0.1; `log` has a line for each request to it."""

    name: str
    port: int
    log: Path
    user: str = USER
    password: str = field(default=PASSWORD, repr=False)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

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
def squid(folder: Path) -> Iterator[ProxySystem]:
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
        settings = own / "squid.conf"
        settings.write_text(SQUID.replace("PORT", str(port)).replace("FOLDER", name))
        with running([program("squid"), "-N", "-f", settings], folder, lambda: listens(port)):
            yield ProxySystem("squid", port, own / "squid-access.log")
