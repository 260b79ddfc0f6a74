"""Webhooks of other systems start runs, by daemons as processes: none is lost when they are killed, and none doubled."""

from __future__ import annotations

import base64
import hmac
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from tests.e2e import house
from tests.e2e.daemon import UPSERT, Serving, good_rows, runs, serving, until
from tests.e2e.house import FLOW, audit_ok, settings_of
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a secret of the two of us"
CHANGED = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: changed, tenant: acme}
spec: {on: {webhook: {secret: {secretRef: {provider: env, key: CRM_HOOK}}, pause: 1s}}, run: [Sync/customers]}
"""
PATH = "/hook/acme/changed"
HOOK = ("--hook", "127.0.0.1:0")


def posted(daemon: Serving, name: str, key: str = KEY, path: str = PATH) -> int:
    """The status that a delivery in the form of Standard Webhooks is answered with."""
    port = int(daemon.says("of schedules at").rsplit("127.0.0.1:", 1)[1].split("/")[0])
    body, when = b'{"type": "contact.changed"}', int(time.time())
    signature = base64.b64encode(hmac.digest(key.encode(), f"{name}.{when}.".encode() + body, "sha256")).decode()
    headers = {"webhook-id": name, "webhook-timestamp": str(when), "webhook-signature": f"v1,{signature}"}
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status


def settled(root: Path, count: int, *daemons: Serving) -> None:
    """Waits for so many runs; there are no more after what might have started another."""
    until(lambda: runs(root) >= count, lambda: "\n---\n".join("\n".join(daemon.said) for daemon in daemons))
    time.sleep(2)
    assert runs(root) == count


@pytest.mark.slow
def test_a_webhook_starts_a_run_also_where_the_daemon_is_killed_when_it_has_answered(root, remote, monkeypatch):
    """A delivery is 202 and starts one run; one more, answered by a process that is killed, is run for by the next,
    which knows its name. What is refused starts nothing, and the log tells of it.
    """
    monkeypatch.setenv("CRM_HOOK", KEY)
    commit = remote.push({**UPSERT.texts, "schedule.yaml": CHANGED})
    with serving(root, remote, *HOOK) as daemon:
        daemon.says(f"{commit[:12]} is applied")
        assert {posted(daemon, "m", "not the secret of us"), posted(daemon, "m", path="/hook/no/body")} == {401}
        assert posted(daemon, "m", path="/hook") == 401
        assert posted(daemon, "m1") == 202
        settled(root, 1, daemon)
        assert [posted(daemon, f"m{number}") for number in (1, 2, 3)] == [200, 202, 202]
        daemon.process.kill()
        daemon.process.wait()
    before = runs(root)
    with serving(root, remote, *HOOK) as daemon:
        settled(root, 2, daemon)
        assert posted(daemon, "m3") == 200
        settled(root, 2, daemon)

    assert before == 1
    settings = settings_of(root)
    assert {run.trigger for run in Look(settings.state_url).runs(FLOW)} == {"event"}
    assert good_rows(root)
    assert audit_ok(settings)
    told = [e["unmapped"] for e in house.audit_events(settings) if e["metadata"]["event_code"] == "access.deny"]
    assert {(e.get("object"), e["details"]["webhook"]) for e in told} == {
        ("acme/Schedule/changed", "schedule"), (None, "unknown"), (None, "push"),
    }  # fmt: skip
    assert not any(KEY in line for line in daemon.said)


@pytest.mark.slow
def test_one_that_stands_by_takes_webhooks_too(root, remote, monkeypatch):
    """The daemon that works starts the run; where it is killed, the other one does for what it has kept itself."""
    monkeypatch.setenv("CRM_HOOK", KEY)
    commit = remote.push({**UPSERT.texts, "schedule.yaml": CHANGED})
    with serving(root, remote, *HOOK) as first:
        first.says(f"{commit[:12]} is applied")
        with serving(root, remote, *HOOK) as second:
            second.says("stands by")
            assert posted(second, "m1") == 202
            settled(root, 1, first, second)
            assert posted(first, "m1") == 200
            first.process.kill()
            first.process.wait()
            assert posted(second, "m2") == 202
            settled(root, 2, first, second)
