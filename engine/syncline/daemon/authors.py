"""Who made the commits of a change: the question to git, and what its answer means. Who made it can't approve it.

Commits that touch nothing but approvals don't count, since approvers make those. A merge counts where it has files that
are like neither side's: what a merge changes by itself has an author as well.
"""

from __future__ import annotations

from syncline.reconciler.approvals import FOLDER

#: For each commit: addresses of the author and of the committer, who signed it by the file of allowed signers, and with
#: which key.
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


def answer(output: bytes) -> frozenset[str]:
    """Names and keys of authors, names in lower case: addresses as commits have them, and those of signatures."""
    found: set[str] = set()
    for record in output.decode("utf-8", "replace").split("\0")[1:]:
        about, _, files = record.partition("\n")
        if not files.strip():
            continue  # a merge that only joins
        author, committer, signer, key = (*about.split("\x1f"), "", "", "")[:4]
        found |= {author.strip().casefold(), committer.strip().casefold(), signer.strip().casefold(), key.strip()}
    return frozenset(found - {""})
