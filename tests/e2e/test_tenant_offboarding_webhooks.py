"""Webhooks of a tenant that leaves: they go on sending, so that the proof doesn't say that all is deleted."""

from __future__ import annotations

from syncline import workflow
from syncline.tenancy.offboarding import offboard
from tests.e2e.house import build
from tests.e2e.leaving import commit, git, left, statement, wanted
from tests.e2e.test_remote_webhooks import CANARY, PUSH, found, host, with_secret
from tests.hook_server import manifests

__all__ = ["host"]


def test_webhooks_that_are_registered_are_not_overlooked(host, tmp_path):
    """While some are registered it isn't finished; given up, they are named and the proof says incomplete."""
    root = tmp_path / "repo"
    root.mkdir()
    settings = with_secret(build(root, manifests(host, PUSH)), CANARY)
    (root / ".gitignore").write_text(".syncline/\n")
    git(root, "init", "-q")
    commit(root, "One")
    workflow.apply(settings)
    found(settings, heal=True)
    for name in ("tenant", "auth", "forge"):
        (root / f"{name}.yaml").unlink()
    commit(root, "It leaves")
    workflow.apply(settings, allow_deletes=True)
    assert host.hooks

    done, proof = offboard(settings, "acme", wanted(settings), lambda _: None)
    assert (done.finished, proof) == ("", b"")
    assert left(settings)[0]
    _, proof = offboard(settings, "acme", wanted(settings, give_up=True), lambda _: None)
    said = statement(proof)["predicate"]
    assert said["outcome"] == "incomplete"
    (step,) = [one for one in said["steps"] if one["what"] == "webhook"]
    assert (step["subject"], step["state"], step["count"]) == ("acme/Integration/forge", "left", 1)
    assert "push" in step["message"]
