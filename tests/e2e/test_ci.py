"""What runs in CI, run as it stands: the steps of the workflow, the job for GitLab, the hooks of pre-commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from syncline import workflow
from syncline.manifests.scaffold import write
from syncline.settings import Settings, read_settings
from tests.api_server import Asked, Reply, api_server
from tests.docs.blocks import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "review-pull-requests.md"


def bash(script: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a script as runners do: `bash -e -o pipefail`, with our command on the path."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    kept = {"PATH": programs, "HOME": str(folder), "SYNCLINE_ACTOR": "ci", "NO_COLOR": "1"}
    if "PYTHONPATH" in os.environ:
        kept["PYTHONPATH"] = os.environ["PYTHONPATH"]
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=folder, env={**kept, **environ}, capture_output=True, text=True, check=False, timeout=120
    )


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A pull request's checkout: a configuration in a folder of a repository, which has the base branch, too."""
    folder = tmp_path / "checkout"
    write(folder / "config")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=base")
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    path = folder / "config" / "imports" / "customers.yaml"
    path.write_text(path.read_text().replace("maxRejects: 5%", "maxRejects: 1%"))
    git(folder, "commit", "--quiet", "--all", "--message=change")
    return folder


@pytest.fixture
def state(checkout, tmp_path) -> Settings:
    """A state elsewhere, in which the base of the pull request is applied."""
    settings = read_settings(checkout / "config", {"SYNCLINE_HOME": str(tmp_path / "home"), "SYNCLINE_ACTOR": "ada"})
    git(checkout, "checkout", "--quiet", "origin/main")
    workflow.apply(settings)
    git(checkout, "checkout", "--quiet", "main")
    return settings


def steps(job: str) -> dict[str, str]:
    """The scripts of a job of the reusable workflow, by the names of their steps."""
    found = yaml.safe_load((ROOT / ".github" / "workflows" / "plan.yml").read_text())["jobs"][job]["steps"]
    return {step["name"]: step["run"] for step in found if "run" in step}


class GitHub:
    """The comments of a pull request."""

    def __init__(self) -> None:
        self.comments: list[dict[str, object]] = []

    def __call__(self, asked: Asked) -> Reply:
        match asked.method, asked.path:
            case "GET", "/user":
                return Reply({}, 403)
            case "POST", "/graphql":
                return Reply({"data": {"viewer": {"login": "github-actions[bot]"}}})
            case "GET", "/repos/acme/config/issues/7/comments":
                return Reply(self.comments)
            case "POST", "/repos/acme/config/issues/7/comments":
                body = json.loads(asked.body)["body"]
                self.comments.append({"id": 1, "body": body, "user": {"id": 9, "login": "github-actions[bot]"}})
                return Reply(self.comments[-1], 201)
            case "PATCH", "/repos/acme/config/issues/comments/1":
                self.comments[0]["body"] = json.loads(asked.body)["body"]
                return Reply(self.comments[0])
            case _:
                return Reply({}, 404)


@pytest.mark.slow
def test_the_workflow_for_github_plans_and_comments(checkout, state, tmp_path):
    """Its scripts, run one after another: a plan against the snapshot, with no state there, ends in one comment."""
    runner = tmp_path / "runner"
    runner.mkdir()
    (runner / "state.snapshot").write_bytes(workflow.export_snapshot(state))
    job = {"GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(runner), "GITHUB_STEP_SUMMARY": str(runner / "summary.md")}
    check = {"ROOT": "config", "BASE": "main", "SYNCLINE_SNAPSHOT_KEY": workflow.snapshot_key(state)}

    done = bash(steps("check")["Check"], checkout, **job, **check)

    assert done.returncode == 0, done.stdout + done.stderr
    assert not (checkout / "config" / ".syncline").exists()
    summary = (runner / "summary.md").read_text()
    assert "### Syncline plan: 1 to update" in summary
    assert "state at serial 6" in summary

    event = runner / "event.json"
    event.write_text('{"pull_request": {"number": 7}}')
    token = {"GITHUB_TOKEN": "t", "GITHUB_REPOSITORY": "acme/config", "GITHUB_EVENT_PATH": str(event)}
    github = GitHub()
    with api_server(github) as server:
        for said in ("written", "unchanged"):
            done = bash(steps("comment")["Comment"], runner, **job, **token, GITHUB_API_URL=server.url)
            assert (done.returncode, done.stdout) == (0, f"The comment is {said}.\n"), done.stderr
    assert [str(c["body"]).split("\n")[:2] for c in github.comments] == [
        ["<!-- syncline-plan: config -->", "### Syncline plan: 1 to update"]
    ]


@pytest.mark.slow
def test_the_workflow_for_github_refuses_a_snapshot_of_others(checkout, state, tmp_path):
    """With another key, or without one, there is no plan, and the job fails."""
    (tmp_path / "state.snapshot").write_bytes(workflow.export_snapshot(state))
    done = bash(steps("check")["Check"], checkout, RUNNER_TEMP=str(tmp_path), ROOT="config", SYNCLINE_SNAPSHOT_KEY="")

    assert done.returncode == 1
    assert "error[SYN318]" in done.stderr


@pytest.mark.slow
def test_the_job_for_gitlab_plans(checkout, state, tmp_path):
    """The script that the page shows, against a snapshot that it fetches; reports are where it says."""
    (tmp_path / "published").write_bytes(workflow.export_snapshot(state))
    (shown,) = (b.text for b in blocks(PAGE.read_text()) if "merge_request_event" in b.text)
    job = yaml.safe_load(shown)["syncline"]
    scripts = [
        line for line in (*job["before_script"], *job["script"], *job["after_script"]) if "pip install" not in line
    ]
    environ = {
        **job["variables"],
        "SNAPSHOT_URL": (tmp_path / "published").as_uri(),
        "SYNCLINE_SNAPSHOT_KEY": workflow.snapshot_key(state),
        "SYNCLINE_ROOT": "config",
    }

    done = bash("\n".join(scripts), checkout, **environ)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Plan: 1 to update." in done.stdout
    reports = [*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()]
    assert [path for path in reports if not (checkout / path).exists()] == []


@pytest.mark.parametrize(
    ("hook", "before", "after", "code"),
    [
        ("syncline-validate", "write: upsert", "write: upserts", 1),
        ("syncline-validate", "write: upsert", "write: upsert", 0),
        ("syncline-fmt", "  mapping: customer", "  mapping:    customer", 0),
        ("syncline-secrets", "write: upsert", "write: upsert", 0),
        ("syncline-secrets", "write: upsert", "write: upsert\n  # password: q8Zr2Lw0" + "Xv5Tn7Bk3Jd9", 1),
    ],
)
def test_hooks_of_pre_commit_run(tmp_path, hook, before, after, code):
    """Their entries, called as pre-commit calls them: with the files that match, or with none."""
    write(tmp_path)
    path = tmp_path / "imports" / "customers.yaml"
    text = path.read_text()
    path.write_text(text.replace(before, after))
    found = {h["id"]: h for h in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}[hook]
    files = "" if found.get("pass_filenames") is False else " imports/customers.yaml .pre-commit-config.yaml"

    done = bash(found["entry"] + files, tmp_path)

    assert done.returncode == code, done.stdout + done.stderr
    if hook == "syncline-fmt":
        assert path.read_text() == text
        assert done.stdout == "formatted imports/customers.yaml\n"
