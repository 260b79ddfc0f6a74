"""A daemon whose runs are done by processes of its own: they share its work, survive no daemon, and may die themselves."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from tests.api_server import api_server
from tests.e2e.api import helpdesk
from tests.e2e.daemon import OFTEN, SCHEDULE, UPSERT, serving, until
from tests.e2e.house import audit_ok, settings_of
from tests.e2e.test_ended_daemon import ROWS, Helpdesk, rows
from tests.look import Look

if TYPE_CHECKING:
    from tests.e2e.daemon import Remote

SYNCS = 20
TWO = ("--processes", "2")


def processes(daemon: int) -> set[int]:
    """The processes that a daemon has for its runs."""
    found: set[int] = set()
    for thread in Path(f"/proc/{daemon}/task").iterdir():
        with suppress(OSError):
            found |= {int(pid) for pid in (thread / "children").read_text().split() if _does_runs(int(pid))}
    return found


def _does_runs(pid: int) -> bool:
    return b"syncline.daemon.processes.child" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _there(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.mark.slow
def test_scheduled_syncs_are_shared_by_two_processes(root, remote: Remote):
    """All that is due ends, done by both, and what each says is said once, by the daemon."""
    names = [f"customers-{n}" for n in range(SYNCS)]
    texts = dict(UPSERT.texts)
    sync = texts.pop("sync.yaml")
    for name in names:
        own = sync.replace("name: customers,", f"name: {name},").replace("warehouse/customers", f"warehouse/{name}")
        assert own.count(name) == 2, own
        texts[f"{name}.yaml"] = own
    schedule = SCHEDULE.replace("Sync/customers", ", ".join(f"Sync/{name}" for name in names))
    remote.push({**texts, "schedule.yaml": schedule})
    with serving(root, remote, *TWO) as daemon:
        state = Look(settings_of(root).state_url)
        flows = [ObjectKey("acme", "Sync", name) for name in names]
        until(lambda: all(state.runs(flow) for flow in flows) and state.cursor(OFTEN), lambda: "\n".join(daemon.said))
        assert len(processes(daemon.process.pid)) == 2
        told = [line for line in daemon.said if "read," in line]
        daemon.process.terminate()
        assert daemon.process.wait(30) == 0

    assert {line.split()[1].rstrip(":") for line in told} == {str(flow) for flow in flows}
    assert all(run.trigger == "schedule" for flow in flows for run in state.runs(flow))
    assert audit_ok(settings_of(root))


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["process", "daemon"])
def test_a_kill_in_the_middle_of_a_run(root, remote: Remote, killed):
    """
    Of a process: the daemon says so, and the same run goes on from its last commit. Of the daemon: none of its
    processes is left, and the next daemon goes on with the run.
    """
    service = Helpdesk()
    with api_server(service) as server:
        schedule = SCHEDULE.replace("Sync/customers", "Sync/tickets")
        remote.push({**helpdesk(server.url), "schedule.yaml": schedule})
        state = Look(settings_of(root).state_url)

        def ended():
            return [run for run in state.runs() if run.state is RunState.succeeded and run.counts.read == ROWS + 1]

        with serving(root, remote, *TWO) as daemon:
            assert service.held.wait(60), daemon.said
            until(lambda: (root / "warehouse.db").exists() and rows(root) > 0)
            (pid,) = processes(daemon.process.pid)
            (cut,) = state.runs()
            os.kill(pid if killed == "process" else daemon.process.pid, signal.SIGKILL)
            until(lambda: not _there(pid))
            service.released.set()
            if killed == "process":
                assert "SIGKILL" in daemon.says("SYN922")
                until(ended, lambda: "\n".join(daemon.said))
        if killed == "daemon":
            with serving(root, remote, *TWO) as daemon:
                until(ended, lambda: "\n".join(daemon.said))

    assert cut.id in {run.id for run in ended()}
    assert rows(root) == ROWS + 1
    assert audit_ok(settings_of(root))
