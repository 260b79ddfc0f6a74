"""A Git repository as the source of desired state: its commits are fetched, checked and taken out as plain files.

Asks the `git` command with hooks, helpers, filters and prompts off, into a bare mirror of our own. Files are written
from the objects themselves, so that nothing of the repository's configuration or attributes has a say. A repository is
not trusted: what could reach outside the folder, or is too much, is refused whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from syncline.daemon.git.access import Access, address, shown
from syncline.daemon.git.branches import Branches
from syncline.daemon.git.command import MOST, Done, GitCommand, Stop
from syncline.daemon.git.refusal import refusal
from syncline.daemon.git.signatures import Signatures, why_not
from syncline.daemon.own_disk import own_disk
from syncline.manifests.repository import AUTHOR, TRAILER, trailer
from syncline.model.errors import Again, Invalid, Stalled
from syncline.reconciler.authors import answer, question
from syncline.state.process import Process

#: Seconds that a command may take, unless told; fetching a large repository for the first time takes longest.
TIMEOUT: Final = 120.0
#: Most files of a snapshot, bytes of all of them, and bytes of one.
MAX_FILES, MAX_BYTES, MAX_FILE = 20_000, 256 * 1024 * 1024, 16 * 1024 * 1024
#: Most bytes of a file's name and of its path, as file systems have it, and most folders that are in each other.
MAX_NAME, MAX_PATH, MAX_DEPTH = 255, 2_048, 64
#: Most bytes of a pack that is fetched, and of the list of a snapshot's files.
MAX_PACK, MAX_LIST = 1024 * 1024 * 1024, 16 * 1024 * 1024
#: Packs of the mirror before they are made one; each fetch of something new adds one.
MAX_PACKS = 50
#: What git says of a signature that somebody known made: ssh-keygen's words, and gpg's.
_GOOD: Final = ('Good "git" signature for ', "[GNUPG:] VALIDSIG ")
#: Snapshots that are kept beside the newest.
_KEPT = 2
_URL = re.compile(r"(?P<scheme>https|ssh|file)://[^\s]+|(?P<scp>[\w.-]+@[\w.-]+:(?!/?/)[^\s:]+)|(?P<path>/[^\0\n]*)")
_REF = re.compile(r"(?!-)(?!.*(\.\.|@\{|//))[\w./+-]+(?<![./])")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@cache
def _boot() -> str:
    """The machine's start; where it can't be known, something that only this process has."""
    return Process.current().boot or secrets.token_hex(8)


class GitSource(Struct, frozen=True):
    """Where desired state is: a repository, one of branch, tag and commit, and a folder in it ('': the whole tree).

    With `allowed_signers` (ssh-keygen(1), ALLOWED SIGNERS), only commits that somebody in that file signed count; with
    `openpgp_keys`, those that one of these public keys signed. With both, either will do.

    >>> GitSource("https://git.example.com/config.git").ref
    'refs/heads/main'
    """

    url: str
    branch: str = "main"
    tag: str = ""
    commit: str = ""
    path: str = ""
    allowed_signers: Path | None = None
    openpgp_keys: Path | None = None

    def __post_init__(self) -> None:
        if _URL.fullmatch(self.url) is None:
            raise Invalid(
                f"{shown(self.url)!a} is not a repository that can be followed",
                code="SYN660",
                help="Give an https:// or ssh:// URL, user@host:path, or the absolute path of a repository.",
            )
        if "://" in self.url and urlsplit(self.url).password is not None:
            raise Invalid(
                f"the URL {shown(self.url)} is given with a password, which others can read on command lines",
                code="SYN741",
                help="Consider the password known. Give the URL without it, and name the secret: --password env:NAME "
                "(or file:PATH, sops:FILE#KEY).",
            )
        for name in filter(None, (self.tag, self.branch)):
            if _REF.fullmatch(name) is None:
                raise Invalid(f"{name[:80]!a} is no name of a branch or tag", code="SYN660")
        if self.commit and _COMMIT.fullmatch(self.commit) is None:
            raise Invalid(f"{self.commit[:80]!a} is no commit: give all of its digits", code="SYN660")
        if self.path.startswith("/") or ".." in self.path.split("/"):
            raise Invalid(f"{self.path[:80]!a} is no folder in a repository", code="SYN660")

    @property
    def protocol(self) -> str:
        """What Git speaks to it: `https`, `ssh` or `file`, the only one that is allowed."""
        match = _URL.fullmatch(self.url)
        assert match is not None
        return match["scheme"] or ("ssh" if match["scp"] else "file")

    @property
    def signed(self) -> bool:
        """Whether only signed commits count."""
        return self.allowed_signers is not None or self.openpgp_keys is not None

    @property
    def ref(self) -> str:
        """The name that is followed, in full; '' for a commit."""
        return "" if self.commit else f"refs/tags/{self.tag}" if self.tag else f"refs/heads/{self.branch}"


class Snapshot(Struct, frozen=True):
    """The files of a commit below the source's path, in a folder."""

    commit: str
    root: Path


class SourceRepository:
    """A mirror of a source, in a folder of its own. Used by one process at a time.

    `timeout` is in seconds, for each command of git. Each method raises `Again` or `Stalled` (SYN748) where files can't
    be kept on this machine.

    Example: `repository = SourceRepository(source, home); tree = repository.snapshot(repository.head())`.
    """

    def __init__(
        self, source: GitSource, home: Path, access: Access | None = None, *, timeout: float = TIMEOUT
    ) -> None:
        self._source = source
        self._access = access or Access()
        self._access.check(source.protocol)
        self._timeout = timeout
        self._home = home
        self._mirror = home / "mirror.git"
        self._trees = home / "trees"
        self._signatures = Signatures(home, source.allowed_signers, source.openpgp_keys)

    @property
    def ref(self) -> str:
        """The name that is followed, in full; '' for a commit."""
        return self._source.ref

    @property
    def prefix(self) -> str:
        """The folder of the configuration in it."""
        return self._source.path.strip("/")

    def branches(self) -> Branches:
        """Its branches, for commits that are proposed."""
        return Branches(self, self._mirror, self._source.url, self._source.protocol, self._access, self._timeout)

    @property
    def shown(self) -> str:
        """Its URL, as people may see it."""
        return shown(self._source.url)

    @own_disk()
    def head(self, stop: Stop | None = None) -> str:
        """
        Fetches, and gives the commit that the source means now. `stop` ends that from another thread, with `Again`.

        Raises `Again` (SYN661) where it can't be reached, `Stalled` where a person has to act for that (SYN667, SYN668,
        SYN669), `Invalid` (SYN662) where there is nothing of that name.
        """
        self._prepare()
        wanted = self._source.commit or self._source.ref
        allowed = ["-c", f"protocol.{self._source.protocol}.allow=always"]
        fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--force", "--", address(self._source.url)]
        self._clear()
        with self._access.environment(self._source.url) as more:
            command = GitCommand(self._mirror, self._timeout, more, stop)
            done = self._done(command, *allowed, *fetch, f"{wanted}:refs/followed", largest=MAX_PACK)
        said = done.error
        if done.status:
            if self._clear() >= MAX_PACK:
                raise Invalid(
                    f"{self.shown} has more than {MAX_PACK:,} bytes to fetch",
                    code="SYN665",
                    help="Follow a smaller repository, without large files in its history.",
                )
            if "couldn't find remote ref" in said or "not our ref" in said or "no such ref" in said:
                raise Invalid(
                    f"{self.shown} has no {wanted}",
                    code="SYN662",
                    help="Is the branch deleted or renamed? What was applied keeps running.",
                )
            if stop is not None and stop.asked:
                raise Again(f"the fetch of {self.shown} was stopped", code="SYN661")
            raise refusal(shown(said), self.shown)
        # Only tidies: where it fails or is late, the next fetch tries it again.
        tidy = ["-c", "gc.auto=6700", "-c", f"gc.autoPackLimit={MAX_PACKS}", "-c", "gc.autoDetach=false"]
        GitCommand(self._mirror, self._timeout, stop=stop).run(*tidy, "gc", "--auto", "--quiet")
        return self._out("rev-parse", "--verify", "refs/followed^{commit}").decode().strip()

    @own_disk()
    def check_history(self, applied: str, new: str) -> None:
        """`Stalled` (SYN663) unless the new commit comes after the one that is applied, or is asked for by its id."""
        if self._source.commit:
            return
        if self._git("merge-base", "--is-ancestor", applied, new).status:
            raise Stalled(
                f"history was rewritten: {applied[:12]}, which is applied, is not an ancestor of {new[:12]}",
                code="SYN663",
                help="Push a commit on top of the one that is applied, or, if the rewrite is meant, run "
                "`syncline apply` once in a clone of the new history.",
            )

    @own_disk()
    def snapshot(self, commit: str) -> Snapshot:
        """
        The files of a commit, checked and taken out; those of before are kept for a while.

        Raises `Stalled` (SYN664) for one that isn't signed as demanded, `Invalid` (SYN665) for a tree that is refused.
        """
        self._check_signature(commit)
        # One that was taken out before the machine's last start isn't used: after a loss of power its files may be cut.
        folder = hashlib.sha256(f"{self._source.path}\0{_boot()}".encode()).hexdigest()[:8]
        root = self._trees / f"{commit}-{folder}"
        if not root.is_dir():
            draft = Path(tempfile.mkdtemp(dir=self._trees))
            try:
                self._take_out(commit, draft)
                draft.rename(root)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
        os.utime(root)
        self._clean(root)
        return Snapshot(commit, root)

    @own_disk()
    def back_to(self, applied: str, commit: str) -> str:
        """The commit whose positions are gone back to, as the newest commit after the applied one says; '' for none."""
        if not applied or self._source.commit or self._git("merge-base", "--is-ancestor", applied, commit).status:
            return ""  # what was applied may be of another history, or of a commit that was never pushed
        return trailer(self._out("log", TRAILER, f"{applied}..{commit}", "--").decode("utf-8", "replace"))

    @own_disk()
    def author(self, commit: str) -> tuple[str, str]:
        """Whose commit it is (`Name <address>`) and its first line."""
        name, _, subject = self._out("log", "-1", AUTHOR, commit, "--").decode("utf-8", "replace").partition("\0")
        return name, subject.strip()

    @own_disk()
    def authors(self, base: str, commit: str) -> frozenset[str]:
        """
        Who made the commits after a base up to this one: addresses in lower case, and of signed commits the signers and
        their keys' fingerprints. Without a base, or with one that isn't in this history, of all commits.
        """
        after = base and base != commit and not self._git("merge-base", "--is-ancestor", base, commit).status
        asked = question(f"{base}..{commit}" if after else commit, self.prefix, signed=self._signatures.demanded)
        done = self._judging(*asked)
        if done.status or done.cut:
            raise Stalled(
                f"who made the commits up to {commit[:12]} can't be found out: {_first(done.error) or 'too many'}",
                code="SYN724",
            )
        return answer(done.output)

    # --- files

    def _take_out(self, commit: str, folder: Path) -> None:
        entries = list(self._entries(commit))
        names = [digest for _, digest, _ in entries]
        with GitCommand(self._mirror, self._timeout).reading("cat-file", "--batch", asked=names) as contents:
            for path, digest, size in entries:
                about = contents.readline().split()
                data = contents.read(size + 1)  # a newline follows
                if about != [digest.encode(), b"blob", b"%d" % size] or len(data) != size + 1:
                    raise Again(f"{commit[:12]}: {path[:200]!a} can't be read from the mirror", code="SYN661")
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data[:-1])

    def _entries(self, commit: str) -> Iterator[tuple[str, str, int]]:
        """Path below the source's folder, object and size of each file; refuses what must not be there."""
        prefix = self.prefix
        tree = f"{commit}:{prefix}" if prefix else commit
        done = self._git("ls-tree", "-r", "-z", "-l", "--full-tree", tree, most=MAX_LIST)
        if done.status and not done.cut:
            raise Invalid(f"{commit[:12]} has no folder {prefix!a}: {_first(done.error)}", code="SYN665")
        listed = done.output
        seen: dict[str, str] = {}
        total = 0
        for number, line in enumerate(listed.split(b"\0")[:-1], 1):
            about, _, name = line.partition(b"\t")
            mode, kind, digest, size = about.decode().split()
            path = name.decode(errors="replace")
            wrong = _wrong(path, mode, kind)
            if not wrong and (other := _same(path, seen)):
                wrong = f"is the same as {other[:80]!a} where case or accents don't count"
            amount = int(size) if size.isdecimal() else 0
            total += amount
            if not wrong and amount > MAX_FILE:
                wrong = f"has {amount:,} bytes; at most {MAX_FILE:,} are read"
            if wrong:
                raise Invalid(
                    f"{commit[:12]}: {path[:200]!a} {wrong}",
                    code="SYN665",
                    help="Nothing of the commit is applied. Remove the entry, or follow a folder without it (--path).",
                )
            if number > MAX_FILES or total > MAX_BYTES:
                raise Invalid(
                    f"{commit[:12]} has more than {MAX_FILES:,} files or {MAX_BYTES:,} bytes",
                    code="SYN665",
                    help="Follow the folder of the configuration only (--path).",
                )
            yield path, digest, amount
        if done.cut:
            raise Invalid(f"{commit[:12]} has a list of files of more than {MAX_LIST:,} bytes", code="SYN665")

    def _clean(self, newest: Path) -> None:
        others = sorted((p for p in self._trees.iterdir() if p != newest), key=lambda p: p.stat().st_mtime)
        for old in others[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    # --- git

    def _prepare(self) -> None:
        self._trees.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._home.chmod(0o700)
        if not (self._mirror / "HEAD").exists():
            self._mirror.mkdir(exist_ok=True)
            self._out("init", "--quiet", "--bare", "--template=")

    def _check_signature(self, commit: str) -> None:
        if not self._signatures.demanded:
            return
        done = self._judging("-c", "gpg.minTrustLevel=fully", "verify-commit", "--raw", "--", commit)
        said = done.error
        if done.status or not any(good in said for good in _GOOD):
            raise Stalled(
                f"{commit[:12]} is not signed by anybody in {self._signatures.names}: "
                f"{why_not(said) or _first(said) or 'it has no signature'}",
                code="SYN664",
                help="Sign it (git commit -S) with an allowed key, or add the key to the file.",
            )

    def _judging(self, *arguments: str) -> Done:
        """A command that judges signatures by what is demanded of them."""
        command = GitCommand(self._mirror, self._timeout, self._signatures.environment())
        return self._done(command, *self._signatures.settings(), *arguments, most=MAX_LIST)

    def _out(self, *arguments: str) -> bytes:
        done = self._git(*arguments)
        if done.status:
            raise Stalled(f"git {arguments[0]} failed: {_first(done.error)}", code="SYN661")
        return done.output

    def _git(self, *arguments: str, most: int = MOST) -> Done:
        return self._done(GitCommand(self._mirror, self._timeout), *arguments, most=most)

    def _done(self, command: GitCommand, *arguments: str, most: int = MOST, largest: int = 0) -> Done:
        done = command.run(*arguments, most=most, largest=largest)
        if done.late:
            raise Again(f"{self.shown} took more than {self._timeout:g} s", code="SYN661")
        return done

    def _clear(self) -> int:
        """Removes packs that a fetch left half written; gives the bytes of the largest."""
        largest = 0
        for left in (self._mirror / "objects" / "pack").glob("tmp_*"):
            largest = max(largest, left.stat().st_size)
            left.unlink()
        return largest


def _wrong(path: str, mode: str, kind: str) -> str:
    """Why a tree's entry is refused, or ''."""
    if kind != "blob":
        return "is a submodule, which isn't followed"
    if stat.S_ISLNK(int(mode, 8)):
        return "is a symbolic link, which isn't followed"
    parts = path.split("/")
    if any(part in {"", ".", ".."} or part.casefold() in {".git", "git~1"} for part in parts):
        return "is no path that files may have"
    if any(part.startswith("-") for part in parts):
        return "begins with `-`, as options of commands do"
    if "\\" in path or "\ufffd" in path or not path.isprintable():
        return "has characters that file names may not have"
    if any(len(part.encode()) > MAX_NAME for part in parts) or len(path.encode()) > MAX_PATH:
        return f"is too long: at most {MAX_NAME} bytes for a name, and {MAX_PATH:,} for a path"
    if len(parts) > MAX_DEPTH:
        return f"is in more than {MAX_DEPTH - 1} folders"
    return ""


def _same(path: str, seen: dict[str, str]) -> str:
    """A folder or file seen before that differs from one of this path in case or Unicode form only, or ''."""
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        part = "/".join(parts[:depth])
        other = seen.setdefault(unicodedata.normalize("NFC", unicodedata.normalize("NFC", part).casefold()), part)
        if other != part:
            return other
    return ""


def _first(said: str) -> str:
    """What git said first, without credentials."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return shown(lines[0].removeprefix("fatal: ")[:200]) if lines else ""
