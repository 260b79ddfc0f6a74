"""
Processes of tests that start warm: forked from a parent that has imported what the program imports, instead of starting
an interpreter that imports it anew each time. `Popen` and `run` are those of `subprocess` for `python -m module …` and
`python -c code …`: a real process and a child of this one, with its own arguments, environment, folder, files and exit.

What asks for more than a fork can give starts as ever: another program, other options, another value of a variable that
is read at a start, a terminal, or a system that isn't Linux. `SYNCLINE_TEST_COLD=1` starts all of them so. A test of
starting itself uses `subprocess`.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
#: What the parent starts with, whatever a test has changed by then.
ENVIRON = dict(os.environ)
#: Bytes of a request; the socket takes a few more.
LARGEST = 100_000
#: Variables that an interpreter, its libraries or the linker read once, when they start.
AT_START = re.compile(r"PYTHON|LD_|LC_|LANG|TZ$|FAKETIME|POLARS_")
#: `prctl` with this gives a process the orphans among its descendants.
_PR_SET_CHILD_SUBREAPER = 36
_SIGNATURE = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]
_ORDINARY = {
    "executable": None, "preexec_fn": None, "close_fds": True, "pass_fds": (), "shell": False, "gid": None,
    "gids": None, "uid": None, "umask": -1, "process_group": -1,
}  # fmt: skip


class Popen(subprocess.Popen[Any]):
    """`subprocess.Popen`, whose process comes from the warm parent where that makes no difference."""

    def __init__(self, args: Sequence[str], **options: Any) -> None:
        super().__init__(args, **options)

    def _execute_child(self, *values: Any) -> None:
        asked = _SIGNATURE.bind(self, *values).arguments
        files = [
            given if given != -1 else usual
            for usual, given in enumerate((asked["p2cread"], asked["c2pwrite"], asked["errwrite"]))
        ]
        environ = dict(os.environ if asked["env"] is None else asked["env"])
        command = list(map(str, asked["args"]))
        request = {
            "arguments": command[1:],
            "environ": environ,
            "folder": str(asked["cwd"] or Path.cwd()),
            "session": bool(asked["start_new_session"]),
        }
        message = json.dumps(request).encode()
        if len(message) > LARGEST or not _warm(command, environ, asked, files):
            super()._execute_child(*values)  # type: ignore[misc]
            return
        self.pid = _parent().start(message, files)
        self._child_created = True
        self._close_pipe_fds(*(asked[name] for name in _PIPES))  # type: ignore[attr-defined]


_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


def run(
    args: Sequence[str],
    *,
    capture_output: bool = False,
    check: bool = False,
    timeout: float | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run`, with `Popen` of this module."""
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(args, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def _warm(command: list[str], environ: Mapping[str, str], asked: Mapping[str, Any], files: list[int]) -> bool:
    """Whether a fork of the parent is what this process would be."""
    return (
        sys.platform == "linux"
        and os.environ.get("SYNCLINE_TEST_COLD") != "1"
        and command[0] == sys.executable
        and command[1:2] in (["-m"], ["-c"])
        and all(asked[name] == usual for name, usual in _ORDINARY.items())
        and _at_start(environ) == _at_start({**ENVIRON, "PYTHONPATH": str(ROOT)})
        and not any(map(os.isatty, files))
    )


def _at_start(environ: Mapping[str, str]) -> dict[str, str]:
    found = {name: value for name, value in environ.items() if AT_START.match(name)}
    if found.get("PYTHONPATH") == str(ROOT):
        del found["PYTHONPATH"]  # the parent has it
    return found


class _Parent:
    """The parent of the warm processes of this one."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Threads of an allocator would not be there in a child.
        quiet = dict.fromkeys(("_RJEM_MALLOC_CONF", "JE_ARROW_MALLOC_CONF"), "background_thread:false")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_parent", str(theirs.fileno())],
                env={**ENVIRON, "PYTHONPATH": str(ROOT), **quiet},
                cwd=ROOT,
                # Pipes, as its children have mostly: what `sys.stdout` is, is settled when an interpreter starts.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )

    def there(self) -> bool:
        """Whether it can start processes of this one; a fork of this process has none yet."""
        return self.owner == os.getpid() and self._process.poll() is None

    def start(self, message: bytes, files: list[int]) -> int:
        """The process id of a new process, which is a child of this one."""
        with self._lock:
            socket.send_fds(self._control, [message], files)
            answer = self._control.recv(64)
        if not answer:
            raise ChildProcessError(
                f"the parent of warm processes has ended: {self._process.communicate()[1].decode()}"
            )
        if not (process := int(answer)):
            raise ChildProcessError("the system has no room for another process")
        return process

    def end(self) -> None:
        """Lets it end; in a fork of the process that started it, only forgets it."""
        self._control.close()
        if self.owner == os.getpid():
            self._process.communicate()


_parents: list[_Parent] = []
_starting = threading.Lock()


def _parent() -> _Parent:
    with _starting:
        if _parents and not _parents[0].there():
            _parents.pop().end()
        if not _parents:
            _parents.append(_Parent())
        return _parents[0]
