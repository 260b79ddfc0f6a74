"""Git commands in a mirror of an untrusted repository: each with a time limit, a bounded output and bounded files."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from msgspec import Struct

from syncline.manifests.repository import ENVIRONMENT, SAFE
from syncline.model.errors import Stalled
from syncline.model.tls import OLDEST

MOST: Final = 1 << 20  # bytes of output, unless told
_STRICT: Final = (
    "-c", "transfer.fsckObjects=true",
    "-c", "fetch.unpackLimit=1",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "credential.helper=",
    "-c", "core.symlinks=false",
    "-c", "submodule.recurse=false",
    "-c", "http.followRedirects=false",
    "-c", f"http.sslVersion=tlsv{OLDEST}",
)  # fmt: skip
#: How git calls ssh: it asks nobody, and speaks to no server that it doesn't know.
SSH: Final = "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20"
#: Git's own variable, which wins over `http.sslVersion`; of all that it may say this alone is heard.
_OLDER_TLS: Final = ("GIT_SSL_VERSION", "tlsv1.2")
#: Git's own variables of whom servers are known by, a file and a folder of authorities.
_AUTHORITIES: Final = ("GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
_ENVIRONMENT: Final = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS": "/bin/false",
}


class Done(Struct, frozen=True):
    """A command that ended: its exit status, output, what it said of errors, and whether a limit ended it."""

    status: int
    output: bytes
    error: str
    late: bool = False
    cut: bool = False


class Stop:
    """Ends commands from another thread: the one that runs, and those that would be begun after."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = False
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def asked(self) -> bool:
        """Whether nothing is to run any more."""
        return self._asked

    def ask(self) -> None:
        """Kills what runs. Returns at once."""
        with self._lock:
            self._asked = True
            if self._running is not None:
                _end(self._running)

    @contextlib.contextmanager
    def over(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Has a command end when that is asked while the block runs."""
        with self._lock:
            self._running = process
            if self._asked:
                _end(process)
        try:
            yield
        finally:
            with self._lock:
                self._running = None


class GitCommand:
    """Runs git in one bare repository; `timeout` is in seconds. `more` is for its environment, which only git may see;
    `stop` ends the command from outside.
    """

    def __init__(
        self, mirror: Path, timeout: float, more: Mapping[str, str] | None = None, stop: Stop | None = None
    ) -> None:
        self._mirror = mirror
        self._timeout = timeout
        self._stop = stop or Stop()
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | ENVIRONMENT
        name, version = _OLDER_TLS
        if os.environ.get(name) == version:
            self._environment[name] = version
        self._environment |= {name: os.environ[name] for name in _AUTHORITIES if name in os.environ}
        self._environment |= {"GIT_CONFIG_COUNT": "0", "GIT_SSH_COMMAND": SSH} | _ENVIRONMENT | dict(more or {})

    def run(self, *arguments: str, most: int = MOST, largest: int = 0) -> Done:
        """Runs a command. Output ends at `most` bytes (`cut`), a file it writes at `largest` (0: no limit)."""
        with tempfile.TemporaryFile() as errors:
            with self._process(arguments, subprocess.DEVNULL, errors, largest) as (process, late):
                assert process.stdout is not None
                output = process.stdout.read(most + 1)
                cut = len(output) > most
                if cut:
                    _end(process)
                status = process.wait()
            errors.seek(0)
            said = errors.read(MOST).decode("utf-8", errors="replace")
        return Done(status or int(cut), output[:most], said, late.is_set(), cut)

    @contextlib.contextmanager
    def reading(self, *arguments: str, asked: Iterable[str]) -> Iterator[IO[bytes]]:
        """The output of a command that reads the lines `asked`, as a stream that ends early when the time is over."""
        with tempfile.TemporaryFile() as questions:
            questions.writelines(f"{line}\n".encode() for line in asked)
            questions.seek(0)
            with self._process(arguments, questions, subprocess.DEVNULL, 0) as (process, _):
                assert process.stdout is not None
                yield process.stdout

    @contextlib.contextmanager
    def _process(
        self, arguments: Iterable[str], given: IO[bytes] | int, errors: IO[bytes] | int, largest: int
    ) -> Iterator[tuple[subprocess.Popen[bytes], threading.Event]]:
        words = ["git", *SAFE, *_STRICT, f"--git-dir={self._mirror}", *arguments]
        if largest:  # in blocks of 512 bytes
            words = ["/bin/sh", "-c", 'ulimit -f "$0" && exec "$@"', str(largest // 512 + 1), *words]
        late = threading.Event()
        try:
            process = subprocess.Popen(
                words,
                env=self._environment,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # so that what git started ends with it
            )
        except OSError as error:
            raise Stalled(
                f"The git command can't be started: {error.strerror}.", code="SYN661", help="Install git."
            ) from None

        def over() -> None:
            late.set()
            _end(process)

        clock = threading.Timer(self._timeout, over)
        clock.daemon = True
        clock.start()
        try:
            with self._stop.over(process):
                yield process, late
        finally:
            clock.cancel()
            _end(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills the command and all it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
