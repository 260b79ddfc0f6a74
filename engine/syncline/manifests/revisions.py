"""Connectors as they are in files, or were at another revision of the repository, read by the `git` command."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from syncline.manifests.load import load_text
from syncline.manifests.repository import git
from syncline.model.errors import Invalid
from syncline.model.manifest import Manifest

_MENTION: Final = "kind[\"']*:[ \t]*[\"']*Connector"


def connectors_of(texts: Iterable[tuple[str, str]]) -> tuple[Manifest, ...]:
    """The valid connectors in texts, given by the file that they are of."""
    manifests = [m for file, text in texts for m in load_text(text, file).manifests]
    return tuple(m for m in manifests if m.key.kind == "Connector")


def connectors_at(root: Path, revision: str, path: str = ".") -> tuple[Manifest, ...]:
    """
    The connectors at a revision, below a path relative to the root. What was no valid manifest then is left out.

    `Invalid` (SYN262) where there is no such revision, or no such path in it.
    """
    commit = resolved(root, revision)
    listed = git(root, "ls-tree", "--name-only", commit, "--", path if path != "." else "./")
    if not listed:
        raise _unreadable(f"{revision} has no {path!r}" if path != "." else f"{revision} has nothing in this folder")
    pattern = git(root, "grep", "--no-recurse-submodules", "-l", "-z", "-I", "-E", "-e", _MENTION, commit, "--", path)
    names = sorted(name.partition(":")[2] for name in (pattern or "").split("\0") if name)
    texts = [(name, git(root, "show", f"{commit}:./{name}")) for name in names if name.endswith((".yaml", ".yml"))]
    return connectors_of((name, text) for name, text in texts if text is not None)


def resolved(root: Path, revision: str) -> str:
    """The commit that a revision means; `Invalid` (SYN262) for none."""
    safe = revision and not revision.startswith("-") and "\0" not in revision and ":" not in revision
    found = (
        git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}") if safe else None
    )
    if not found:
        raise _unreadable(f"there is no revision {revision!r} in this repository")
    return found.strip()


def _unreadable(message: str) -> Invalid:
    return Invalid(
        message,
        code="SYN262",
        help="Give a commit, a branch or a tag that Git knows here. A shallow clone has no others: fetch it first.",
    )
