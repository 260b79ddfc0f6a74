"""A daemon that adopts: a column that somebody dropped is a branch to review, told of everywhere, and Git alone applies it."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from syncline.manifests.desired import Desired
from syncline.notify.incidents import incidents
from syncline.reconciler.needs import needs
from tests.e2e.daemon import home, serving, until
from tests.e2e.house import FLOW, Scenario, audit_events, audit_ok, settings_of
from tests.e2e.test_healing import drift_of
from tests.e2e.test_status import asked
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path

BRANCH = "syncline/adopt/acme/Sync/customers"


def adoptions(root: Path) -> list[dict[str, Any]]:
    """What the log has of proposals."""
    return [e for e in audit_events(settings_of(root)) if e["metadata"]["event_code"] == "drift.adopt"]


@pytest.mark.slow
def test_a_dropped_column_becomes_a_branch_and_a_merge_ends_it(tmp_path, remote):
    """Condition, event, message and log tell of the branch; nothing is applied until it is merged; then all is well."""
    root = home(tmp_path, 20)
    texts = Scenario("upsert").texts
    texts["sync.yaml"] = texts["sync.yaml"].replace("write: upsert", "write: upsert, drift: {every: 1s, tables: adopt}")
    first = remote.push(texts)

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(remote.path), *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    with serving(root, remote) as daemon:
        daemon.says(f"{first[:12]} is applied")
        assert asked(root, "run", "Sync/customers")[0] == 4  # some are rejected
        with closing(sqlite3.connect(root / "warehouse.db")) as warehouse:
            warehouse.execute("ALTER TABLE customers DROP COLUMN born")
            warehouse.commit()
        until(lambda: BRANCH in drift_of(root)[1], lambda: "\n".join(daemon.said))
        tip = git("rev-parse", BRANCH)
        assert git("rev-parse", "main") == first
        assert f"on branch {BRANCH}" in asked(root, "events", str(FLOW))[1]
        assert "What to do\n  Look at the branch, and merge it" in asked(root, "explain", str(FLOW))[1]
        statuses = Look(settings_of(root).state_url).statuses()
        assert BRANCH in incidents(statuses, needs(Desired({})))[FLOW].title
        # What a daemon records is in its journal at once, and in the log once that is published.
        (adopted,) = until(lambda: adoptions(root), lambda: "\n".join(daemon.said))
        assert tip in str(adopted)

        git("update-ref", "refs/heads/main", tip)
        daemon.says(f"{tip[:12]} is applied")
        until(lambda: not drift_of(root)[0], lambda: "\n".join(daemon.said))
        assert git("rev-parse", BRANCH) == tip
    assert len(adoptions(root)) == 1
    assert audit_ok(settings_of(root))
