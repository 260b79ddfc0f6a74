"""Zabbix: a monitoring API in JSON-RPC, whose refusals are errors in a 200."""

from __future__ import annotations

import gzip
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.peers.install import debian, program
from tests.peers.process import free_port, running
from tests.peers.web import answers, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

# With the CGI of PHP, no web server is installed.
PACKAGES = ("zabbix-server-pgsql", "zabbix-frontend-php", "php-cgi", "php-cli", "php-pgsql")
FRONTEND = Path("/usr/share/zabbix")
DATA = Path("/usr/share/zabbix-server-pgsql")
PASSWORD = "zabbix-canary-4711"
#: bcrypt of it, as Zabbix keeps passwords.
HASHED = "$2y$04$BNtm.NvJpeS9dq5GQ6KdN.NzjJy4wnlIz99nnHYFObdmJLHckN68i"
CONFIG_CLASS = "include/classes/core/CConfigFile.php"

SETTINGS = """\
<?php
$DB['TYPE'] = 'POSTGRESQL';
$DB['SERVER'] = '{host}';
$DB['PORT'] = '{port}';
$DB['DATABASE'] = '{database}';
$DB['USER'] = '{user}';
$DB['PASSWORD'] = '{password}';
$DB['SCHEMA'] = '';
$DB['ENCRYPTION'] = false;
$DB['DOUBLE_IEEE754'] = true;
$ZBX_SERVER_NAME = 'test';
$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
"""


@dataclass(frozen=True)
class Zabbix:
    """A running Zabbix API; `url` is its endpoint."""

    url: str
    database: str
    user: str = "Admin"
    password: str = PASSWORD

    def call(self, method: str, params: Any, token: str | None = None) -> Any:
        """The `result` of a call; what it refuses is an error in the test."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params, "auth": token}
        answer = ask("POST", self.url, request).ok()
        assert "error" not in answer, answer
        return answer["result"]

    def login(self) -> str:
        """A session token of the administrator."""
        return str(self.call("user.login", {"user": self.user, "password": self.password}))

    def forget_sessions(self) -> None:
        """Ends all sessions, as their time limit would."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute("DELETE FROM sessions")

    def host(self, name: str, token: str) -> str:
        """The id of a new host in the first group."""
        group = self.call("hostgroup.get", {"limit": 1}, token)[0]["groupid"]
        return str(self.call("host.create", {"host": name, "groups": [{"groupid": group}]}, token)["hostids"][0])


def install() -> None:
    """Its Debian packages."""
    debian(*PACKAGES)


@contextmanager
def zabbix(folder: Path, database: str) -> Iterator[Zabbix]:
    """The API of a Zabbix in an empty PostgreSQL database; its server, which does the monitoring, doesn't run."""
    install()
    _fill(database)
    server = conninfo_to_dict(database)
    settings = folder / "zabbix.conf.php"
    settings.write_text(
        SETTINGS.format(
            host=server["host"],
            port=server.get("port", 5432),
            database=server["dbname"],
            user=server.get("user", "postgres"),
            password=server.get("password", ""),
        )
    )
    site = folder / "site"
    shutil.copytree(FRONTEND, site, symlinks=True)
    place = site / CONFIG_CLASS
    text = place.read_text()
    assert "/etc/zabbix/zabbix.conf.php" in text
    place.write_text(text.replace("/etc/zabbix/zabbix.conf.php", str(settings)))
    port = free_port()
    url = f"http://127.0.0.1:{port}/api_jsonrpc.php"
    command = [program("php"), "-S", f"127.0.0.1:{port}", "-t", site]
    with running(command, folder, lambda: answers(url), env={"PHP_CLI_SERVER_WORKERS": "2"}):
        yield Zabbix(url, database)


def _fill(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        for part in ("schema", "images", "data"):
            connection.execute(gzip.decompress((DATA / f"{part}.sql.gz").read_bytes()))
        connection.execute("UPDATE users SET passwd = %s WHERE username = 'Admin'", (HASHED,))
