"""What Git says of the folder that manifests are loaded from: commit, branch, and whether it differs from the commit.

Asks the `git` command with hooks, pagers, helpers and prompts off: a repository's own configuration starts nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

TIMEOUT: Final = 30.0

# What a repository's own configuration could make `git` start, or write.
SAFE: Final = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.pager=cat",
    "-c", "core.untrackedCache=false",
    "-c", "protocol.allow=never",
)  # fmt: skip
#: What could make an index overlook what differs.
_PLAIN: Final = ("-c", "core.sparseCheckout=false", "-c", "core.ignoreStat=false")
#: How the author of a commit and its first line are asked for.
AUTHOR: Final = "--format=%an <%ae>%x00%s"
#: The trailer of a commit that goes back to the positions of an earlier one, and how it is asked for.
POSITIONS: Final = "Syncline-Positions"
TRAILER: Final = f"--format=%(trailers:key={POSITIONS},valueonly)"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
ENVIRONMENT: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
}


class Revision(Struct, frozen=True):
    """A commit (40 or 64 hex digits) and its branch ('' when detached). `dirty`: what is there is not that commit.

    Outside Git, and before the first commit: no commit, and dirty. `back_to`, where that is known already, is the
    commit whose positions are gone back to.
    """

    commit: str = ""
    dirty: bool = True
    branch: str = ""
    back_to: str | None = None

    def __str__(self) -> str:
        if not self.commit:
            return "no commit"
        return self.commit[:12] + (" (with uncommitted changes)" if self.dirty else "")


def revision(root: Path) -> Revision:
    """The revision of the folder. Only changes under the folder make it dirty; ignored files don't."""
    commit = git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if not commit:
        return Revision()
    status = git(root, "status", "--porcelain=v1", "--untracked-files=all", "--ignore-submodules=none", "--", ".")
    branch = git(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    return Revision(commit.strip(), status is None or bool(status.strip()), (branch or "").strip())


def uncommitted(root: Path, commit: str, loaded: Iterable[str]) -> str:
    """
    A file below a folder that isn't as a commit has it; '' where all are. `loaded` are files that have to be in it.

    Compared is what is there, in an index made for that: what Git's own was told to overlook (assume-unchanged,
    skip-worktree) counts, and so does what it ignores, where it was loaded.
    """
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": f"{folder}/index"}
        made = git(root, *_PLAIN, "read-tree", commit, **index) if commit else None
        differing = (
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=no",
            "--no-renames",
            "--ignore-submodules=none",
        )
        changed = git(root, *_PLAIN, *differing, "--", ".", **index) if made is not None else None
        listed = git(root, "ls-tree", "-r", "-z", "--name-only", commit) if changed is not None else None
    if changed is None or listed is None:
        return "all of it"
    if changed:
        return changed.partition("\0")[0][3:]
    known, top = set(listed.split("\0")), root.resolve()
    for name in sorted(loaded):
        real = (root / name).resolve()
        behind = real.relative_to(top).as_posix() if real.is_relative_to(top) else name
        if name not in known or behind not in known:
            return name
    return ""


def author_of(root: Path, commit: str) -> tuple[str, str]:
    """Whose commit it is (`Name <address>`) and its first line; empty where Git doesn't know it here."""
    said = git(root, "log", "-1", AUTHOR, commit, "--") if commit else None
    name, _, subject = (said or "").partition("\0")
    return name, subject.strip()


def back_to(root: Path, applied: str, head: str) -> str:
    """The commit whose positions are gone back to, as the newest commit after the applied one says; '' for none."""
    if not applied or head == applied or git(root, "merge-base", "--is-ancestor", applied, head) is None:
        return ""  # what was applied may be of another history, or of a commit that isn't here
    return trailer(git(root, "log", TRAILER, f"{applied}..{head}", "--") or "")


def trailer(said: str) -> str:
    """The first commit that `git log` with `TRAILER` names."""
    return next((line for line in said.split() if _COMMIT.fullmatch(line)), "")


def git(root: Path, *arguments: str, **environ: str) -> str | None:
    """Standard output of a git command in the folder; None when it fails or there is no git."""
    try:
        done = run_git(root, *arguments, keep=(), **environ)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", errors="replace") if done.returncode == 0 else None


def run_git(
    root: Path, *arguments: str, keep: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[bytes]:
    """
    A git command in the folder, ended. OSError where there is no git, TimeoutExpired where it takes too long.

    Of Git's own variables only those that begin with one of `keep` come from the environment; `environ` is added.
    """
    ours = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or (keep and k.startswith(keep))}
    return subprocess.run(
        ["git", *SAFE, "-C", str(root), *arguments],
        env=ours | ENVIRONMENT | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
