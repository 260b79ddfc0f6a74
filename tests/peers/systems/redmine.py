"""Redmine: issues with offset paging, filters by time, API keys and lists of errors (422)."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.peers.install import debian, missing, program
from tests.peers.process import free_port, running
from tests.peers.web import Answer, answers, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("redmine", "redmine-sqlite", "puma")
PROGRAM = Path("/usr/share/redmine")
DATABASE = Path("/var/lib/dbconfig-common/sqlite3/redmine/instances/default/redmine_default")
PASSWORD = "redmine-canary-4711"
KEY = "5ec7e7" * 6 + "cafe"


@dataclass(frozen=True)
class Redmine:
    """A running Redmine with a project `ops`, on its own SQLite file; its administrator's API key, name and password."""

    url: str
    database: Path
    key: str = KEY
    user: str = "admin"
    password: str = PASSWORD

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """A request as the administrator."""
        return ask(method, f"{self.url}{path}", body, headers={"X-Redmine-API-Key": self.key})

    def issue(self, subject: str, **fields: Any) -> int:
        """The id of a new issue of the project."""
        made = {"project_id": "ops", "subject": subject, "tracker_id": 1, "status_id": 1, "priority_id": 1, **fields}
        return int(self.ask("POST", "/issues.json", {"issue": made}).ok()["issue"]["id"])

    def changed_at(self, issue: int, time: str) -> None:
        """Sets when an issue was changed last, which the API can't: `2026-01-01 00:00:00`, in UTC."""
        with closing(sqlite3.connect(self.database, timeout=60)) as connection, connection:
            connection.execute("UPDATE issues SET updated_on = ? WHERE id = ?", (time, issue))

    def worked(self, day: str, hours: float) -> int:
        """The id of a new entry of time, spent on a day of ISO 8601 whenever it is written down."""
        made = {"project_id": 1, "spent_on": day, "hours": hours, "activity_id": 90}
        return int(self.ask("POST", "/time_entries.json", {"time_entry": made}).ok()["time_entry"]["id"])

    def all(self, path: str, name: str) -> list[dict[str, Any]]:
        """Everything that a list has, past paging."""
        found: list[dict[str, Any]] = []
        while True:
            mark = "&" if "?" in path else "?"
            page = self.ask("GET", f"{path}{mark}limit=100&offset={len(found)}").ok()
            found += page[name]
            if len(found) >= page["total_count"]:
                return found


def install() -> None:
    """Its Debian packages."""
    debian(*PACKAGES)


@contextmanager
def redmine(folder: Path) -> Iterator[Redmine]:
    """A Redmine on a copy of the database that its package made."""
    install()
    if not DATABASE.exists():
        missing(f"the package redmine made no database {DATABASE}")
    database = folder / "redmine.sqlite"
    shutil.copyfile(DATABASE, database)
    _prepare(database)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {"RAILS_ENV": "production", "DATABASE_URL": f"sqlite3:{database}", "REDMINE_INSTANCE": "default"}
    command = [program("puma"), "-e", "production", "-b", f"tcp://127.0.0.1:{port}", "--dir", PROGRAM, "config.ru"]
    with running(command, folder, lambda: answers(f"{url}/"), env=env):
        system = Redmine(url, database)
        modules = ["issue_tracking", "time_tracking"]
        project = {"name": "Ops", "identifier": "ops", "tracker_ids": [1], "enabled_module_names": modules}
        system.ask("POST", "/projects.json", {"project": project}).ok()
        yield system


def _prepare(database: Path) -> None:
    """Switches the API on; gives the administrator a key and a password, and issues what they need to exist."""
    now = "2026-01-01 00:00:00"
    salted = hashlib.sha1(("salt" + hashlib.sha1(PASSWORD.encode()).hexdigest()).encode()).hexdigest()  # noqa: S324 - Redmine's way
    with closing(sqlite3.connect(database)) as connection, connection:
        run = connection.execute
        run("INSERT INTO settings (name, value, updated_on) VALUES ('rest_api_enabled', '1', ?)", (now,))
        run("INSERT INTO settings (name, value, updated_on) VALUES ('login_required', '1', ?)", (now,))
        run(
            "UPDATE users SET hashed_password = ?, salt = 'salt', must_change_passwd = 0, status = 1 WHERE login = 'admin'",
            (salted,),
        )
        run(
            "INSERT INTO tokens (user_id, action, value, created_on, updated_on) SELECT id, 'api', ?, ?, ? FROM users WHERE login = 'admin'",
            (KEY, now, now),
        )
        run("INSERT OR IGNORE INTO issue_statuses (id, name, is_closed, position) VALUES (1, 'New', 0, 1)")
        run("INSERT OR IGNORE INTO issue_statuses (id, name, is_closed, position) VALUES (2, 'Closed', 1, 2)")
        run("INSERT OR IGNORE INTO trackers (id, name, position, default_status_id) VALUES (1, 'Task', 1, 1)")
        run(
            "INSERT OR IGNORE INTO enumerations (id, name, position, is_default, type, active) VALUES (1, 'Normal', 1, 1, 'IssuePriority', 1)"
        )
        run(
            "INSERT OR IGNORE INTO enumerations (id, name, position, is_default, type, active) VALUES (90, 'Work', 1, 1, 'TimeEntryActivity', 1)"
        )
