"""A repository that somebody else works in, for tests of whoever follows it."""

from __future__ import annotations

import os
import subprocess

GIT = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


class Upstream:
    """A repository that somebody else works in."""

    def __init__(self, folder):
        self.path = folder / "upstream"
        self.path.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments, feed=None):
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            env={**os.environ, **GIT}, check=True, capture_output=True, text=True, input=feed,
        )  # fmt: skip
        return done.stdout.strip()

    def commit(self, files, *options):
        """Writes these files and commits everything; the commit."""
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change", *options)
        return self.git("rev-parse", "HEAD")

    def commit_entry(self, mode, name, text="x", digest=""):
        """Commits a tree of one entry that a work tree could not hold."""
        digest = digest or self.git("hash-object", "-w", "--stdin", feed=text)
        kind = {"160000": "commit", "040000": "tree"}.get(mode, "blob")
        # mktree takes names that `git add` refuses; NUL ends an entry, so that a name may hold anything else.
        tree = self.git("mktree", "-z", "--missing", feed=f"{mode} {kind} {digest}\t{name}\0")
        commit = self.git("commit-tree", tree, "-m", "hostile")
        self.git("update-ref", "refs/heads/main", commit)
        return commit


def files(root):
    return {str(p.relative_to(root)): p.read_text() for p in sorted(root.rglob("*")) if p.is_file()}
