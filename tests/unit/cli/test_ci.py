"""`syncline ci`: every form of a check in one folder, the exit code of the worst, and one comment on each pull request."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from syncline import workflow
from syncline.cli.output.comment import MOST, marker
from syncline.model.key import ObjectKey
from syncline.settings import read_settings
from tests.api_server import Asked, Reply, api_server
from tests.proxy_server import proxy_server

if TYPE_CHECKING:
    from pathlib import Path

FORMS = {"codequality.json", "comment.md", "findings.sarif", "findings.xml", "plan.json"}
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/config",
    "GITHUB_TOKEN": "s3cr3t-token",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_ID": "42",
    "CI_MERGE_REQUEST_IID": "7",
    "GITLAB_TOKEN": "s3cr3t-token",
}


@pytest.fixture(autouse=True)
def no_job(monkeypatch):
    """No job of CI around the tests themselves."""
    for name in (*GITHUB, *GITLAB, "GITHUB_EVENT_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_API_URL", "CI_API_V4_URL"):
        monkeypatch.delenv(name, raising=False)


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_good_change_is_checked_and_planned(repository, shell):
    """All forms are there; effects that can't be undone are warnings at their lines; nothing was applied or made."""
    ended = shell("ci", "check")

    assert ended.code == 0
    assert "Plan: 6 to create." in ended.out
    out = repository / "syncline-ci"
    assert written(out) == FORMS
    comment = (out / "comment.md").read_text()
    assert comment.startswith("<!-- syncline-plan: . -->\n### Syncline plan: 6 to create\n")
    assert "- ⚠️ `acme/Import/customers`: pii.email newly flows to warehouse in the clear: email" in comment
    sarif = json.loads((out / "findings.sarif").read_text())["runs"][0]["results"]
    assert {r["ruleId"] for r in sarif} == {"SYN322"}
    assert sarif[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "imports/customers.yaml"
    (first, *_) = json.loads((out / "codequality.json").read_text())
    assert (first["severity"], first["location"]["path"]) == ("minor", "imports/customers.yaml")
    assert 'failures="0"' in (out / "findings.xml").read_text()
    assert not (repository / ".syncline").exists()


def test_the_plan_it_writes_can_be_applied(repository, shell):
    """plan.json is what `apply` takes; a check after that says that there is nothing to do."""
    shell("ci", "check")
    assert shell("apply", "syncline-ci/plan.json", "--yes").code == 0

    shell("ci", "check")

    assert "### Syncline plan: nothing to do" in (repository / "syncline-ci" / "comment.md").read_text()


def test_what_is_not_valid_has_no_plan(repository, shell):
    """The comment says what is wrong, under the same marker; the plan of an earlier check is gone; the code is 1."""
    shell("ci", "check")
    path = repository / "imports" / "customers.yaml"
    path.write_text(path.read_text().replace("write: upsert", "write: upserts"))

    ended = shell("ci", "check")

    assert ended.code == 1
    assert "SYN204" in ended.out
    assert written(repository / "syncline-ci") == FORMS - {"plan.json"}
    comment = (repository / "syncline-ci" / "comment.md").read_text()
    assert comment.startswith("<!-- syncline-plan: . -->\n### ⛔ Syncline can't plan: 1 error")


def test_what_only_policy_refuses_ends_with_3(repository, shell):
    """A denial is in every form, and the exit code says whom to ask."""
    path = repository / "imports" / "customers.yaml"
    path.write_text(path.read_text().replace("labels: {team: revops}", "labels: {}"))

    ended = shell("ci", "check")

    assert ended.code == 3
    rules = json.loads((repository / "syncline-ci" / "findings.sarif").read_text())["runs"][0]["tool"]["driver"][
        "rules"
    ]
    assert all(rule["id"].startswith("SYN5") for rule in rules)


def test_what_a_guard_refuses_ends_with_3(repository, shell):
    """A mass delete is a finding in every form, though what is left is valid."""
    workflow.apply(read_settings(repository, {}))
    for folder in ("imports", "mappings", "integrations"):
        for path in (repository / folder).iterdir():
            path.unlink()

    ended = shell("ci", "check")

    assert ended.code == 3
    assert "SYN620" in (repository / "syncline-ci" / "findings.sarif").read_text()
    assert "SYN620" in (repository / "syncline-ci" / "comment.md").read_text()
    assert shell("ci", "check", "--allow-deletes").code == 0


def test_a_job_of_github_gets_annotations_and_a_summary(repository, shell, monkeypatch, tmp_path):
    """Findings are commands for the lines of the diff, relative to the checkout; the plan is added to the summary."""
    summary = tmp_path / "summary.md"
    summary.write_text("# Before\n")
    for name, value in {**GITHUB, "GITHUB_STEP_SUMMARY": str(summary)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(repository.parent)

    ended = shell("--root", "config", "ci", "check", "--out", "out")

    assert ended.out.startswith("::warning file=config/imports/customers.yaml,line=2,")
    assert summary.read_text().startswith("# Before\n### Syncline plan: 6 to create\n")
    assert (repository.parent / "out" / "comment.md").read_text().startswith("<!-- syncline-plan: config -->\n")


def test_an_old_snapshot_is_in_the_comment(repository, shell):
    """The plan is made against the snapshot, and a reviewer sees that it is old."""
    settings = read_settings(repository, {})
    workflow.apply(settings)
    (repository / "state.snapshot").write_bytes(workflow.export_snapshot(settings))
    options = ("--snapshot", "state.snapshot", "--snapshot-key", workflow.snapshot_key(settings))

    shell("ci", "check", *options, "--snapshot-max-age", "0.0000001")
    comment = (repository / "syncline-ci" / "comment.md").read_text()
    assert "⚠️ the snapshot of the state is 0 hours old: what was applied since" in comment
    assert "state at serial 6" in comment

    shell("ci", "check", *options)
    assert "snapshot" not in (repository / "syncline-ci" / "comment.md").read_text()


@pytest.mark.parametrize(
    ("name", "shown"), [("config", "config"), ("a--> <b>", "a-b"), ("", "."), ("--", "."), ("eu/prod", "eu/prod")]
)
def test_a_marker_is_a_comment_whatever_the_name(name, shown):
    """No name ends the marker early."""
    assert marker(name) == f"<!-- syncline-plan: {shown} -->"


def test_a_comment_has_an_end(repository, shell):
    """However much changes, the comment fits on a code host, says what it leaves out, and folds nothing open."""
    text = (repository / "imports" / "customers.yaml").read_text()
    for n in range(400):
        (repository / "imports" / f"more{n}.yaml").write_text(
            text.replace("name: customers", f"name: customers{n}").replace("warehouse/customers", f"warehouse/t{n}")
        )

    shell("ci", "check")

    comment = (repository / "syncline-ci" / "comment.md").read_text()
    assert len(comment) <= MOST
    assert "… and 306 more changes: `syncline plan`" in comment
    assert comment.count("<details>") == comment.count("</details>") == 1
    assert comment.rstrip().endswith("</details>")


class Host:
    """A code host with the comments of one pull request, as GitHub's and GitLab's documentation describes its API."""

    def __init__(self, app: str = "") -> None:
        self.comments: list[dict[str, Any]] = []
        self.app = app  # whose token it is, if that is no account, which could ask who it is
        self.nobody = False  # nobody tells whose it is
        self.status = 0
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked) -> Reply:
        assert "s3cr3t-token" in (asked.headers.get("authorization", "") + asked.headers.get("private-token", ""))
        if self.status:
            return Reply({"message": "no"}, self.status)
        if asked.path == "/user":
            return Reply({"message": "no"}, 403) if self.app else Reply({"id": 1, "login": "bot"})
        if asked.path == "/graphql":
            return Reply({"data": {"viewer": None if self.nobody else {"login": self.app}}})
        if asked.method == "GET":
            page = int(asked.query["page"])
            return Reply(self.comments[100 * (page - 1) : 100 * page])
        body = json.loads(asked.body)["body"]
        if asked.method == "POST":
            self.add(1, self.app or "bot", body)
            return Reply(self.comments[-1], 201)
        number = int(asked.path.rpartition("/")[2])
        found = next(c for c in self.comments if c["id"] == number)
        found["body"] = body
        return Reply(found)

    def add(self, author: int, login: str, body: str) -> None:
        who = {"id": author, "login": login}
        self.comments.append({"id": len(self.comments) + 100, "body": body, "user": who, "author": who})


APPS = {"github-token": "github-actions[bot]", "github-app": "plans[bot]"}


@pytest.fixture(params=["github", "gitlab", *APPS])
def host(request, monkeypatch, tmp_path, repository):
    """A code host, and a job on a pull request there, after a check."""
    made = Host(APPS.get(request.param, ""))
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"number": 7}}')
    with api_server(made) as server:
        variables = {**GITLAB, "CI_API_V4_URL": server.url}
        if request.param != "gitlab":
            variables = {**GITHUB, "GITHUB_API_URL": server.url, "GITHUB_EVENT_PATH": str(event)}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        made.asked = server.asked
        yield made


def test_one_comment_is_written_and_kept_up_to_date(host, shell, repository):
    """The first check writes it, the next ones change it; one that says the same asks for nothing."""
    shell("ci", "check")
    assert shell("ci", "comment").out == "The comment is written.\n"
    assert shell("ci", "comment").out == "The comment is unchanged.\n"
    (repository / "imports" / "customers.yaml").unlink()
    shell("ci", "check")
    assert shell("ci", "comment").out == "The comment is updated.\n"

    assert len(host.comments) == 1
    assert "5 to create" in host.comments[0]["body"]
    writes = [a.path for a in host.asked if a.method != "GET" and a.path != "/graphql"]
    assert len(writes) == 2
    assert writes[0] in {"/repos/acme/config/issues/7/comments", "/projects/42/merge_requests/7/notes"}


def test_the_code_host_is_reached_through_the_environments_proxy(host, shell, monkeypatch):
    """Where the operator has the proxy of the environment count, the comment goes through it, to a host that it knows."""
    with proxy_server(names={"code.invalid": "127.0.0.1"}) as proxy:
        for name in ("GITHUB_API_URL", "CI_API_V4_URL"):
            if url := os.environ.get(name):
                monkeypatch.setenv(name, url.replace("127.0.0.1", "code.invalid"))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("SYNCLINE_PROXY", "environment")
        monkeypatch.setenv("SYNCLINE_PROXY_LOOKUP", "proxy")
        shell("ci", "check")
        assert shell("ci", "comment").out == "The comment is written.\n"
    assert len(host.asked) == len(proxy.asked) > 0


def test_what_somebody_else_wrote_is_left_alone(host, shell):
    """A comment with our marker that another account wrote is no place for a plan: they could change it afterwards."""
    for n in range(150):
        host.add(2, "mallory", f"<!-- syncline-plan: . -->\nall good {n}")
    shell("ci", "check")

    assert shell("ci", "comment").out == "The comment is written.\n"
    assert shell("ci", "comment").out == "The comment is unchanged.\n"
    assert all(c["body"].endswith(f"all good {n}") for n, c in enumerate(host.comments[:150]))


@pytest.mark.parametrize(("status", "code"), [(401, 1), (403, 1), (404, 1), (503, 5)])
def test_a_refusal_says_what_to_do(host, shell, status, code):
    """Without the right to comment it is a matter for people; a host that is down may be asked later. No token shows."""
    shell("ci", "check")
    host.status = status

    ended = shell("ci", "comment")

    assert ended.code == code
    assert "error[SYN323]" in ended.err
    assert "s3cr3t" not in ended.err + ended.out


def test_without_knowing_whose_token_it_is_nothing_is_written(host, shell):
    """Else each run would leave another comment: the one of before isn't recognised."""
    shell("ci", "check")
    assert shell("ci", "comment").code == 0
    host.app, host.nobody = host.app or "x", True

    ended = shell("ci", "comment")

    assert (ended.code, len(host.comments)) == (1, 1)
    assert "error[SYN323]" in ended.err


def test_each_environment_of_a_folder_has_a_comment_of_its_own(repository, shell):
    """Checks of two environments in one pull request don't take turns at one comment."""
    (repository / "environments.yaml").write_text(
        "apiVersion: syncline/v1\nkind: Environments\nspec: {environments: {staging: {}, production: {}}}\n"
    )
    heads = []
    for environment in ("staging", "production"):
        shell("ci", "check", "--environment", environment)
        heads.append((repository / "syncline-ci" / "comment.md").read_text().partition("\n")[0])
    assert heads == ["<!-- syncline-plan: .@staging -->", "<!-- syncline-plan: .@production -->"]


@pytest.mark.parametrize("missing", ["GITHUB_TOKEN", "GITLAB_TOKEN", "CI_MERGE_REQUEST_IID", "GITHUB_EVENT_PATH"])
def test_without_a_job_on_a_pull_request_nothing_is_asked(host, shell, monkeypatch, missing):
    """No token, or no pull request, is told before anything is sent."""
    shell("ci", "check")
    monkeypatch.delenv(missing, raising=False)
    monkeypatch.delenv("GITHUB_ACTIONS" if missing.startswith("CI") else "NONE", raising=False)
    if missing == "GITHUB_TOKEN":
        monkeypatch.delenv("GITLAB_TOKEN", raising=False)
    if missing == "GITLAB_TOKEN":
        monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    if missing in {"CI_MERGE_REQUEST_IID", "GITHUB_EVENT_PATH"}:
        monkeypatch.delenv("GITHUB_EVENT_PATH", raising=False)
        monkeypatch.delenv("CI_MERGE_REQUEST_IID", raising=False)

    ended = shell("ci", "comment")

    assert (ended.code, host.asked) == (1, [])
    assert "error[SYN323]" in ended.err


def test_only_what_a_check_wrote_is_posted(host, shell, repository):
    """A file without the marker, or too long for a comment, is a mistake of the command line."""
    for text in ("hello", "<!-- syncline-plan: . -->\n" + "x" * MOST):
        (repository / "other.md").write_text(text)
        assert shell("ci", "comment", "other.md").code == 2
    assert host.asked == []


def test_a_hook_formats_manifests_only(repository, shell):
    """`fmt --ours`, as pre-commit calls it with the files of a commit, leaves other programs' YAML as it is."""
    other = repository / "other.yaml"
    other.write_text("a:    {b:   1}\n")
    ours = repository / "tenants" / "acme.yaml"
    ours.write_text(ours.read_text().replace("  title:", "  title:   "))

    assert shell("fmt", "--ours", "other.yaml", "tenants/acme.yaml").out == "formatted tenants/acme.yaml\n"
    assert other.read_text() == "a:    {b:   1}\n"
    assert ObjectKey("", "Tenant", "acme") in workflow.validate(read_settings(repository, {})).desired.objects
