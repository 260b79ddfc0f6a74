"""A commit that brings a configuration back to what it was at another: the way back goes through Git as every other.

The commit is made from Git's objects, on a branch of its own: neither the work tree nor the index is touched, and no
hook runs. Nothing is applied by it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from syncline.manifests.commits import commit_on, said
from syncline.manifests.repository import POSITIONS, git
from syncline.manifests.revisions import resolved
from syncline.model.errors import Invalid


class Revert(Struct, frozen=True):
    """The commit that was made, the one that it goes back to, and the branch that it is on."""

    commit: str
    to: str
    branch: str


def revert(root: Path, revision: str, branch: str = "", positions: str = "") -> Revert:
    """
    Makes a commit on top of HEAD in which the folder `root` is as it was at a revision.

    With `positions`, a commit, it says that flows go back to where they were under that one; the plan of it does that.

    `Invalid` for no such revision (SYN262), for one that HEAD doesn't come after (SYN671), where nothing differs
    (SYN672), and for a branch that is there already (SYN673); `Stalled` (SYN674) when Git refuses.
    """
    to, head = resolved(root, revision), resolved(root, "HEAD")
    if git(root, "merge-base", "--is-ancestor", to, head) is None:
        raise Invalid(
            f"{to[:12]} is not an ancestor of HEAD, {head[:12]}",
            code="SYN671",
            help="Give a commit that came before the one that is checked out; `syncline history` lists those applied.",
        )
    tree = _tree(root, head, to)
    if tree == said(root, "rev-parse", f"{head}^{{tree}}"):
        raise Invalid(f"the configuration is that of {to[:12]} already", code="SYN672")
    message = f"Roll back to {to[:12]}\n\nThe configuration is as it was at {to}."
    if positions:
        message += f"\n\n{POSITIONS}: {positions}"
    made = commit_on(root, head, tree, message, branch or f"rollback-{to[:12]}")
    return Revert(made.commit, to, made.branch)


def applied_at(root: Path, revision: str, applied: Iterable[str]) -> str:
    """The newest of the `applied` commits, newest first, that a revision is or comes after; itself for lack of one."""
    to = resolved(root, revision)
    known = (commit for commit in applied if commit)
    return next((c for c in known if git(root, "merge-base", "--is-ancestor", c, to) is not None), to)


def _tree(root: Path, head: str, to: str) -> str:
    """HEAD's tree, with the folder as it was."""
    folder = (git(root, "rev-parse", "--show-prefix") or "").strip().rstrip("/")
    if not folder:
        return said(root, "rev-parse", f"{to}^{{tree}}")
    top = Path(said(root, "rev-parse", "--show-toplevel"))
    with tempfile.TemporaryDirectory() as aside:
        index = {"GIT_INDEX_FILE": str(Path(aside) / "index")}
        said(top, "read-tree", head, **index)
        said(top, "rm", "-r", "-q", "--cached", "--ignore-unmatch", "--", folder, **index)
        said(top, "read-tree", f"--prefix={folder}/", f"{to}:{folder}", **index)
        return said(top, "write-tree", **index)
