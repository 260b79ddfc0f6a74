"""Who made the commits of a change: the question to git, and what its answer means. Who made it can't approve it.

Commits that touch nothing but approvals don't count, since approvers make those. A merge counts where it has files that
are like neither side's: what a merge changes by itself has an author as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.manifests.environments import FILE
from syncline.manifests.environments import FOLDER as ENVIRONMENTS
from syncline.manifests.overlay import declared
from syncline.manifests.repository import git, uncommitted
from syncline.model.errors import Stalled
from syncline.reconciler.approvals import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.model.plan import Basis

#: For each commit: addresses of the author and of the committer, who signed it by the keys that count (of an OpenPGP
#: key, `Name <address>`), and with which key.
_FORMAT = "%x00%ae%x1f%ce%x1f%GS%x1f%GF"
_UNSIGNED = "%x00%ae%x1f%ce%x1f%x1f"


def question(commits: str, prefix: str, *, signed: bool) -> list[str]:
    """The arguments of git for commits (`base..new`, or all up to one) that change something below a folder."""
    folder = f"{prefix}/" if prefix else ""
    left_out = [f":(top,exclude,glob){folder}{FOLDER}/*.{ending}" for ending in ("json", "sig")]
    return [
        "log",
        "--full-history",
        "--diff-merges=combined",
        "--name-only",
        "--no-renames",
        f"--format={_FORMAT if signed else _UNSIGNED}",
        commits,
        "--",
        f":(top){folder}",
        *left_out,
    ]


def authors_here(root: Path, base: str, commit: str) -> frozenset[str]:
    """
    Who made the commits of the repository around a folder after a base up to one; of all, where the base isn't before
    it. Addresses only: which signatures are trusted is the daemon's to know. `Stalled` (SYN724) where Git can't tell.
    """
    prefix = (git(root, "rev-parse", "--show-prefix") or "").strip().rstrip("/")
    after = base and base != commit and git(root, "merge-base", "--is-ancestor", base, commit) is not None
    said = git(root, *question(f"{base}..{commit}" if after else commit, prefix, signed=False))
    if said is None:
        raise Stalled(
            f"who made the commits up to {commit[:12] or 'now'} can't be found out here",
            code="SYN724",
            help="Apply from a clone that has the whole history.",
        )
    return answer(said.encode())


def untold_here(root: Path, environment: str, basis: Basis) -> str:
    """Why nobody knows who made what is planned; '' where all that is loaded is as the commit of the basis has it."""
    loaded = declared(root, environment)
    files = {manifest.place.file for manifest in loaded.manifests}
    files |= {name for name in loaded.files if name == FILE or name.startswith(f"{ENVIRONMENTS}/")}
    approvals = root / FOLDER
    files |= {f"{FOLDER}/{path.name}" for path in approvals.iterdir()} if approvals.is_dir() else set()
    other = uncommitted(root, basis.revision, files) or ("some of it" if basis.dirty else "")
    return f"what is applied isn't committed ({other}), so that nobody knows who made it" if other else ""


def answer(output: bytes) -> frozenset[str]:
    """Names and keys of authors, names in lower case: addresses as commits have them, and those of signatures."""
    found: set[str] = set()
    for record in output.decode("utf-8", "replace").split("\0")[1:]:
        about, _, files = record.partition("\n")
        if not files.strip():
            continue  # a merge that only joins
        author, committer, signer, key = (*about.split("\x1f"), "", "", "")[:4]
        named = signer.strip().casefold()
        bare = named.rpartition("<")[2].removesuffix(">")
        found |= {author.strip().casefold(), committer.strip().casefold(), named, bare, key.strip()}
    return frozenset(found - {""})
