"""Commits that are pushed are applied, schedules start runs, and nothing is lost when the daemon dies."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import urllib.request
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests import warm
from tests.e2e.daemon import OFTEN, SCHEDULE, UPSERT, delivered, good_rows, probed, runs, serving, until
from tests.e2e.house import FLOW, audit_ok, settings_of
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path


def more_runs(root: Path, before: int) -> bool:
    """Whether there were more runs than before."""
    return runs(root) > before


@pytest.mark.slow
def test_a_pushed_commit_is_applied_and_its_schedule_starts_runs(root, remote):
    """What is pushed is applied under its commit; scheduled runs follow, and stop when the schedule is removed."""
    first = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote, "--health", "127.0.0.1:0") as daemon:
        daemon.says(f"{first[:12]} is applied")
        until(lambda: runs(root) >= 2, lambda: "\n".join(daemon.said))
        port = int(daemon.says("probes at").split("127.0.0.1:")[1].split("/")[0])
        assert probed(port, "/readyz") == (200, {"leading": True, "commit": first, "problem": ""})
        assert probed(port, "/elsewhere")[0] == 404
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as scraped:
            lines = scraped.read().decode().splitlines()
            assert scraped.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "syncline_leading 1" in lines
        assert any(line.startswith('syncline_runs_total{tenant="acme",kind="Sync"} ') for line in lines)

        second = remote.push(UPSERT.texts)
        daemon.says(f"{second[:12]} is applied")
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(30) == 0

    settings = settings_of(root)
    last = Look(settings.state_url).runs(FLOW)[0]
    assert (last.trigger, last.revision) == ("schedule", first)
    assert Look(settings.state_url).cursor(OFTEN) is None
    assert good_rows(root)
    assert audit_ok(settings)


@pytest.mark.slow
def test_a_push_webhook_has_a_commit_applied_long_before_the_next_poll(root, remote, monkeypatch):
    """With an hour between polls, a signed delivery of a push is enough; one without a signature does nothing."""
    monkeypatch.setenv("HOOK_SECRET", "a secret of the two of us")
    first = remote.push(UPSERT.texts)
    options = ["--poll", "3600", "--hook", "127.0.0.1:0", "--hook-secret", "env:HOOK_SECRET"]
    with serving(root, remote, *options) as daemon:
        daemon.says(f"{first[:12]} is applied")
        port = int(daemon.says("push webhooks at").split("127.0.0.1:")[1].split("/")[0])
        second = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE.replace("1s", "1h")})
        assert delivered(port, second, "not the secret of us") == 401
        assert Look(settings_of(root).state_url).object(OFTEN) is None
        assert delivered(port, second, "a secret of the two of us") == 202
        daemon.says(f"{second[:12]} is applied")

    assert Look(settings_of(root).state_url).object(OFTEN) is not None
    assert not any("a secret of the two of us" in line for line in daemon.said)


@pytest.mark.slow
def test_a_bad_commit_changes_nothing_and_the_last_good_one_keeps_running(root, remote):
    """A commit that isn't valid is told of once and not applied; runs go on; the next good commit is applied."""
    remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote) as daemon:
        daemon.says("is applied")
        bad = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE.replace("Sync/customers", "Sync/custamers")})
        daemon.says(f"{bad[:12]} isn't applied: SYN")
        before = runs(root)
        until(lambda: runs(root) > before + 1, lambda: "\n".join(daemon.said))
        assert Look(settings_of(root).state_url).object(OFTEN) is not None
        good = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE.replace("1s", "2s")})
        daemon.says(f"{good[:12]} is applied")

    assert sum(bad[:12] in line for line in daemon.said) == 1


@pytest.mark.slow
def test_a_rewritten_history_is_not_applied(root, remote):
    """After a force-push, what was applied stays, and a person is told."""
    first = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote) as daemon:
        daemon.says(f"{first[:12]} is applied")
        rewritten = remote.push(UPSERT.texts, "--amend")
        daemon.says(f"{rewritten[:12]} isn't applied: SYN663")
        assert Look(settings_of(root).state_url).object(OFTEN) is not None


@pytest.mark.slow
def test_a_rewritten_history_that_somebody_applied_is_followed(root, remote):
    """`syncline apply` in a clone of the new history lets the daemon go on from there, also where no file is another."""
    first = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote, "--health", "127.0.0.1:0") as daemon:
        port = int(daemon.says("probes at").split("127.0.0.1:")[1].split("/")[0])
        daemon.says(f"{first[:12]} is applied")
        for texts in (UPSERT.texts, UPSERT.texts):  # other files, and then the same under another message
            rewritten = remote.push(texts, "--amend", f"--message={time.monotonic_ns()}")
            daemon.says(f"{rewritten[:12]} isn't applied: SYN663")
            applied_by_hand(remote.work, root)
            daemon.says(f"{rewritten[:12]} is applied")
            assert probed(port, "/readyz") == (200, {"leading": True, "commit": rewritten, "problem": ""})
        assert Look(settings_of(root).state_url).object(OFTEN) is None
        after = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
        daemon.says(f"{after[:12]} is applied")


def applied_by_hand(clone: Path, root: Path) -> None:
    """`syncline apply` in a clone, on the daemon's state."""
    command = [sys.executable, "-m", "syncline", "--root", str(clone), "apply", "--yes"]
    environ = {**os.environ, "SYNCLINE_ACTOR": "tests", "SYNCLINE_HOME": str(settings_of(root).home)}
    done = warm.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_server_that_hangs_keeps_nothing_else_from_going_on(root, remote):
    """While a Git server accepts and never answers, schedules start on time, runs are made, and probes say what hangs."""
    first = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote) as daemon:
        daemon.says(f"{first[:12]} is applied")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/config.git"
        before = runs(root)
        with serving(root, remote, "--source", url, "--health", "127.0.0.1:0", "--fetch-timeout", "600") as daemon:
            port = int(daemon.says("probes at").split("127.0.0.1:")[1].split("/")[0])
            daemon.says("this daemon works")
            began = time.monotonic()
            until(lambda: "SYN740" in probed(port, "/readyz")[1]["problem"], lambda: "\n".join(daemon.said))
            waited = time.monotonic() - began
            assert probed(port, "/readyz")[0] == 200
            starts = runs(root) - before
            assert starts >= waited - 3, (starts, waited)  # one a second
            daemon.process.send_signal(signal.SIGTERM)
            ended = time.monotonic()
            assert daemon.process.wait(30) == 0
            assert time.monotonic() - ended < 6
        silent.settimeout(5)
        peer, _ = silent.accept()
        with peer:
            peer.settimeout(10)
            while peer.recv(65536):  # ends, as git is gone with the daemon
                pass


@pytest.mark.slow
def test_a_tag_is_followed(root, remote):
    """With --tag the commit of the tag is applied, and a newer one of the branch is not."""
    first = remote.push(UPSERT.texts)
    remote._git(remote.path, "tag", "live", first)
    second = remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote, "--tag", "live") as daemon:
        daemon.says(f"{first[:12]} is applied")
        remote._git(remote.path, "tag", "--force", "live", second)
        daemon.says(f"{second[:12]} is applied")


@pytest.mark.slow
def test_killed_again_and_again_it_goes_on(root, remote):
    """Killed in the middle of whatever it does, the next daemon takes over at once; the table and the log are right."""
    remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    for round_ in range(4):
        with serving(root, remote) as daemon:
            before = runs(root) if round_ else 0
            until(partial(more_runs, root, before), lambda: "\n".join(daemon.said))
            time.sleep(0.1 * round_)
            daemon.process.kill()
            daemon.process.wait()

    settings = settings_of(root)
    assert audit_ok(settings)
    assert good_rows(root)


@pytest.mark.slow
def test_a_second_daemon_stands_by_and_takes_over(root, remote):
    """Of two daemons on one state, one works; when it is killed the other does."""
    remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote) as leader:
        leader.says("is applied")
        with serving(root, remote) as other:
            other.says("daemon")
            assert not any("read," in line for line in other.said)
            leader.process.kill()
            leader.process.wait()
            other.says("read,")
