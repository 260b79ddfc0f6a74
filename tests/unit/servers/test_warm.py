"""Warm processes of tests are what cold ones are: what they find at their start, how they are reached, how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests import warm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are warm on Linux only")

#: What a process may find at its start, but for ids and for the modules that are there already.
FOUND = """\
import json, os, signal, sys
print(json.dumps({
    "arguments": sys.argv, "path": sys.path[0], "folder": os.getcwd(), "name": __name__, "read": sys.stdin.read(),
    "environ": {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}, "flags": list(sys.flags),
    "streams": [[s.encoding, s.errors, s.isatty(), s.line_buffering] for s in (sys.stdin, sys.stdout, sys.stderr)],
    "files": [os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in os.listdir("/proc/self/fd") if int(n) < 3],
    "open": len(os.listdir("/proc/self/fd")), "signals": [str(signal.getsignal(n)) for n in (2, 13, 15)],
    "parent": os.getppid(), "leads": os.getsid(0) == os.getpid(), "mask": os.umask(0o77),
}))
sys.stderr.write("told\\n")
sys.exit(7)
"""
WARM = "import sys; print('polars' in sys.modules)"


@pytest.fixture(autouse=True)
def _warm(monkeypatch):
    """Processes are warm here, even where those of all other tests are cold."""
    monkeypatch.delenv("SYNCLINE_TEST_COLD", raising=False)


def python(*arguments, **options):
    return warm.run([sys.executable, *arguments], capture_output=True, text=True, **options)


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("module", [False, True])
def test_a_warm_process_finds_what_a_cold_one_does(tmp_path, monkeypatch, module, session):
    """Arguments, variables, folder, streams, open files, signals, parent and session; and it ends with its exit code."""
    (tmp_path / "found.py").write_text(FOUND)
    command = [*(["-m", "found"] if module else ["-c", FOUND]), "a b", "é", ""]
    environ = {**os.environ, "ONLY": "here", "PYTHONPATH": str(warm.ROOT)}
    (tmp_path / "in").write_text("given")
    found = []
    for cold in "01":
        monkeypatch.setenv("SYNCLINE_TEST_COLD", cold)
        with (tmp_path / "in").open() as given:
            done = python(*command, stdin=given, cwd=tmp_path, env=environ, start_new_session=session)
        assert (done.returncode, done.stderr) == (7, "told\n")
        found.append(json.loads(done.stdout))
    assert found[0] == found[1]
    assert found[0]["parent"] == os.getpid()


def test_a_warm_process_has_what_the_program_imports():
    """Otherwise it would be a cold one with a detour."""
    assert python("-c", WARM).stdout == "True\n"


@pytest.mark.parametrize(
    "change", [{"PYTHONHASHSEED": "1"}, {"LD_BIND_NOW": "1"}, {"TZ": "UTC+3"}, {"PYTHONPATH": "/"}]
)
def test_what_is_read_at_a_start_makes_a_cold_one(change):
    """A variable that an interpreter reads when it starts would have no effect on a fork."""
    assert python("-c", WARM, env={**os.environ, **change}).stdout == "False\n"


def test_what_a_test_changes_before_a_start_makes_a_cold_one(monkeypatch):
    """The parent began with what there was before, whichever test needs it first."""
    monkeypatch.setenv("TZ", "UTC+3")
    assert python("-c", f"import time; {WARM}; print(time.timezone)").stdout == "False\n10800\n"


def test_what_is_too_long_to_be_asked_for_makes_a_cold_one():
    """A message to the parent has an end."""
    assert python("-c", WARM, "x" * 120_000, env={**os.environ, "MORE": "y" * 120_000}).stdout == "False\n"


def test_a_parent_that_was_killed_is_replaced():
    """What a test or the system does to the parent costs no other test anything."""
    assert python("-c", WARM).stdout == "True\n"
    parent = warm._parents[0]._process
    parent.kill()
    parent.wait(60)
    assert python("-c", WARM).stdout == "True\n"


def test_options_of_the_interpreter_make_a_cold_one():
    """They have been read by then, too."""
    assert python("-I", "-c", WARM).stdout == "False\n"


def test_a_warm_process_is_stopped_killed_and_waited_for():
    """It is a child of this process as any other: signals reach it, and how it ended is seen."""
    command = [sys.executable, "-c", "print('up', flush=True); input()"]
    with warm.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        assert process.poll() is None
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_warm_process_that_fails_says_so_as_a_cold_one():
    """An exception ends it with 1 and a traceback, and a text as its exit is said."""
    done = python("-c", "1 / 0")
    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert python("-c", "import sys; sys.exit('no')").stderr == "no\n"


def test_a_warm_process_ends_in_order():
    """Threads are waited for, what is to be done at the end is done, and what was written is there."""
    code = (
        "import atexit, threading, time\n"
        "atexit.register(print, 'last', end='')\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread', end=' '))).start()"
    )
    assert python("-c", code).stdout == "thread last"


def test_a_pool_that_nobody_shut_down_keeps_no_warm_process():
    """Its threads end with the process, after what they were given."""
    code = "from concurrent.futures import ThreadPoolExecutor; ThreadPoolExecutor().submit(print, 'done')"
    assert python("-c", code, timeout=60).stdout == "done\n"


def test_code_of_a_warm_process_has_no_options_of_others():
    """Annotations are evaluated unless it says otherwise itself, as they are in a cold one."""
    code = "import sys\ndef f(x: 1): ...\nprint(f.__annotations__['x'] == 1)"
    assert python("-c", code).stdout == "True\n"


def test_a_warm_process_finds_modules_where_a_cold_one_does(tmp_path):
    """The tests are found in their folder, or where `PYTHONPATH` says so, and nowhere else."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = f"import importlib.util as u; {WARM}; print(u.find_spec('tests') is not None)"
    there = {"PYTHONPATH": str(warm.ROOT)}
    for folder, more, found in ((tmp_path, {}, False), (warm.ROOT, {}, True), (tmp_path, there, True)):
        assert python("-c", code, cwd=folder, env=environ | more).stdout == f"True\n{found}\n"


def test_polars_works_in_a_warm_process():
    """Its threads start in the process that uses it first; how many is settled by its import, so another number is cold."""
    code = "import polars; print(polars.thread_pool_size(), polars.select(polars.lit(2).sum()).item())"
    assert python("-c", code).stdout.endswith(" 2\n")
    assert python("-c", code, env={**os.environ, "POLARS_MAX_THREADS": "3"}).stdout == "3 2\n"
