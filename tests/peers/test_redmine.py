"""Redmine: offset paging, and a filter by time of the last change."""

from __future__ import annotations

import json

import pytest

from tests.peers.house import Flow, house

FIELDS = (
    "to: id, from: id, type: integer, required: true",
    "to: subject, from: subject",
    "to: project, from: project.name",
    "to: updated, from: updated_on, type: timestamp",
)
AUTH = "{type: api_key, in: header, name: X-Redmine-API-Key, value: {secretRef: {provider: env, key: REDMINE_KEY}}}"


@pytest.fixture
def made(tmp_path, redmine, warehouse):
    """A house that reads the issues of Redmine incrementally."""
    flow = Flow("issues", FIELDS, read="incremental")
    secrets = {"REDMINE_KEY": redmine.key}
    return house(tmp_path, "redmine", {"url": redmine.url}, flow, auth=AUTH, secrets=secrets, warehouse=warehouse)


def test_a_list_says_how_many_issues_there_are(redmine):
    """A page of one has the count of all."""
    redmine.issue("One")
    redmine.issue("Two")

    found = redmine.ask("GET", "/issues.json?limit=1&status_id=*").ok()

    assert (len(found["issues"]), found["limit"]) == (1, 1)
    assert found["total_count"] >= 2


def test_all_issues_are_read_over_pages_and_then_only_what_changed(made, redmine):
    """Five more issues come over pages of two; a second run moves the one that was changed."""
    numbers = [redmine.issue(f"Issue {n}") for n in range(5)]
    total = redmine.ask("GET", "/issues.json?limit=1&status_id=*").ok()["total_count"]

    first = made.run("issues")
    redmine.ask("PUT", f"/issues/{numbers[2]}.json", {"issue": {"subject": "Changed"}}).ok()
    second = made.run("issues")

    assert (first["read"], first["inserted"]) == (total, total)
    assert second["updated"] == 1
    assert made.rows(f"SELECT subject, project FROM issues WHERE id = {numbers[2]}") == [("Changed", "Ops")]
    assert made.rows("SELECT count(*), count(DISTINCT id) FROM issues") == [(total, total)]
    made.proved()


def test_a_refused_key_says_what_to_do(tmp_path, redmine):
    """A wrong API key ends the run with the code of refused credentials, and nothing is written."""
    secrets = {"REDMINE_KEY": "not-the-key-that-it-has"}
    made = house(tmp_path, "redmine", {"url": redmine.url}, Flow("issues", FIELDS), auth=AUTH, secrets=secrets)

    assert "SYN401" in made.fails("issues")
    made.proved()


def test_rows_become_issues_and_what_is_refused_is_a_reject(tmp_path, redmine):
    """Issues are created once and changed by a second run; one whose subject is too long is a reject with its words."""
    fields = ("to: subject, from: subject, required: true", "to: description, from: description")
    flow = Flow("issues", fields, key="subject", to_api=True)
    made = house(tmp_path, "redmine", {"url": redmine.url}, flow, auth=AUTH, secrets={"REDMINE_KEY": redmine.key})
    rows = [{"subject": f"Row {n}", "description": "first"} for n in range(3)]
    made.give(*rows, {"subject": "x" * 300, "description": "too long"})

    first = made.command("run", "acme/Sync/issues", "--output", "json")
    made.give({**rows[0], "description": "second"}, *rows[1:])
    second = made.run("issues")

    counts = json.loads(first.stdout)["counts"]
    assert (first.returncode, counts["inserted"], counts["rejected"]) == (4, 3, 1)
    assert "Subject is too long" in made.ok("runs", "rejects", json.loads(first.stdout)["run"], "-o", "json")
    assert (second["inserted"], second["updated"], second["unchanged"]) == (0, 1, 2)
    issues = redmine.ask("GET", "/issues.json?limit=100&status_id=*").ok()["issues"]
    assert sorted(i["description"] for i in issues if i["subject"].startswith("Row ")) == ["first", "first", "second"]
    made.proved()
