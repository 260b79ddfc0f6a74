"""Request Tracker: tickets over REST 2 with basic auth, TicketSQL, pages of references, ETags and 412."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.peers.install import debian, missing
from tests.peers.process import free_port, running
from tests.peers.web import Answer, answers, ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGES = ("request-tracker5", "rt5-db-sqlite", "rt5-standalone")
PROGRAM = Path("/usr/share/request-tracker5/libexec/rt-server")
DATABASE = Path("/var/lib/dbconfig-common/sqlite3/request-tracker5/rtdb")

PASSWORD = "rt-canary-4711"

SETTINGS = """\
Set($rtname, 'example.com');
Set($Organization, 'example.com');
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '{database}');
Set($WebDomain, '127.0.0.1');
Set($WebPort, {port});
Set($CanonicalizeRedirectURLs, 0);
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'warning');
Set($MailCommand, 'testfile');
Set($Timezone, 'UTC');
1;
"""


@dataclass(frozen=True)
class RequestTracker:
    """A running Request Tracker; `url` ends in `/REST/2.0`. Its queue is `General`."""

    url: str
    user: str = "root"
    password: str = PASSWORD

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """A request as the administrator."""
        return ask(method, f"{self.url}{path}", body, headers=headers, basic=(self.user, self.password))

    def ticket(self, subject: str, **fields: Any) -> int:
        """The id of a new ticket."""
        made = {"Queue": "General", "Subject": subject, "Requestor": "a@example.com", **fields}
        return int(self.ask("POST", "/ticket", made).ok()["id"])


def install() -> None:
    """Its Debian packages."""
    debian(*PACKAGES)


@contextmanager
def request_tracker(folder: Path) -> Iterator[RequestTracker]:
    """A Request Tracker on a copy of the database that its package made."""
    install()
    if not DATABASE.exists():
        missing(f"the package rt5-db-sqlite made no database {DATABASE}")
    database = folder / "rt.sqlite"
    shutil.copyfile(DATABASE, database)
    with closing(sqlite3.connect(database)) as connection, connection:
        # Request Tracker knows hashes of its early days, and replaces them at the first login.
        digest = hashlib.md5(PASSWORD.encode()).hexdigest()  # noqa: S324
        connection.execute("UPDATE Users SET Password = ? WHERE Name = 'root'", (digest,))
    port = free_port()
    settings = folder / "RT_SiteConfig.pm"
    settings.write_text(SETTINGS.format(database=database, port=port))
    (folder / "RT_SiteConfig.d").mkdir()
    env = {"RT_SITE_CONFIG": str(settings), "RT_SITE_CONFIG_DIR": str(folder / "RT_SiteConfig.d")}
    command = [PROGRAM, "--host", "127.0.0.1", "--port", str(port), "--max-workers", "3"]
    url = f"http://127.0.0.1:{port}/REST/2.0"
    with running(command, folder, lambda: answers(url), env=env):
        yield RequestTracker(url)
