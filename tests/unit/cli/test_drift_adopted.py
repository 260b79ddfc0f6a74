"""Adopting what somebody did at a destination: a commit on a branch, and nothing else."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing

import pytest

from syncline import drift, workflow
from syncline.executor.progress import Silent
from syncline.manifests.demands.adoption import as_left
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
        ("ALTER TABLE customers ADD COLUMN note text", "nothing was changed there"),
    ],
)
def test_what_cannot_be_a_change_of_a_manifest_is_said(loaded, shell, statement, words):
    """Only what happened to columns can be declared; anything else is refused with the reason."""
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
    after = as_left(before, "m.yaml", KEY, {"balance": "", "name": ""})
    assert after == before.replace(
        "  - to: balance\n    from: balance\n    # cents\n    type: decimal(12,2)\n", ""
    ).replace("  - {to: name, from: name}\n", "")


@pytest.mark.parametrize(
    ("before", "columns", "after"),
    [
        ("- {to: born, from: born, type: date}", {"born": "string"}, "- {to: born, from: born, type: string}"),
        ("- {to: born, from: born}", {"born": "integer"}, "- {to: born, type: integer, from: born}"),
        ("- {from: born, to: born}", {"born": "decimal(9,2)"}, '- {from: born, to: born, type: "decimal(9,2)"}'),
        ('- {to: born, type: "decimal(12,2)", from: b}', {"born": "float"}, "- {to: born, type: float, from: b}"),
        (
            "- to: born  # when\n    from: born\n    type: date  # ISO",
            {"born": "datetime"},
            "- to: born  # when\n    from: born\n    type: datetime  # ISO",
        ),
        ("- from: born\n    to: born", {"born": "json"}, "- from: born\n    to: born\n    type: json"),
        (
            "- {to: born, from: born, type: date}\n  - {to: note, from: note}",
            {"born": "string", "note": ""},
            "- {to: born, from: born, type: string}",
        ),
    ],
)
def test_types_that_are_changed(before, columns, after):
    """A field's type changes where it stands, or is put beside its name; nothing else of the text moves."""
    head = MAPPING.partition("  - {to: born")[0]
    assert as_left(f"{head}  {before}\n", "m.yaml", KEY, columns) == f"{head}  {after}\n"


def test_types_of_fields_on_one_line():
    """Fields that share a line can have their types changed, though none of them can be taken out."""
    assert "{to: name, type: json, from: name}" in as_left(ONE_LINE, "m.yaml", KEY, {"name": "json"})


def test_a_column_of_another_type_is_declared_as_that(loaded, shell):
    """Somebody made a column anew for text: a commit declares it so, and once it is merged runs write texts there."""
    root = loaded.root
    execute(root, "ALTER TABLE customers DROP COLUMN balance")
    execute(root, "ALTER TABLE customers ADD COLUMN balance INTEGER")
    told = shell("--root", str(root), "drift")
    assert "column balance: it is INTEGER, which can't hold decimal(12,2)" in told.out
    assert "syncline drift acme/Sync/customers --adopt declares it as it is now" in told.out
    made = shell("--root", str(root), "drift", "Sync/customers", "--adopt")
    assert "on branch adopt-customers: acme/Mapping/customer with balance as integer" in made.out, made.err
    assert git(root, "diff", "--stat", "main", "adopt-customers").endswith("1 insertion(+), 1 deletion(-)")

    git(root, "merge", "--quiet", "adopt-customers")
    workflow.apply(loaded)
    (flow,) = drift.look(loaded, [FLOW])
    assert not flow.findings


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        (MAPPING, {"id": ""}, "is in the key"),
        (MAPPING, {"id": "string"}, "is in the key"),
        (MAPPING.replace("customer,", "other,"), {"name": ""}, "doesn't declare"),
        (ONE_LINE, {"name": ""}, "aren't a list with a line for each"),
    ],
)
def test_texts_that_are_left_to_a_person(text, columns, words):
    """A key, another file's mapping and fields on one line aren't touched."""
    with pytest.raises(Invalid, match=words) as caught:
        as_left(text, "m.yaml", KEY, columns)
    assert caught.value.code == "SYN752"
