"""The daemon's source against Git's own servers, over HTTPS and SSH: who is let in, what may pass, what is refused."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syncline.daemon.git import source as module
from syncline.daemon.git.access import Access
from syncline.daemon.git.command import Stop
from syncline.daemon.git.source import GitSource, SourceRepository
from syncline.model.errors import Again, Invalid, Stalled
from syncline.secrets.contract import Context, Reference
from tests.peers.install import program
from tests.peers.systems.git_servers import PASSWORD, git_https, git_ssh, login_with
from tests.unit.daemon.upstream import GIT, files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.peers.systems.git_servers import GitServer

pytestmark = pytest.mark.slow


class Elsewhere:
    """A web server that somebody is sent to, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(str(self.headers))
                self.send_error(404)

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture(params=["git_https", "git_ssh"])
def server(request, monkeypatch) -> GitServer:
    """Each of the two, as its clients know it."""
    found = request.getfixturevalue(request.param)
    monkeypatch.setenv("PATH", f"{found.bin}:{os.environ['PATH']}")
    return found


class Upstream:
    """A repository on the server, written to where it lies, and a mirror that is fetched from the server."""

    def __init__(self, server: GitServer, name: str, home: Path) -> None:
        self.server = server
        self.name = name
        self.home = home
        self.path = server.repository(name)

    def git(self, *arguments: str, feed: str | bytes = "") -> str:
        text = feed.encode() if isinstance(feed, str) else feed
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            env={**os.environ, **GIT}, check=True, capture_output=True, input=text,
        )  # fmt: skip
        return done.stdout.decode().strip()

    def commit(self, entries, *parents: str, branch: str = "main") -> str:
        """A commit of `(mode, name, contents)`; the contents of a submodule are a commit's id."""
        lines = b""
        for mode, name, contents in entries:
            kind = "commit" if mode == "160000" else "blob"
            digest = contents if kind == "commit" else self.git("hash-object", "-w", "--stdin", feed=contents)
            lines += f"{mode} {kind} {digest}\t{name}\0".encode()
        tree = self.git("mktree", "-z", "--missing", feed=lines)
        before = [word for parent in parents for word in ("-p", parent)]
        commit = self.git("commit-tree", tree, *before, "-m", "change")
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def follow(self, password: str = PASSWORD, *, name: str = "", timeout: float = 60, **options) -> SourceRepository:
        """The mirror. Over HTTPS it logs in by a secret; over SSH the account's own settings have the key."""
        source = GitSource(self.server.address(name or self.name), **options)
        access = Access()
        if source.protocol == "https" and password:
            access = Access(Context(self.home, {"TOKEN": password}), "git", Reference("env", "TOKEN"))
        return SourceRepository(source, self.home, access, timeout=timeout)


@pytest.fixture
def upstream(server, request, tmp_path) -> Iterator[Upstream]:
    name = f"r{abs(hash(request.node.nodeid))}"
    yield Upstream(server, name, tmp_path / "home")
    server.fault("")


def file(name: str, contents: str | bytes = "x"):
    return ("100644", name, contents)


def big(upstream: Upstream, *parents: str) -> str:
    """A commit that takes well over what the wrapper lets through when it cuts."""
    return upstream.commit([file("big", os.urandom(600_000))], *parents)


def clean(repository: SourceRepository) -> bool:
    """Whether nothing half done is left of a fetch."""
    return not any((repository._mirror / "objects" / "pack").glob("tmp_*"))


def test_with_the_right_credentials_commits_are_followed(upstream):
    """Clone, fetch and the files of a commit; the password is in no file of the mirror."""
    repository = upstream.follow()
    first = upstream.commit([file("a.yaml", "a: 1\n")])
    assert repository.head() == first
    second = upstream.commit([file("a.yaml", "a: 2\n")], first)
    assert repository.head() == second
    repository.check_history(first, second)
    assert files(repository.snapshot(second).root) == {"a.yaml": "a: 2\n"}
    kept = [path for path in upstream.home.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert kept == []


def test_with_the_wrong_credentials_a_person_has_to_act(upstream):
    """Who isn't let in is told so, by a code of its own and without the password; it isn't tried again and again."""
    upstream.commit([file("a.yaml")])
    if upstream.server.url.startswith("ssh"):
        login_with(upstream.server, "stranger")
    try:
        with pytest.raises(Stalled) as caught:
            upstream.follow("wrong-canary").head()
    finally:
        if upstream.server.url.startswith("ssh"):
            login_with(upstream.server, "user")
    assert caught.value.code == "SYN668"
    assert "canary" not in caught.value.message


def test_without_credentials_nobody_is_asked(upstream):
    """Without a password there is no prompt that a daemon would wait at."""
    upstream.commit([file("a.yaml")])
    if upstream.server.url.startswith("ssh"):
        pytest.skip("a key is all that SSH is asked with")
    with pytest.raises(Stalled) as caught:
        upstream.follow("").head()
    assert caught.value.code == "SYN668"


def test_a_repository_that_is_not_there(upstream):
    """A wrong path is a person's business over HTTPS; over SSH git only says that it could not read."""
    with pytest.raises((Stalled, Again)) as caught:
        upstream.follow(name="absent").head()
    assert caught.value.code == ("SYN661" if upstream.server.url.startswith("ssh") else "SYN668")


def test_a_server_that_nobody_knows_is_not_spoken_to(upstream):
    """An unknown host key, or a certificate of an unknown authority, ends it before credentials are sent."""
    upstream.commit([file("a.yaml")])
    known = (upstream.server.bin / "known").read_text()
    others = {"https": other_authority, "ssh": other_host_key}[upstream.server.url.partition(":")[0]]
    try:
        for what in ("", others(upstream)):
            upstream.server.knowing(what)
            with pytest.raises(Stalled) as caught:
                upstream.follow().head()
            assert caught.value.code == "SYN667"
    finally:
        upstream.server.knowing(known)


def other_authority(upstream: Upstream) -> str:
    from tests.peers.pki import Authority

    return Authority(upstream.home.parent / "other").ca.read_text()


def other_host_key(upstream: Upstream) -> str:
    address = upstream.server.url.removeprefix("ssh://").partition("@")[2].partition("/")[0]
    return f"[127.0.0.1]:{address.partition(':')[2]} {(upstream.server.folder / 'stranger.pub').read_text()}"


def test_a_redirection_is_not_followed(tmp_path, monkeypatch):
    """A repository that moved to another host is a person's business; the other host isn't asked, nor told anything."""
    elsewhere = Elsewhere()
    folder = tmp_path / "server"
    folder.mkdir()
    with git_https(folder, elsewhere.url) as server:
        monkeypatch.setenv("PATH", f"{server.bin}:{os.environ['PATH']}")
        moved = server.url.removesuffix("/git") + "/moved/any.git"
        with pytest.raises(Stalled) as caught:
            SourceRepository(GitSource(moved), tmp_path / "home").head()
    elsewhere.server.shutdown()
    elsewhere.server.server_close()
    assert caught.value.code == "SYN669"
    assert elsewhere.asked == []


def test_a_server_that_hangs_is_given_up(upstream):
    """What never answers may pass: it is given up at its time, and asked again later."""
    commit = upstream.commit([file("a.yaml")])
    upstream.server.fault("hang")
    repository = upstream.follow(timeout=2)
    with pytest.raises(Again, match="took more than 2 s"):
        repository.head()
    upstream.server.fault("")
    assert upstream.follow().head() == commit


def test_a_fetch_from_a_server_that_hangs_can_be_stopped(upstream):
    """Who doesn't want it any more ends it at once, with whatever git started; the next one gets all of it."""
    commit = upstream.commit([file("a.yaml")])
    upstream.server.fault("hang")
    stop, caught = Stop(), []

    def fetch() -> None:
        try:
            upstream.follow().head(stop)
        except Again as error:
            caught.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    time.sleep(1.0)
    began = time.monotonic()
    stop.ask()
    thread.join(30)
    assert time.monotonic() - began < 2
    assert [error.message.partition("the fetch of")[0] for error in caught] == [""]
    upstream.server.fault("")
    assert upstream.follow().head() == commit


def test_a_key_and_the_servers_key_by_their_names(git_ssh, tmp_path, monkeypatch):
    """A key that is a secret lets in where the account has none, and known hosts of our own are what counts."""
    upstream = Upstream(git_ssh, "keyed", tmp_path / "home")
    commit = upstream.commit([file("a.yaml")])
    # An ssh without the account's settings: neither a key nor a server that it knows.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {program("ssh")} -F /dev/null "$@"\n')
    (tmp_path / "bin" / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    known, empty = tmp_path / "known hosts", tmp_path / "empty"
    known.write_text((git_ssh.bin / "known").read_text())
    empty.write_text("")
    environ = {name: (git_ssh.folder / name).read_text().rstrip() for name in ("user", "stranger")}

    def fetched(key: str, hosts: Path) -> str:
        access = Access(Context(tmp_path, environ), ssh_key=Reference("env", key), known_hosts=hosts)
        return SourceRepository(GitSource(git_ssh.address("keyed")), tmp_path / "home", access).head()

    assert fetched("user", known) == commit
    for key, hosts, code in (("stranger", known, "SYN668"), ("user", empty, "SYN667")):
        with pytest.raises(Stalled) as caught:
            fetched(key, hosts)
        assert caught.value.code == code
    kept = [path for path in upstream.home.rglob("*") if path.is_file() and b"OPENSSH" in path.read_bytes()]
    assert kept == []


def test_a_password_that_was_replaced_counts_without_a_restart(git_https, tmp_path, monkeypatch):
    """A token in a file that is renewed is the one that the next fetch takes."""
    monkeypatch.setenv("PATH", f"{git_https.bin}:{os.environ['PATH']}")
    upstream = Upstream(git_https, "renewed", tmp_path / "home")
    commit = upstream.commit([file("a.yaml")])
    token = tmp_path / "token"
    token.write_text("old")
    token.chmod(0o600)
    access = Access(Context(tmp_path, {}), "git", Reference("file", str(token)))
    repository = SourceRepository(GitSource(git_https.address("renewed")), tmp_path / "home", access)
    with pytest.raises(Stalled) as caught:
        repository.head()
    assert caught.value.code == "SYN668"
    token.write_text(f"{PASSWORD}\n")
    assert repository.head() == commit


def test_an_answer_that_ends_in_the_middle_leaves_nothing(upstream):
    """A pack that is cut off is one that may pass; what came of it is gone, and the next fetch gets all of it."""
    commit = big(upstream)
    repository = upstream.follow()
    upstream.server.fault("cut")
    with pytest.raises(Again) as caught:
        repository.head()
    assert caught.value.code == "SYN661"
    upstream.server.fault("")
    assert repository.head() == commit
    assert clean(repository)


@contextmanager
def second_server(kind: str, folder: Path) -> Iterator[GitServer]:
    """A server that may be ended."""
    folder.mkdir()
    with {"https": git_https, "ssh": git_ssh}[kind](folder) as server:
        yield server


@pytest.mark.parametrize("kind", ["https", "ssh"])
def test_a_server_that_goes_away_may_come_back(kind, tmp_path, monkeypatch):
    """One that ends while it is asked, and one that isn't there any more, may pass."""
    with second_server(kind, tmp_path / "server") as server:
        monkeypatch.setenv("PATH", f"{server.bin}:{os.environ['PATH']}")
        upstream = Upstream(server, "one", tmp_path / "home")
        commit = upstream.commit([file("a.yaml")])
        repository = upstream.follow()
        assert repository.head() == commit
    with pytest.raises(Again) as caught:
        repository.head()
    assert caught.value.code == "SYN661"


def test_more_than_may_be_fetched_is_refused(upstream, monkeypatch):
    """A pack above the bound ends the fetch while it comes, whatever the server sends, and nothing of it stays."""
    first = upstream.commit([file("a.yaml")])
    repository = upstream.follow()
    assert repository.head() == first
    big(upstream, first)
    monkeypatch.setattr(module, "MAX_PACK", 100_000)
    with pytest.raises(Invalid) as caught:
        repository.head()
    assert caught.value.code == "SYN665"
    assert clean(repository)


def test_history_is_fetched_whole_from_the_branch_only(upstream):
    """All of the branch's history comes, which a rewritten one is told by; other branches don't."""
    commits = [upstream.commit([file("a.yaml", "a: 0\n")])]
    commits += [upstream.commit([file("a.yaml", "a: 1\n")], commits[0])]
    other = upstream.commit([file("other.yaml")], branch="other")
    repository = upstream.follow()
    assert repository.head() == commits[1]
    repository.check_history(*commits)
    assert repository._git("cat-file", "-e", other).status != 0


def test_a_rewritten_history_and_a_branch_that_is_gone(upstream):
    """A force-push is told, and so is a branch that was deleted; the mirror keeps what was there."""
    first = upstream.commit([file("a.yaml", "a: 1\n")])
    repository = upstream.follow()
    assert repository.head() == first
    other = upstream.commit([file("a.yaml", "a: 2\n")])
    assert repository.head() == other
    with pytest.raises(Stalled) as caught:
        repository.check_history(first, other)
    assert caught.value.code == "SYN663"
    upstream.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(Invalid) as gone:
        repository.head()
    assert gone.value.code == "SYN662"
    assert files(repository.snapshot(first).root) == {"a.yaml": "a: 1\n"}


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (("120000", "link", "/etc/passwd"), {"SYN665"}),
        (("160000", "module", "1" * 40), {"SYN665"}),
        (file(".git"), {"SYN661", "SYN665"}),  # git's own check of what is fetched may be first
        (file("-rf"), {"SYN665"}),
        (file("a\x1b[31m"), {"SYN665"}),
    ],
)
def test_a_hostile_tree_is_refused(upstream, entry, code):
    """Links, submodules and names that lead elsewhere are refused whole, and nothing is written."""
    upstream.commit([entry])
    repository = upstream.follow()
    with pytest.raises((Invalid, Again)) as caught:
        repository.snapshot(repository.head())
    assert caught.value.code in code
    assert not any(repository._trees.iterdir())


def test_an_unsigned_commit_is_not_applied(upstream, tmp_path):
    """Where signatures are demanded, a commit without one is refused, whichever way it came."""
    signers = tmp_path / "signers"
    signers.write_text("")
    commit = upstream.commit([file("a.yaml")])
    repository = upstream.follow(allowed_signers=signers)
    assert repository.head() == commit
    with pytest.raises(Stalled) as caught:
        repository.snapshot(commit)
    assert caught.value.code == "SYN664"


def test_a_fetch_that_is_cut_off_with_its_server_ends_at_once(tmp_path, monkeypatch):
    """A server that dies while its answer is awaited ends the wait: nobody waits for the rest of the time limit."""
    caught: list[Again] = []
    folder = tmp_path / "server"
    with second_server("https", folder) as server:
        monkeypatch.setenv("PATH", f"{server.bin}:{os.environ['PATH']}")
        upstream = Upstream(server, "one", tmp_path / "home")
        upstream.commit([file("a.yaml")])
        repository = upstream.follow()
        server.fault("hang")

        def fetch() -> None:
            try:
                repository.head()
            except Again as error:
                caught.append(error)

        thread = threading.Thread(target=fetch)
        thread.start()
        time.sleep(1.0)  # so that it is likely to wait; where it isn't, it is refused, which is as good
    thread.join(60)
    assert not thread.is_alive()
    assert [error.code for error in caught] == ["SYN661"]
