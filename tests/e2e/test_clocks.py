"""Clocks that are wrong, jump or drift, under real processes: a daemon and its runs live in a time that the test sets.

Debian's `faketime` gives them that time; elapsed time goes on as it does on a machine whose clock is set.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from syncline.model.condition import ConditionType, Truth
from tests.e2e.daemon import OFTEN, SCHEDULE, UPSERT, good_rows, runs, serving, until
from tests.e2e.house import FLOW, TENANT, Scenario, audit_events, audit_ok, build, customers, settings_of
from tests.look import Look
from tests.servers import postgres_database

pytestmark = pytest.mark.slow

HOUR = 3_600
HEALING = TENANT.replace("[127.0.0.1]}", "[127.0.0.1]}, drift: {every: 1s, schedules: heal}")


class Clock:
    """The clock of the processes that are started with it; `set` moves it by so many seconds against the real one."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._file = folder / "clock"
        self.environ = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",  # else each look at the clock reads the file
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.set(0)

    def set(self, seconds: int, rate: str = "") -> None:
        """Moves the clock; `rate` (`x0.1`) has it go slower or faster from then on."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}{rate and ' '}{rate}\n")
        fresh.replace(self._file)


@pytest.fixture
def clock(tmp_path) -> Clock:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("needs faketime: apt-get install faketime")
    made = Clock(tmp_path, found[0])
    said = python(made, "import time, datetime; print(int(time.time()))")
    made.set(2 * HOUR)
    if not 1.9 * HOUR < int(python(made, "import time; print(int(time.time()))")) - int(said) < 2.1 * HOUR:
        pytest.skip("faketime doesn't work on this machine")
    made.set(0)
    return made


def python(clock: Clock, code: str) -> str:
    environ = {**os.environ, **clock.environ}
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def started(root: Path, seconds: float) -> int:
    """How many runs there are more after so many seconds."""
    before = runs(root)
    time.sleep(seconds)
    return runs(root) - before


def test_a_clock_that_jumps_under_a_daemon(root, remote, clock):
    """Ahead by two hours, 7,200 starts were missed at once: one is made up for. Back again, none is made twice."""
    remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    with serving(root, remote, environ=clock.environ) as daemon:
        until(lambda: runs(root) >= 2, lambda: "\n".join(daemon.said))
        clock.set(2 * HOUR)
        daemon.says("the clock went ahead by 7,")
        made = started(root, 5)
        assert 1 <= made <= 9, daemon.said  # one a second, and not those of two hours
        assert not [line for line in daemon.said if "lease ran out" in line]
        cursor = Look(settings_of(root).state_url).cursor(OFTEN)
        assert cursor is not None
        assert dt.datetime.fromisoformat(cursor) > dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)

        clock.set(0)
        daemon.says("the clock went back by 7,")
        until(lambda: started(root, 2) == 0, lambda: "\n".join(daemon.said))  # those under way end
        assert started(root, 3) == 0
        assert not [line for line in daemon.said if "Traceback" in line or "SYN999" in line]
    assert good_rows(root)
    assert audit_ok(settings_of(root))


def test_a_schedule_goes_on_after_a_clock_was_wrong(root, remote, clock):
    """A clock that was two hours ahead leaves a position nothing starts before; healed, starts go on, one a second."""
    clock.set(2 * HOUR)
    remote.push({**UPSERT.texts, "tenant.yaml": TENANT, "schedule.yaml": SCHEDULE})
    with serving(root, remote, environ=clock.environ) as daemon:
        until(lambda: runs(root) >= 2, lambda: "\n".join(daemon.said))
    clock.set(0)
    second = remote.push({**UPSERT.texts, "tenant.yaml": HEALING, "schedule.yaml": SCHEDULE})
    with serving(root, remote, environ=clock.environ) as daemon:
        daemon.says(f"{second[:12]} is applied")
        before = runs(root)
        until(lambda: runs(root) >= before + 2, lambda: "\n".join(daemon.said))
        assert started(root, 4) <= 7
    look = Look(settings_of(root).state_url)
    cursor = look.cursor(OFTEN)
    assert cursor is not None
    assert dt.datetime.fromisoformat(cursor) < dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    status = look.statuses([OFTEN])[OFTEN].condition(ConditionType.drifted)
    assert status is None or status.status is Truth.false
    assert audit_ok(settings_of(root))


def test_a_slow_clock(root, remote, clock):
    """With a clock at a fifth of its speed a schedule starts by that clock; leases and waits go by elapsed time."""
    remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE})
    clock.set(0, "x0.2")
    with serving(root, remote, environ=clock.environ) as daemon:
        until(lambda: runs(root) >= 1, lambda: "\n".join(daemon.said))
        made = started(root, 10)
        assert 1 <= made <= 4, daemon.said
        assert not [line for line in daemon.said if "lease ran out" in line]
    assert good_rows(root)


def test_daemons_whose_clocks_differ(root, remote, clock, postgres_server_url, monkeypatch):
    """On one PostgreSQL, whose clock counts, daemons two hours off stand by; each is followed once it is killed."""
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "postgres")
    remote.push({**UPSERT.texts, "schedule.yaml": SCHEDULE.replace("1s", "1h")})
    with ExitStack() as stack:
        environ = {"SYNCLINE_STATE": stack.enter_context(postgres_database(postgres_server_url))}
        leader = stack.enter_context(serving(root, remote, environ=environ))
        leader.says("is applied")
        for hours in (2, -2):
            clock.set(hours * HOUR)
            other = stack.enter_context(serving(root, remote, environ={**environ, **clock.environ}))
            other.says("stands by")
            time.sleep(5)  # longer than the lease lasts
            assert not [line for line in other.said if "works from now on" in line]
            assert not [line for line in leader.said if "lease ran out" in line]
            leader.process.kill()
            leader.process.wait()
            other.says("this daemon works from now on")
            leader = other
        assert not [line for line in leader.said if "Traceback" in line or "SYN999" in line]


def test_a_clock_that_jumps_back_in_a_run(tmp_path, clock):
    """A run of half a minute ago in the future, then one now: the log verifies, each has one end, rows are right."""
    build(tmp_path, Scenario("upsert").texts)
    customers(tmp_path, 200)
    settings = settings_of(tmp_path)

    def syncline(*arguments: str) -> None:
        environ = {**os.environ, **clock.environ, "SYNCLINE_ACTOR": "tests", "NO_COLOR": "1"}
        command = [sys.executable, "-m", "syncline", "--root", str(tmp_path), *arguments]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode in {0, 4}, done.stderr

    clock.set(2 * HOUR)
    syncline("apply", "--yes")
    syncline("run", str(FLOW))
    clock.set(-2 * HOUR)
    syncline("run", "--full-refresh", str(FLOW))
    clock.set(0)
    syncline("run", "--full-refresh", str(FLOW))

    assert audit_ok(settings)
    found = Look(settings.state_url).runs(FLOW)
    assert len(found) == 3
    ends = [e for e in audit_events(settings) if e["metadata"]["event_code"] == "run.finish"]
    assert len(ends) == 3
    times = [e["time_dt"] for e in ends]
    assert times != sorted(times)  # as the clock said; their order in the log is the one in which they happened
    assert good_rows(tmp_path)
