"""A daemon's process that follows a repository on Git's own servers: commits that are pushed there are applied."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests import warm
from tests.e2e.daemon import SCHEDULE, UPSERT, Serving, home, until
from tests.e2e.house import FLOW, audit_ok, settings_of
from tests.look import Look
from tests.peers.systems.git_servers import PASSWORD
from tests.peers.test_git_servers import Upstream, file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.peers.systems.git_servers import GitServer

pytestmark = pytest.mark.slow


@contextmanager
def following(root: Path, server: GitServer, name: str, *options: str, **environ: str) -> Iterator[Serving]:
    """`syncline serve` on a repository of the server, with nothing of the account's own but what is said."""
    command = [sys.executable, "-m", "syncline", "--root", str(root), "serve", "--source", server.address(name)]
    path = f"{server.bin}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "SYNCLINE_ACTOR": "tests", "NO_COLOR": "1", **environ}
    with warm.Popen([*command, "--poll", "0.3", *options], env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Serving(process)
        finally:
            process.kill()


def manifests(texts: dict[str, str]) -> list[tuple[str, str, str]]:
    """Files of a commit."""
    return [file(name, text) for name, text in sorted(texts.items())]


def follows(daemon: Serving, upstream: Upstream, root: Path) -> None:
    """Applies a commit, runs what it schedules, and applies a second one, which retires the schedule."""
    first = upstream.commit(manifests({**UPSERT.texts, "schedule.yaml": SCHEDULE}))
    daemon.says(f"{first[:12]} is applied")
    look = Look(settings_of(root).state_url)
    until(lambda: any(run.receipt is not None for run in look.runs(FLOW)), lambda: "\n".join(daemon.said))
    second = upstream.commit(manifests(UPSERT.texts), first)
    daemon.says(f"{second[:12]} is applied")
    assert look.applied_under("")[0] == second
    assert look.runs(FLOW)[-1].revision == first


def kept(root: Path, secret: bytes) -> list[Path]:
    """Files of the daemon's folder that have a secret in them."""
    return [path for path in root.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_a_daemon_follows_a_repository_over_https(git_https, tmp_path):
    """Behind a certificate of a private authority and a token: two commits are applied, and the token is kept nowhere."""
    root = home(tmp_path, 20)
    upstream = Upstream(git_https, "served", tmp_path / "mirror")
    options = ["--user", "git", "--password", "env:GIT_TOKEN"]
    with following(root, git_https, "served", *options, GIT_TOKEN=PASSWORD) as daemon:
        follows(daemon, upstream, root)
        assert PASSWORD not in "\n".join(daemon.said)
    assert kept(root, PASSWORD.encode()) == []
    assert audit_ok(settings_of(root))


def test_a_daemon_without_the_token_says_so_until_it_has_it(git_https, tmp_path):
    """A token that isn't let in is told with its code; the commit is applied once the file has the one that is."""
    root, token = home(tmp_path, 20), tmp_path / "token"
    token.write_text("another")
    token.chmod(0o600)
    upstream = Upstream(git_https, "refused", tmp_path / "mirror")
    commit = upstream.commit(manifests(UPSERT.texts))
    with following(root, git_https, "refused", "--user", "git", "--password", f"file:{token}") as daemon:
        daemon.says("SYN668")
        token.write_text(PASSWORD)
        daemon.says(f"{commit[:12]} is applied")


def test_a_daemon_follows_a_repository_over_ssh(git_ssh, tmp_path):
    """With a key by its secret and known hosts of its own: two commits are applied, and the key is kept nowhere."""
    root = home(tmp_path, 20)
    upstream = Upstream(git_ssh, "served", tmp_path / "mirror")
    key, known = (git_ssh.folder / "user").read_text(), tmp_path / "known_hosts"
    known.write_text((git_ssh.bin / "known").read_text())
    options = ["--ssh-key", "env:DEPLOY_KEY", "--known-hosts", str(known)]
    with following(root, git_ssh, "served", *options, DEPLOY_KEY=key) as daemon:
        follows(daemon, upstream, root)
    assert kept(root, key.splitlines()[2].encode()) == []
    assert audit_ok(settings_of(root))
