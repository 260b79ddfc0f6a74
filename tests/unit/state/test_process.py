"""Whether the process that took a lease is surely gone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from syncline.state.process import Process

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc to know about processes")


@pytest.fixture
def ended() -> Process:
    """The identity of a process that has ended and was reaped."""
    child = subprocess.run(
        [sys.executable, "-c", "from syncline.state.process import Process; print(Process.current())"],
        check=True,
        capture_output=True,
        text=True,
    )
    process = Process.parse(child.stdout.strip())
    assert process is not None
    return process


def test_identity_survives_text():
    """What is written to the lease reads back as the same identity."""
    assert Process.parse(str(Process.current())) == Process.current()
    assert Process.parse(str(Process("host", 7))) == Process("host", 7)


@pytest.mark.parametrize("text", ["", "apply", "host x - - 0", "host 1 - -", "host 1 - - 0 more"])
def test_other_text_is_no_identity(text):
    """What wasn't written by us is nobody's identity."""
    assert Process.parse(text) is None


def test_this_process_is_here():
    """The process that asks isn't gone."""
    assert not Process.current().gone()


def test_ended_process_is_gone(ended):
    """A process that ended is gone."""
    assert ended.gone()


@pytest.mark.parametrize("field", ["host", "boot", "namespace"])
def test_elsewhere_is_never_called_gone(ended, field):
    """On another host, after another boot or in another container, nothing can be said."""
    assert not replace(ended, **{field: "other"}).gone()


@pytest.mark.parametrize("field", [{"boot": ""}, {"namespace": ""}, {"started": 0}])
def test_incomplete_identity_is_never_called_gone(ended, field):
    """Where the system doesn't tell enough, nothing is concluded."""
    assert not replace(ended, **field).gone()


def test_reused_process_id_is_gone():
    """The same id with another start is another process."""
    assert replace(Process.current(), started=1).gone()


def test_zombie_is_gone():
    """A killed process that nobody has waited for yet can't write any more."""
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from syncline.state.process import Process; print(Process.current(), flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        process = Process.parse(child.stdout.readline().strip())
        assert not process.gone()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process.gone()
