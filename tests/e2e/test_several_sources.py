"""One daemon that follows several repositories: each is applied for itself, and no trouble of one is another's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from syncline.model.key import ObjectKey
from tests import repository, warm
from tests.e2e.daemon import OFTEN, SCHEDULE, Remote, delivered, probed, runs, serving, until
from tests.e2e.house import FLOW, Scenario, audit_ok, settings_of
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.daemon import Serving

pytestmark = pytest.mark.slow

TEXTS = Scenario("upsert").texts
TEAMS = {name: text for name, text in TEXTS.items() if "kind: Sync" in text or "kind: Mapping" in text}
PLATFORMS = {name: text for name, text in TEXTS.items() if name not in TEAMS}
OTHER = repository.MAPPING.replace("name: customer", "name: other")


def source(name: str, remote: Remote, more: str = "") -> str:
    return f"""\
apiVersion: syncline/v1
kind: Source
metadata: {{name: {name}}}
spec:
  url: {remote.path}
  declares: {{tenants: [acme]}}
{more}"""


def made(folder: Path) -> Remote:
    folder.mkdir()
    return Remote(folder)


@pytest.fixture
def platform(tmp_path) -> Remote:
    return made(tmp_path / "platform")


@pytest.fixture
def team(tmp_path) -> Remote:
    return made(tmp_path / "team")


def standing(daemon: Serving) -> dict[str, Any]:
    """What the probe says."""
    port = int(daemon.says("probes at").split("127.0.0.1:")[1].split("/")[0])
    return probed(port, "/readyz")[1]


def status(root: Path) -> dict[str, dict[str, Any]]:
    """How the sources stand, by their name, as `syncline status` says it."""
    command = [sys.executable, "-m", "syncline", "--root", str(root), "status", "--output", "json"]
    done = warm.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    found = {}
    for one in json.loads(done.stdout)["sources"]:
        ready = next(c for c in one["conditions"] if c["type"] == "Ready")
        found[one["object"]] = {"ready": one["ready"], "commit": ready["observedRevision"], "why": ready["message"]}
    return found


def test_two_repositories_make_one_configuration(root, platform, team):
    """A team's flow runs through the platform's integrations, on the team's schedule, under the team's commit."""
    theirs = team.push({**TEAMS, "schedule.yaml": SCHEDULE})
    ours = platform.push({**PLATFORMS, "team.yaml": source("team", team)})
    with serving(root, platform, "--health", "127.0.0.1:0") as daemon:
        daemon.says(f"{ours[:12]} is applied")
        daemon.says(f"team: {theirs[:12]} is applied")
        until(lambda: runs(root) >= 2, lambda: "\n".join(daemon.said))
        found = standing(daemon)
        assert (found["commit"], found["problem"]) == (ours, "")
        assert found["sources"] == {"team": {"commit": theirs, "problem": ""}}
    look = Look(settings_of(root).state_url)
    assert {run.revision for run in look.runs(FLOW)} == {theirs}
    assert {name: (s["ready"], s["commit"]) for name, s in status(root).items()} == {
        "Source/main": ("True", ours), "Source/team": ("True", theirs),
    }  # fmt: skip
    assert audit_ok(settings_of(root))


def test_trouble_of_one_is_no_trouble_of_another(root, platform, team):
    """A team's bad commit, forced push and vanished repository are told of it alone; nothing is retired, others go on."""
    first = team.push({**TEAMS, "schedule.yaml": SCHEDULE})
    texts = {**PLATFORMS, "team.yaml": source("team", team)}
    platform.push(texts)
    with serving(root, platform, "--health", "127.0.0.1:0") as daemon:
        daemon.says(f"team: {first[:12]} is applied")
        bad = team.push({**TEAMS, "schedule.yaml": SCHEDULE.replace("Sync/customers", "Sync/custamers")})
        daemon.says(f"team: {bad[:12]} isn't applied: SYN")
        ours = platform.push({**texts, "other.yaml": OTHER})
        daemon.says(f"{ours[:12]} is applied")
        assert standing(daemon)["sources"]["team"]["commit"] == first

        good = team.push({**TEAMS, "schedule.yaml": SCHEDULE.replace("1s", "2s")})
        daemon.says(f"team: {good[:12]} is applied")
        rewritten = team.push(TEAMS, "--amend")
        daemon.says(f"team: {rewritten[:12]} isn't applied: SYN663")
        team.path.rename(team.path.with_name("away.git"))
        daemon.says("team: SYN661")
        again = platform.push(texts)
        daemon.says(f"{again[:12]} is applied")
        assert "SYN66" in status(root)["Source/team"]["why"]
        before = runs(root)
        until(lambda: runs(root) > before, lambda: "\n".join(daemon.said))
    look = Look(settings_of(root).state_url)
    assert look.object(OFTEN).source == "team"
    assert look.object(ObjectKey("acme", "Mapping", "other")) is None


def test_what_no_disk_holds_of_one_source_ends_no_daemon(root, platform, team):
    """A name that is too long for a file, and a folder that can't be written, are told of that source; others go on."""
    first = team.push(TEAMS)
    texts = {**PLATFORMS, "team.yaml": source("team", team)}
    platform.push(texts)
    with serving(root, platform, "--health", "127.0.0.1:0") as daemon:
        daemon.says(f"team: {first[:12]} is applied")
        blob = team._git(team.path, "rev-parse", "main:sync.yaml").strip()
        bad = long_named(team, blob, first)
        team._git(team.path, "update-ref", "refs/heads/main", bad)
        assert "is too long" in daemon.says(f"team: {bad[:12]} isn't applied: SYN665")

        trees = settings_of(root).home / "sources" / "team" / "trees"
        trees.rename(trees.with_name("away"))
        trees.write_text("in the way")
        daemon.says("team: SYN748")
        ours = platform.push({**texts, "other.yaml": OTHER})
        daemon.says(f"{ours[:12]} is applied")
        trees.unlink()
        refused = f"team: {bad[:12]} isn't applied: SYN665"
        until(lambda: sum(refused in line for line in daemon.said) == 2, lambda: "\n".join(daemon.said))


def long_named(remote: Remote, blob: str, parent: str) -> str:
    """A commit with a file whose name no file system takes, as no work tree could have made it."""
    tree = subprocess.run(
        ["git", "-C", str(remote.path), "mktree"],
        input=f"100644 blob {blob}\t{'a' * 300}\n",
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    return remote._git(remote.path, "commit-tree", tree, "-p", parent, "-m", "long").strip()


def test_a_source_that_could_not_be_opened_is_forgotten_when_it_is_gone(root, platform, team):
    """Its trouble is shown while it is declared, and no longer."""
    team.push(TEAMS)
    bad = source("team", team, "  password: {secretRef: {provider: env, key: TOKEN}}\n")
    platform.push({**PLATFORMS, "team.yaml": bad})
    with serving(root, platform, "--health", "127.0.0.1:0") as daemon:
        daemon.says("team: SYN742")
        assert "SYN742" in standing(daemon)["sources"]["team"]["problem"]
        ours = platform.push(PLATFORMS)
        daemon.says(f"{ours[:12]} is applied")
        until(lambda: not standing(daemon).get("sources"), lambda: "\n".join(daemon.said))


def test_a_commit_waits_for_the_one_that_it_needs(root, platform, team):
    """A team's commit that needs something of the platform's is applied once that is there, without a new push."""
    integrations = {name: text for name, text in PLATFORMS.items() if "kind: Integration" in text}
    tenant = {name: text for name, text in PLATFORMS.items() if name not in integrations}
    theirs = team.push(TEAMS)
    platform.push({**tenant, "team.yaml": source("team", team)})
    with serving(root, platform, "--poll", "3600", "--hook", "127.0.0.1:0", "--hook-secret", "env:HOOK") as daemon:
        daemon.says(f"team: {theirs[:12]} isn't applied: SYN")
        ours = platform.push({**PLATFORMS, "team.yaml": source("team", team)})
        port = int(daemon.says("push webhooks at").split("127.0.0.1:")[1].split("/")[0])
        assert delivered(port, ours, os.environ["HOOK"]) == 202
        daemon.says(f"{ours[:12]} is applied")
        daemon.says(f"team: {theirs[:12]} is applied")


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("HOOK", "a secret of the two of us")


def test_signatures_are_demanded_of_one_source(root, platform, team, tmp_path):
    """With allowed signers in its Source, only what they signed is applied of it; the platform's needs none."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signer = f"ann@example.com {key.with_suffix('.pub').read_text().strip()}"
    plain = team.push(TEAMS)
    platform.push({**PLATFORMS, "team.yaml": source("team", team, f"  allowedSigners: ['{signer}']\n")})
    with serving(root, platform) as daemon:
        daemon.says(f"team: {plain[:12]} isn't applied: SYN664")
        team._git(team.work, "config", "gpg.format", "ssh")
        team._git(team.work, "config", "user.signingkey", str(key))
        signed = team.push({**TEAMS, "other.yaml": OTHER}, "--gpg-sign")
        daemon.says(f"team: {signed[:12]} is applied")


def test_an_object_that_two_teams_declare_stays_with_the_first(root, platform, team, tmp_path):
    """The second is refused with the commit of the first; after a transfer it has it, and the first is told."""
    second = made(tmp_path / "second")
    first = team.push(TEAMS)
    texts = {**PLATFORMS, "team.yaml": source("team", team), "second.yaml": source("second", second)}
    platform.push(texts)
    with serving(root, platform) as daemon:
        daemon.says(f"team: {first[:12]} is applied")
        theirs = second.push(TEAMS)
        refused = daemon.says(f"second: {theirs[:12]} isn't applied: SYN")
        assert f"acme/Mapping/customer is declared by the source team, at {first[:12]}" in refused, refused
        moves = "  transfers: [{objects: [acme/Sync/customers, acme/Mapping/customer], from: team}]\n"
        platform.push({**texts, "second.yaml": source("second", second, moves)})
        daemon.says(f"second: {theirs[:12]} is applied")
        assert Look(settings_of(root).state_url).object(FLOW).source == "second"
        other = team.push({**TEAMS, "other.yaml": OTHER})
        daemon.says(f"team: {other[:12]} isn't applied: SYN")
        gone = team.push({"other.yaml": OTHER})
        daemon.says(f"team: {gone[:12]} is applied")
    assert Look(settings_of(root).state_url).object(FLOW).source == "second"
