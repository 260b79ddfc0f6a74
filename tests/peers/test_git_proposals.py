"""Branches that are proposed at Git's own servers, over HTTPS with a password and over SSH with a key."""

from __future__ import annotations

import pytest

from syncline.daemon.git.branches import Draft, Tip
from syncline.model.errors import Again, Stalled, SynclineError
from tests.peers.test_git_servers import Upstream, file, server, upstream  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow
BRANCH = "syncline/adopt/acme/Sync/customers"
MESSAGE = "Adopt\n\nSyncline-Adopts: c0ffee"


def test_a_branch_is_pushed_found_and_moved_and_not_over_what_others_pushed(upstream):  # noqa: F811 - the fixture
    """By the credentials of the source a commit becomes a branch; one that isn't as it was looked at stays."""
    base = upstream.commit([file("a.yaml", "a: 1\n"), file("b.yaml", "b: 1\n")])
    upstream.git("config", "http.receivepack", "true")
    repository = upstream.follow()
    repository.head()
    branches = repository.branches()
    assert branches.base() == base
    assert branches.tip(BRANCH) is None

    first = branches.push(BRANCH, Draft(base, "a.yaml", "a: 2\n", MESSAGE), "")
    assert branches.tip(BRANCH) == Tip(first, base, "c0ffee")
    assert upstream.git("rev-parse", f"refs/heads/{BRANCH}", "refs/heads/main").split() == [first, base]
    assert upstream.git("show", f"{first}:a.yaml") == "a: 2"
    assert upstream.git("diff", "--name-only", base, first) == "a.yaml"

    with pytest.raises(Again) as caught:
        branches.push(BRANCH, Draft(base, "a.yaml", "a: 3\n", MESSAGE), "")
    assert caught.value.code == "SYN729"
    second = branches.push(BRANCH, Draft(base, "a.yaml", "a: 3\n", MESSAGE), first)
    other = upstream.follow().branches()  # one that never saw the objects, as after a takeover
    assert other.tip(BRANCH) == Tip(second, base, "c0ffee")
    theirs = upstream.commit([file("a.yaml", "a: 4\n")], second, branch=BRANCH)
    assert branches.tip(BRANCH) == Tip(theirs)
    with pytest.raises(Stalled):
        branches.push("main", Draft(base, "a.yaml", "a: 5\n", MESSAGE), base)


def test_who_may_only_read_is_told_so(upstream):  # noqa: F811 - the fixture
    """A server that takes no push, or no push of this login, leaves an error for a person, and its branches as they were."""
    base = upstream.commit([file("a.yaml", "a: 1\n")])
    upstream.git("config", "http.receivepack", "false")
    hook = upstream.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    hook.chmod(0o755)
    repository = upstream.follow()
    repository.head()
    with pytest.raises(SynclineError) as caught:
        repository.branches().push(BRANCH, Draft(base, "a.yaml", "a: 2\n", MESSAGE), "")
    assert isinstance(caught.value, Stalled)
    assert caught.value.code == ("SYN729" if upstream.server.url.startswith("ssh") else "SYN668")
    assert upstream.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
