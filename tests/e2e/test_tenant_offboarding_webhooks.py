"""Webhooks of a tenant that leaves: deleted at their systems, and told where they can't be."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from msgspec import structs

from syncline import workflow
from syncline.executor.drift.webhook_steps import registered
from syncline.executor.drift.webhook_systems import dumped, systems
from syncline.executor.services.facilities import open_facilities
from syncline.tenancy.offboarding import expect, offboard
from tests.e2e.house import audit_events, audit_ok, build, settings_of
from tests.e2e.leaving import commit, git, left, statement, wanted
from tests.e2e.test_remote_webhooks import CANARY, FORGE, PUSH, found, host, with_secret
from tests.hook_server import manifests
from tests.sampling import stride

__all__ = ["host"]

PUSH_STEP = "acme/Integration/forge/push"
OTHER_STEP = "acme/Integration/forge/other"
TWO = PUSH.replace("{push:", "{other: {url: 'https://syncline.example.com/other', events: [issues]}, push:")


def declared(root, host, webhooks=PUSH):
    """A tenant whose webhooks are registered."""
    root.mkdir(parents=True)
    settings = with_secret(build(root, manifests(host, webhooks)), CANARY)
    (root / ".gitignore").write_text(".syncline/\n")
    git(root, "init", "-q")
    commit(root, "One")
    workflow.apply(settings)
    assert not found(settings, heal=True).unknown
    return settings


def gone(settings, *names):
    """These manifests are retired by a commit."""
    for name in names:
        (settings.root / f"{name}.yaml").unlink()
    commit(settings.root, "It leaves")
    workflow.apply(settings, allow_deletes=True)
    return settings


def leaves(settings, **how):
    return offboard(settings, "acme", wanted(settings, **how), lambda _: None)


def forgotten(settings):
    """What the state knows of the webhooks is lost, as before a state was restored from a backup."""
    with open_facilities(settings) as facilities:
        facilities.store.put_cursor(FORGE, '{"webhooks": {}}')


def steps(done):
    return {step.subject: (step.state, step.count) for step in done.steps if step.what == "webhook"}


def test_what_was_registered_is_deleted_at_the_system(host, tmp_path):
    """Ours go, the others stay; each deletion is in the journal, in the proof and in the log, and the proof is whole."""
    settings = declared(tmp_path / "repo", host, TWO)
    theirs = host.add({"events": ["push"], "active": True, "config": {"url": "https://ci.example/"}})
    assert len(host.hooks) == 3
    gone(settings, "tenant", "auth", "forge")
    assert expect(settings, "acme").webhooks == (OTHER_STEP, PUSH_STEP)
    done, proof = leaves(settings)
    assert done.finished
    assert steps(done) == {OTHER_STEP: ("done", 1), PUSH_STEP: ("done", 1)}
    assert list(host.hooks) == [theirs]
    said = statement(proof)["predicate"]
    assert said["outcome"] == "deleted"
    assert {one["subject"] for one in said["steps"] if one["what"] == "webhook"} == {OTHER_STEP, PUSH_STEP}
    deleted = [e for e in audit_events(settings) if e["metadata"]["event_code"] == "webhook.delete"]
    assert sorted(e["unmapped"]["details"]["webhook"] for e in deleted) == ["other", "push"]
    assert audit_ok(settings)
    assert left(settings) == ({}, False)


def test_what_an_integration_left_behind_before_is_deleted_as_well(host, tmp_path):
    """Webhooks of an integration that was retired before its tenant, and of one that declares them no more."""
    texts = manifests(host, PUSH)
    settings = declared(tmp_path / "repo", host, TWO)
    (settings.root / "forge.yaml").write_text(texts["forge.yaml"])  # `other` isn't declared any more, nor deleted yet
    commit(settings.root, "Fewer")
    workflow.apply(settings, allow_deletes=True)
    gone(settings, "forge")
    gone(settings, "tenant", "auth")
    done, _ = leaves(settings)
    assert done.finished
    assert steps(done) == {OTHER_STEP: ("done", 1), PUSH_STEP: ("done", 1)}
    assert not host.hooks


def test_an_integration_that_comes_back_knows_its_webhooks(host, tmp_path):
    """Declared again, it registers nothing twice: what it had registered is still its own."""
    settings = declared(tmp_path / "repo", host)
    text = (settings.root / "forge.yaml").read_text()
    gone(settings, "forge")
    (settings.root / "forge.yaml").write_text(text)
    commit(settings.root, "Back")
    workflow.apply(settings)
    one = found(settings, heal=True)
    assert (one.unknown, one.findings) == ("", ())
    assert host.changes() == ["POST /api/v1/repos/acme/flows/hooks"]


@pytest.mark.parametrize("trouble", ["refused", "changed", "unknown", "secret"])
def test_what_cant_be_deleted_is_told_and_tried_again(host, tmp_path, trouble):
    """It isn't finished, and says what to do; given up, the proof says incomplete. Nothing of others is deleted."""
    settings = declared(tmp_path / "repo", host)
    match trouble:
        case "refused":
            host.forbids = "DELETE"
            says = "SYN"
        case "changed":
            host.change(1, {"config": {"url": "https://elsewhere.example/x"}})
            says = "webhook 1 there may be it"
        case "unknown":
            forgotten(settings)
            says = "webhook 1 there may be it"
        case _:
            says = "FORGE_TOKEN"
    gone(settings, "tenant", "auth", "forge")
    if trouble == "secret":
        environ = {name: text for name, text in settings.environ.items() if name != "FORGE_TOKEN"}
        settings = replace(settings, environ=environ)
    before = dict(host.hooks)

    done, proof = leaves(settings)
    assert (done.finished, proof) == ("", b"")
    (step,) = [one for one in done.steps if one.what == "webhook"]
    assert (step.subject, step.state) == (PUSH_STEP, "failed")
    assert says in step.message
    assert "delete it at the system, and add --give-up" in step.message
    assert left(settings)[0]
    assert host.hooks == before

    done, proof = leaves(settings, give_up=True)
    assert done.finished
    assert statement(proof)["predicate"]["outcome"] == "incomplete"
    assert steps(done)[PUSH_STEP][0] == "left"
    assert host.hooks == before


def test_one_that_isnt_deleted_keeps_no_other_there(host, tmp_path):
    """What a system says of one webhook isn't about the next: that is deleted, also where the first is given up."""
    settings = declared(tmp_path / "repo", host, TWO)
    host.keeps = next(number for number, hook in host.hooks.items() if hook["config"]["url"].endswith("/other"))
    gone(settings, "tenant", "auth", "forge")
    done, _ = leaves(settings, give_up=True)
    assert steps(done) == {OTHER_STEP: ("left", 1), PUSH_STEP: ("done", 1)}
    assert list(host.hooks) == [host.keeps]


def test_what_was_only_asked_for_is_not_taken_for_a_new_one_of_others(host, tmp_path):
    """No answer came to the registration, and somebody else has one at the same host since: that one stays."""
    settings = declared(tmp_path / "repo", host)
    with open_facilities(settings) as facilities:
        known = registered(facilities.store.cursor(FORGE))["push"]
        asked = structs.replace(known, id="", before=("7",))
        facilities.store.put_cursor(FORGE, dumped({"push": asked}, systems(facilities.store.cursor(FORGE))))
    host.change(1, {"config": {"url": "https://syncline.example.com/of-another-tenant"}})
    gone(settings, "tenant", "auth", "forge")
    done, _ = leaves(settings)
    (step,) = [one for one in done.steps if one.what == "webhook"]
    assert (step.state, list(host.hooks)) == ("failed", [1])
    assert "webhook 1 there may be it" in step.message


def test_one_that_is_gone_there_is_no_trouble(host, tmp_path):
    """Somebody deleted it there before: nothing is left to do, and nothing is counted."""
    settings = declared(tmp_path / "repo", host)
    host.hooks.clear()
    gone(settings, "tenant", "auth", "forge")
    done, proof = leaves(settings)
    assert steps(done) == {PUSH_STEP: ("done", 0)}
    assert statement(proof)["predicate"]["outcome"] == "deleted"


KILLED = """
import os, signal, sys
from pathlib import Path
from syncline.connectors.rest.webhooks import RestWebhooks
from syncline.executor.services.recorder import Recorder
from syncline.state.sql import SqlStore
from syncline.state.tenants import SqlTenants
from syncline.tenancy import offboarding
from tests.e2e.house import settings_of
from tests.e2e.test_remote_webhooks import CANARY, with_secret
root, at = Path(sys.argv[1]), int(sys.argv[2])
calls, watched = 0, False
def counted():
    global calls
    calls += watched
    if watched and calls == at:
        os.kill(os.getpid(), signal.SIGKILL)
def fused(owner, name):
    inner = getattr(owner, name)
    def call(*a, **k):
        counted()
        found = inner(*a, **k)
        counted()
        return found
    setattr(owner, name, call)
for owner, name in ((RestWebhooks, "delete"), (SqlStore, "put_cursor"), (SqlTenants, "put"), (Recorder, "record")):
    fused(owner, name)
leave = offboarding.webhooks.leave
def watching(*a, **k):
    global watched
    watched = True
    yield from leave(*a, **k)
    watched = False
offboarding.webhooks.leave = watching
settings = with_secret(settings_of(root), CANARY)
offboarding.offboard(settings, "acme", offboarding.Wanted(root.parent / "acme.zip"), lambda _: None)
"""


@pytest.mark.slow
def test_a_kill_at_any_step_is_gone_on_from(host, tmp_path):
    """Killed before or after a deletion, its acknowledgement or its journal, it goes on, and each was counted once."""
    base = declared(tmp_path / "base" / "repo", host, TWO)
    gone(base, "tenant", "auth", "forge")
    hooks = {number: dict(hook) for number, hook in host.hooks.items()}
    at, killed = 1, 0
    while True:
        host.hooks = {number: dict(hook) for number, hook in hooks.items()}
        folder = tmp_path / f"at{at}"
        shutil.copytree(tmp_path / "base", folder)
        command = [sys.executable, "-c", KILLED, str(folder / "repo"), str(at)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        settings = with_secret(settings_of(folder / "repo"), CANARY)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        killed += 1
        done, proof = leaves(settings)
        assert steps(done) == {OTHER_STEP: ("done", 1), PUSH_STEP: ("done", 1)}, at
        assert statement(proof)["predicate"]["outcome"] == "deleted", at
        assert not host.hooks, at
        assert audit_ok(settings), at
        shutil.rmtree(folder)
        at += stride(6)
    assert left(settings) == ({}, False)
    assert killed > 3
