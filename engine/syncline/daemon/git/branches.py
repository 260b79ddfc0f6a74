"""Branches of a source's repository on which commits are proposed; the one that is followed is never pushed to.

A commit is made from objects of the mirror, with no work tree, and pushed as one that must follow what the branch was
when it was looked at: what somebody else pushes in between stays.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from msgspec import Struct

from syncline.daemon.git.access import address, shown
from syncline.daemon.git.command import GitCommand
from syncline.daemon.git.refusal import refusal
from syncline.daemon.own_disk import own_disk
from syncline.model.errors import Again, Stalled, SynclineError
from syncline.model.proposal import BRANCHES

if TYPE_CHECKING:
    from syncline.daemon.git.access import Access
    from syncline.daemon.git.command import Done
    from syncline.daemon.git.source import Snapshot

#: The trailer that says why a commit was made: a digest of what it adopts.
CAUSE: Final = "Syncline-Adopts"
#: Who makes commits.
NAME, ADDRESS = "Syncline", "syncline@localhost"
#: Most bytes of what a branch brings that isn't in the mirror.
MAX_BRANCH: Final = 64 * 1024 * 1024
_IDENTITY: Final = {
    f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in (("NAME", NAME), ("EMAIL", ADDRESS))
}


class Tip(Struct, frozen=True):
    """The newest commit of a branch, and the one below it. `cause` is why a daemon made it, '' where others did."""

    commit: str
    base: str = ""
    cause: str = ""


class Draft(Struct, frozen=True):
    """A commit to be made on top of `base`, in which a file of the configuration has this text."""

    base: str
    file: str
    text: str
    message: str


class Repository(Protocol):
    """What branches are of: a mirror, `daemon/git/source.py`."""

    @property
    def shown(self) -> str:
        """Its URL, as people may see it."""

    @property
    def ref(self) -> str:
        """The name that is followed, in full; '' for a commit."""

    @property
    def prefix(self) -> str:
        """The folder of the configuration in it."""

    def snapshot(self, commit: str) -> Snapshot:
        """The files of a commit."""


@runtime_checkable
class Branching(Protocol):
    """A source that commits may be proposed to."""

    def branches(self) -> Branches:
        """Its branches."""


class Branches(Struct, frozen=True):
    """
    Branches of a repository, at the server. Each method raises as `SourceRepository.head` where that can't be reached,
    and `Stalled` (SYN729) for what it refuses. Safe for threads.
    """

    repository: Repository
    mirror: Path
    url: str
    protocol: str
    access: Access
    timeout: float

    def base(self) -> str:
        """The newest commit that was fetched of what is followed."""
        return self._said("rev-parse", "--verify", "refs/followed^{commit}")

    @own_disk()
    def tip(self, branch: str) -> Tip | None:
        """The newest commit of a branch at the server; None where there is no such branch."""
        ref = f"refs/heads/{branch}"
        listed = self._asked("ls-remote", "--", address(self.url), ref).output.decode("utf-8", "replace")
        commit = next((line.split("\t")[0] for line in listed.splitlines() if line.endswith(f"\t{ref}")), "")
        if not commit:
            return None
        if self._here("cat-file", "-e", f"{commit}^{{commit}}").status:
            fetch = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--force", "--", address(self.url))
            self._asked(*fetch, f"{ref}:refs/proposed/{branch}", largest=MAX_BRANCH)
        about = self._said("log", "-1", f"--format=%P%x00%ce%x00%(trailers:key={CAUSE},valueonly)", commit, "--")
        parents, committer, cause = about.split("\0")
        ours = committer == ADDRESS and len(parents.split()) == 1
        return Tip(commit, parents.strip(), cause.strip()) if ours else Tip(commit)

    def merged(self, commit: str, base: str) -> bool:
        """Whether a commit is part of another's history."""
        return self._here("merge-base", "--is-ancestor", commit, base).status == 0

    def same(self, file: str, one: str, other: str) -> bool:
        """Whether a file of the configuration is the same in two commits."""
        found = [
            self._here("rev-parse", "--verify", "--quiet", f"{commit}:{self._path(file)}") for commit in (one, other)
        ]
        return found[0].status == found[1].status == 0 and found[0].output == found[1].output

    @own_disk()
    def push(self, branch: str, draft: Draft, expected: str) -> str:
        """
        Makes a commit, and has the branch be that; the commit.

        `expected` is what the branch is now, '' for none: `Again` (SYN729) where it isn't any more.
        """
        if f"refs/heads/{branch}" == self.repository.ref or not branch.startswith(BRANCHES):
            raise Stalled(f"{branch} is no branch that commits are proposed on", code="SYN729")
        commit = self._commit(draft)
        ref = f"refs/heads/{branch}"
        lease = f"--force-with-lease={ref}:{expected}"
        try:
            self._asked("push", "--quiet", "--no-verify", lease, "--", address(self.url), f"{commit}:{ref}")
        except SynclineError as error:
            if "stale info" in error.message or "fetch first" in error.message:
                raise Again(f"somebody else pushed {branch} meanwhile", code="SYN729") from None
            raise
        return commit

    def _commit(self, draft: Draft) -> str:
        base, path = draft.base, self._path(draft.file)
        mode = self._said("ls-tree", "--format=%(objectmode)", base, "--", path)
        with tempfile.TemporaryDirectory() as aside:
            file, index = Path(aside) / "file", {"GIT_INDEX_FILE": str(Path(aside) / "index")}
            file.write_bytes(draft.text.encode())
            blob = self._said("hash-object", "-w", "--no-filters", "--", str(file))
            self._said("read-tree", base, more=index)
            self._said("update-index", "--cacheinfo", f"{mode},{blob},{path}", more=index)
            tree = self._said("write-tree", more=index)
        return self._said("commit-tree", "-p", base, "-m", draft.message, tree, more=_IDENTITY)

    def _path(self, file: str) -> str:
        return f"{self.repository.prefix}/{file}" if self.repository.prefix else file

    def _here(self, *arguments: str, more: dict[str, str] | None = None) -> Done:
        return GitCommand(self.mirror, self.timeout, more).run(*arguments)

    def _said(self, *arguments: str, more: dict[str, str] | None = None) -> str:
        done = self._here(*arguments, more=more)
        if done.status:
            reason = (done.error.strip().splitlines() or ["it gave no reason"])[0][:200]
            raise Stalled(f"git {arguments[0]} failed: {reason}", code="SYN729")
        return done.output.decode("utf-8", "replace").strip()

    def _asked(self, *arguments: str, largest: int = 0) -> Done:
        """A command that speaks to the server."""
        allowed = ("-c", f"protocol.{self.protocol}.allow=always")
        with self.access.environment(self.url) as more:
            done = GitCommand(self.mirror, self.timeout, more).run(*allowed, *arguments, largest=largest)
        if done.late:
            raise Again(f"{self.repository.shown} took more than {self.timeout:g} s", code="SYN661")
        if done.status:
            rejected = next((line.strip() for line in done.error.splitlines() if "rejected]" in line), "")
            if rejected:
                why = rejected.rpartition("(")[2].rstrip(")")[:200]
                raise Stalled(f"{self.repository.shown} doesn't take the branch: {why}", code="SYN729")
            raise refusal(shown(done.error), self.repository.shown)
        return done
