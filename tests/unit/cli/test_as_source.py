"""Tests of `--as`: a team's pull request is checked beside what is applied of others, with a snapshot or the state."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from syncline import workflow
from syncline.cli.main import cli
from tests import repository
from tests.look import Look

SOURCE = """\
apiVersion: syncline/v1
kind: Source
metadata: {name: team}
spec:
  url: /srv/team.git
  declares: {tenants: [acme]}
"""
FIRST = {"tenant.yaml": repository.TENANT, "files.yaml": repository.FILES, "source.yaml": SOURCE}
FLOW = {"mapping.yaml": repository.MAPPING, "import.yaml": repository.IMPORT}


@pytest.fixture
def first(tmp_path):
    """What main declares, applied; its settings."""
    settings = repository.write(tmp_path / "first", FIRST)
    workflow.apply(settings)
    return settings


@pytest.fixture
def called(tmp_path, first):
    """Calls a command in the team's folder, on main's state; its exit code and output."""

    def call(texts, *arguments, **environ):
        repository.write(tmp_path / "team", texts)
        known = {"SYNCLINE_STATE": first.state_url, "SYNCLINE_HOME": str(first.home)} | environ
        done = CliRunner().invoke(cli, ["--root", str(tmp_path / "team"), *arguments], env=known)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    return call


def test_a_teams_tree_is_planned_and_applied_beside_the_others(called, first):
    """With --as it refers to what main declares, and retires nothing of it; without, it is main's and doesn't fit."""
    code, said = called(FLOW, "plan", "--as", "team")
    assert (code, "acme/Import/customers" in said, "Tenant" in said) == (0, True, False), said
    assert called(FLOW, "apply", "--yes", "--as", "team")[0] == 0
    assert {str(o.key): o.source for o in Look(first.state_url).objects()}["acme/Import/customers"] == "team"
    code, said = called({"import.yaml": repository.IMPORT}, "plan")
    assert (code, "SYN744" in said) == (1, True)


def test_a_teams_pull_request_is_checked_by_a_snapshot(called, first, tmp_path):
    """In CI there is a snapshot and no state: what the Source doesn't let it declare is found at its line."""
    snapshot, key = tmp_path / "state.snapshot", workflow.snapshot_key(first)
    snapshot.write_bytes(workflow.export_snapshot(first))
    elsewhere = {"SYNCLINE_STATE": f"sqlite:///{tmp_path}/none.db", "SYNCLINE_HOME": str(tmp_path / "none")}
    options = ["--snapshot", str(snapshot), "--snapshot-key", key, "--out", str(tmp_path / "out"), "--as", "team"]
    code, said = called(FLOW, "ci", "check", *options, **elsewhere)
    assert code == 0, said
    assert json.loads((tmp_path / "out" / "plan.json").read_text())["basis"]["source"] == "team"
    more = {**FLOW, "other.yaml": repository.TENANT.replace("acme", "other")}
    code, said = called(more, "ci", "check", *options, **elsewhere)
    assert (code, "SYN745" in said) == (1, True)
    assert "SYN745" in (tmp_path / "out" / "comment.md").read_text()


def test_mains_pull_request_is_told_what_a_team_uses(called, first, tmp_path):
    """What main takes away and a team's flow needs is a finding of main's check, with the team's place in its comment."""
    assert called(FLOW, "apply", "--yes", "--as", "team")[0] == 0
    left = repository.FILES.split("---")[1].lstrip()
    code, said = called({**FIRST, "files.yaml": left}, "ci", "check", "--out", str(tmp_path / "out"), "--as", "main")
    assert (code, "SYN221" in said) == (1, True), said
    assert "team:import.yaml" in (tmp_path / "out" / "comment.md").read_text()
