"""The configuration repository of a simulation: what its commits declare, and how Git shows them to a daemon."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from syncline.daemon.git.source import Snapshot
from syncline.model.errors import Again, Stalled

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.daemon.git.command import Stop

FIXED = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {}
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: app}
spec:
  version: 1.0.0
  title: Application
  auth: [none]
  http: {url: "https://app.example.com"}
  check: {get: /me}
  streams:
STREAMS---
apiVersion: syncline/v1
kind: Integration
metadata: {name: app, tenant: acme}
spec: {connector: app@^1}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: sqlite@^1, config: {path: warehouse.db}}
"""

STREAM = """\
    NAME:
      get: /NAME
      records: data[]
      key: [id]
      page: {cursor: next, into: query.cursor}
      cursor: {field: id, type: integer, into: {query.after: start}}
      schema: {properties: {id: {type: string}, value: {type: string}, note: {type: string}}}
"""

MAPPING = """\
apiVersion: syncline/v1
kind: Mapping
metadata: {{name: item, tenant: acme}}
spec:
  key: [id]
  fields:
  - {{to: id, from: id, type: integer, required: true}}
  - {{to: value, from: value, type: integer, required: true}}
  - {{to: note, from: note, default: "edition {edition}"}}
"""

#: How each stream is read and written. A log is never retired: it would be appended again from its start.
HOW = {
    "log": "read: incremental, write: append",
    "people": "read: incremental, write: upsert",
    "catalog": "read: full, write: replace",
}

#: Schedules, by name: when, and the streams whose flows they start.
WHEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "steady": ("every: 5m, catchUp: all", ("log",)),
    "patient": ("every: 7m, catchUp: last, concurrency: allow, jitter: 30s", ("people", "catalog")),
    "nightly": ('cron: "30 2 * * *", timeZone: Europe/Berlin, catchUp: all', ("catalog", "log")),
    "hasty": ("every: 4m, catchUp: none, concurrency: replace", ("people",)),
    "following": ("on: {event: run.finish, of: [OF]}", ("people",)),
}


@dataclass(frozen=True)
class Declared:
    """What a commit declares. `flows` are the names of flows by their stream, with the name each had before."""

    flows: dict[str, tuple[str, str]]
    schedules: tuple[str, ...]
    suspended: frozenset[str] = frozenset()
    edition: int = 1
    broken: bool = False

    def files(self) -> dict[str, str]:
        """It as files, by name."""
        suspend = self._suspend
        flows = [
            f"apiVersion: syncline/v1\nkind: Sync\n"
            f"metadata: {{name: {name}, tenant: acme{f', moved: {{name: {before}}}' if before else ''}}}\n"
            f"spec: {{from: app/{stream}, mapping: {'nothing' if self.broken else 'item'}, "
            f"to: warehouse/{stream}, {HOW[stream]}{suspend(stream)}}}\n"
            for stream, (name, before) in self.flows.items()
        ]
        schedules = []
        for schedule in self.schedules:
            when, streams = WHEN[schedule]
            run = [f"Sync/{self.flows[stream][0]}" for stream in streams if stream in self.flows]
            when = when.replace("OF", f"Sync/{self.flows['log'][0]}")
            if run:
                schedules.append(
                    f"apiVersion: syncline/v1\nkind: Schedule\nmetadata: {{name: {schedule}, tenant: acme}}\n"
                    f"spec: {{{when}, run: [{', '.join(run)}]{suspend(schedule)}}}\n"
                )
        return {
            "fixed.yaml": FIXED.replace("STREAMS", "".join(STREAM.replace("NAME", name) for name in HOW)),
            "mapping.yaml": MAPPING.format(edition=self.edition),
            "flows.yaml": "---\n".join(flows),
            "schedules.yaml": "---\n".join(schedules),
        }

    def _suspend(self, name: str) -> str:
        return ", suspend: {reason: the owner is on holiday}" if name in self.suspended else ""

    def renamed(self, stream: str, name: str) -> Declared:
        """With another name for a flow, which says what it was."""
        return replace(self, flows=self.flows | {stream: (name, self.flows[stream][0])})

    def without(self, stream: str) -> Declared:
        """Without a flow."""
        return replace(self, flows={s: names for s, names in self.flows.items() if s != stream})


@dataclass(frozen=True)
class Commit:
    """A commit: what it declares, and what it comes after."""

    id: str
    parent: str
    declared: Declared


@dataclass
class Remote:
    """The repository, at its host. `unreachable_until` is by the kernel's clock."""

    folder: Path
    commits: dict[str, Commit] = field(default_factory=dict)
    head: str = ""
    unreachable_until: float = 0.0

    def push(self, declared: Declared, parent: str) -> str:
        """A new commit, which the branch is at from now on."""
        number = hashlib.sha1(f"{len(self.commits)} {parent}".encode(), usedforsecurity=False).hexdigest()
        self.commits[number] = Commit(number, parent, declared)
        self.head = number
        return number

    def descends(self, commit: str, ancestor: str) -> bool:
        """Whether a commit comes after another one, or is it."""
        while commit and commit != ancestor:
            commit = self.commits[commit].parent
        return bool(commit)


@dataclass(frozen=True)
class Followed:
    """The repository as a daemon follows it: `daemon.loop.Source`."""

    remote: Remote
    now: Callable[[], float]
    point: Callable[[str], None]

    @property
    def shown(self) -> str:
        return "the repository"

    @property
    def ref(self) -> str:
        return "refs/heads/main"

    def head(self, stop: Stop) -> str:
        del stop
        self.point("fetch")
        if self.remote.unreachable_until > self.now():
            raise Again("the repository doesn't answer", code="SYN661")
        return self.remote.head

    def check_history(self, applied: str, new: str) -> None:
        if not self.remote.descends(new, applied):
            raise Stalled(f"history was rewritten: {applied[:12]} is not in it", code="SYN663")

    def back_to(self, applied: str, commit: str) -> str:
        del applied, commit
        return ""

    def author(self, commit: str) -> tuple[str, str]:
        return "Ada <ada@example.com>", f"edition {self.remote.commits[commit].declared.edition}"

    def authors(self, base: str, commit: str) -> frozenset[str]:
        del base, commit
        return frozenset({"ada@example.com"})

    def snapshot(self, commit: str) -> Snapshot:
        files = self.remote.commits[commit].declared.files()
        root = self.remote.folder / hashlib.sha256("\0".join(files.values()).encode()).hexdigest()[:16]
        if not root.exists():
            root.mkdir(parents=True)
            for name, text in files.items():
                (root / name).write_text(text)
        return Snapshot(commit, root)
