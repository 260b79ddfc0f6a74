"""Adopting what somebody did at a destination: a commit on a branch, and nothing else."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing

import pytest

from syncline import drift, workflow
from syncline.executor.progress import Silent
from syncline.manifests.adoption import without
from syncline.model.errors import Invalid
from syncline.model.key import ObjectKey
from tests.e2e.daemon import GIT
from tests.e2e.house import FLOW, MAPPING, Scenario, build, customers

KEY = ObjectKey("acme", "Mapping", "customer")
ONE_LINE = """\
apiVersion: syncline/v1
kind: Mapping
metadata: {name: customer, tenant: acme}
spec: {key: [id], fields: [{to: id, from: id}, {to: name, from: name}]}
"""


def git(root, *arguments):
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def execute(root, statement):
    with closing(sqlite3.connect(root / "warehouse.db")) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """A committed house whose flow has run; its mapping has comments."""
    for name, value in GIT.items():
        monkeypatch.setenv(name, value)
    texts = Scenario("upsert").texts
    texts["mapping.yaml"] = texts["mapping.yaml"].replace("  - {to: email", "  # how to reach them\n  - {to: email")
    settings = build(tmp_path, texts)
    (tmp_path / ".gitignore").write_text("/.syncline\n*.db*\ndata\n")
    customers(tmp_path, 20)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    return settings


def test_a_dropped_column_is_declared_away(loaded, shell):
    """The commit takes one line out of the mapping; merged and applied, nothing has drifted, and runs go on without it."""
    root = loaded.root
    execute(root, "ALTER TABLE customers DROP COLUMN born")
    told = shell("--root", str(root), "drift")
    assert "syncline drift acme/Sync/customers --adopt declares it away" in told.out
    made = shell("--root", str(root), "drift", "Sync/customers", "--adopt")
    assert made.code == 0, made.err
    assert "on branch adopt-customers: acme/Mapping/customer without born" in made.out
    assert git(root, "diff", "--stat", "main", "adopt-customers").endswith("1 file changed, 1 deletion(-)")
    assert not git(root, "status", "--porcelain")
    assert "SYN673" in shell("--root", str(root), "drift", "Sync/customers", "--adopt").err

    git(root, "merge", "--quiet", "adopt-customers")
    assert "# how to reach them" in (root / "mapping.yaml").read_text()
    workflow.apply(loaded)
    workflow.run(loaded, FLOW, progress=Silent(), full_refresh=True)
    (flow,) = drift.look(loaded, [FLOW])
    assert not flow.findings


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DROP TABLE customers", "table customers can't be adopted"),
        ("DELETE FROM customers", "rows can't be adopted"),
        ("ALTER TABLE customers ADD COLUMN note text", "nothing was dropped there"),
    ],
)
def test_what_cannot_be_a_change_of_a_manifest_is_said(loaded, shell, statement, words):
    """Only a dropped column can be declared away; anything else is refused with the reason."""
    execute(loaded.root, statement)
    found = shell("--root", str(loaded.root), "drift", "Sync/customers", "--adopt")
    assert "SYN752" in found.err
    assert words in found.err
    assert git(loaded.root, "branch", "--list", "adopt-*") == ""
    assert shell("--root", str(loaded.root), "drift", "--adopt").code == 2


def test_texts_that_are_changed():
    """A field goes with all of its lines and nothing else, however it is laid out."""
    block = MAPPING.replace(
        '  - {to: balance, from: balance, type: "decimal(12,2)"}\n',
        "  - to: balance\n    from: balance\n    # cents\n    type: decimal(12,2)\n",
    )
    before = (
        f"# ours\n{block}---\n# more\napiVersion: syncline/v1\nkind: Tenant\nmetadata: {{name: acme}}\nspec: {{}}\n"
    )
    after = without(before, "m.yaml", KEY, {"balance", "name"})
    assert after == before.replace(
        "  - to: balance\n    from: balance\n    # cents\n    type: decimal(12,2)\n", ""
    ).replace("  - {to: name, from: name}\n", "")


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        (MAPPING, {"id"}, "is in the key"),
        (MAPPING.replace("customer,", "other,"), {"name"}, "doesn't declare"),
        (ONE_LINE, {"name"}, "aren't a list with a line for each"),
    ],
)
def test_texts_that_are_left_to_a_person(text, columns, words):
    """A key, another file's mapping and fields on one line aren't touched."""
    with pytest.raises(Invalid, match=words) as caught:
        without(text, "m.yaml", KEY, columns)
    assert caught.value.code == "SYN752"
