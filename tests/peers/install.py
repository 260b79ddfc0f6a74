"""
Installing systems that other people wrote: once per machine, outside the repository, by whichever test asks first.

Everything goes below `home()`: a folder for each Python environment and each set of npm packages, named after what is
in it, so that another version is another folder. Debian packages go where Debian puts them, and only as root. A folder
counts when its `installed` mark is there: an install that was cut off is done again. `python -m tests.peers.install`
does all of it beforehand.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tests.servers import unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INSTALL_SECONDS = 1800


def home() -> Path:
    """The folder of all installs: `SYNCLINE_PEERS_HOME`, else one in the user's cache."""
    folder = Path(os.environ.get("SYNCLINE_PEERS_HOME") or Path.home() / ".cache" / "syncline-peers")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def missing(reason: str) -> NoReturn:
    """Skip the test for want of a system; fail it where `SYNCLINE_TEST_REQUIRE` lists `peers`."""
    unavailable("peers", reason)


def program(name: str) -> str:
    """The path of a program of this machine."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    return found or missing(f"no program {name} on PATH")


def python_environment(name: str, *requirements: str) -> Path:
    """The `bin` folder of an environment that has the requirements, pinned as `name==version`."""
    folder = _folder(name, requirements)
    with _once(folder) as wanted:
        if wanted:
            _run([sys.executable, "-m", "venv", str(folder)])
            _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements])
    return folder / "bin"


def node_modules(name: str, *packages: str) -> Path:
    """The `node_modules` folder with the packages, pinned as `name@version`. Their install scripts aren't run."""
    folder = _folder(name, packages)
    npm = program("npm")
    with _once(folder) as wanted:
        if wanted:
            (folder / "package.json").write_text('{"private": true}\n')
            _run([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", *packages], cwd=folder)
    return folder / "node_modules"


def debian(*packages: str) -> None:
    """Makes sure that Debian packages are installed. Installing needs root; their services aren't to be started."""
    absent = [package for package in packages if not _has_debian(package)]
    if not absent:
        return
    if not shutil.which("apt-get"):
        missing(f"not a Debian system, which has the packages {', '.join(absent)}")
    if os.geteuid() != 0:
        missing(f"the Debian packages {', '.join(absent)} aren't installed, and only root may install them")
    with _lock("debian"):
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *absent]
        if subprocess.run(install, env=environ, capture_output=True, check=False).returncode:
            _run(["apt-get", "update", "--quiet"], env=environ)
            _run(install, env=environ)


def _has_debian(package: str) -> bool:
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"
    except FileNotFoundError:
        return False


def _folder(name: str, contents: Sequence[str]) -> Path:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256("\n".join([python, *contents]).encode()).hexdigest()
    return home() / f"{name}-{digest[:12]}"


@contextmanager
def _once(folder: Path) -> Iterator[bool]:
    """Whether the block has to install into the folder; then marks it as installed."""
    mark = folder / "installed"
    with _lock(folder.name):
        if mark.exists():
            yield False
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield True
        mark.touch()


@contextmanager
def _lock(name: str) -> Iterator[None]:
    """Held by one process of this machine at a time."""
    with (home() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        missing(f"{' '.join(command)}: {error}")
    if done.returncode:
        missing(f"{' '.join(command)} failed: {(done.stderr or done.stdout)[-2000:]}")
