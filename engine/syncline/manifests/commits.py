"""Commits that are made from Git's objects, on a branch of their own: no work tree or index is touched."""

from __future__ import annotations

import subprocess
from pathlib import Path

from msgspec import Struct

from syncline.manifests.repository import git, run_git
from syncline.model.errors import Invalid, Stalled


class Made(Struct, frozen=True):
    """A commit that was made, and the branch that it is on."""

    commit: str
    branch: str


def commit_on(root: Path, head: str, tree: str, message: str, branch: str) -> Made:
    """
    Makes a commit of a tree on top of another, and a branch for it, signed where Git is configured to sign.

    `Invalid` (SYN673) for a name that is taken or can't be one; `Stalled` (SYN674) when Git refuses.
    """
    if branch.startswith("-") or git(root, "check-ref-format", f"refs/heads/{branch}") is None:
        raise Invalid(f"{branch!r} can't be the name of a branch", code="SYN673", help="Choose another by --branch.")
    if git(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"):
        raise Invalid(
            f"there is a branch {branch} already", code="SYN673", help="Choose another by --branch, or delete it."
        )
    signing = ["-S"] if (git(root, "config", "--type=bool", "commit.gpgsign") or "").strip() == "true" else []
    commit = said(root, "commit-tree", *signing, "-p", head, "-m", message, tree)
    said(root, "update-ref", f"refs/heads/{branch}", commit, "0" * len(commit))
    return Made(commit, branch)


def said(root: Path, *arguments: str, **environ: str) -> str:
    """What a git command says; `Stalled` when it fails. The identity of the author may come from the environment."""
    try:
        done = run_git(root, *arguments, keep=("GIT_AUTHOR", "GIT_COMMITTER"), **environ)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Stalled(f"git {arguments[0]} can't be run: {error}", code="SYN674") from error
    if done.returncode:
        reason = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it gave no reason"])[-1]
        raise Stalled(f"git {arguments[0]} failed: {reason}", code="SYN674")
    return done.stdout.decode("utf-8", "replace").strip()
