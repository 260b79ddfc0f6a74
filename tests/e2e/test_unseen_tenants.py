"""What is declared and planned of a tenant isn't shown to who has no role in it, by any verb, whatever is wrong with it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from syncline import workflow
from syncline.cli import commands
from syncline.cli.main import cli
from syncline.executor.access import roles
from syncline.executor.access.seen import KEPT_BACK
from syncline.planner.serialize import loads
from tests.e2e import house
from tests.e2e.test_access import as_
from tests.e2e.test_tenants import two_tenants
from tests.look import Look

ROLES = "access: {roles: {viewer: [NAME], engineer: [NAME], operator: [NAME], admin: [ann]}}"
#: Who has a role in which tenant.
PEOPLE = {"acme": "ada", "globex": "bob"}
SCHEDULE = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: nightly, tenant: TENANT}
spec: {run: [Sync/customers], cron: "0 3 * * *"}
"""
RULES = """\
apiVersion: syncline/v1
kind: Policy
metadata: {name: own, tenant: TENANT}
spec:
  rules:
  - {name: TENANT-names, on: flow, deny: "false", message: No.}
"""
OFFICE = """\
apiVersion: syncline/v1
kind: Policy
metadata: {name: office}
spec:
  rules:
  - {name: named, on: manifest, kinds: [Mapping], deny: "false", message: No.}
"""
#: What happens to manifests of globex: a file, what stands there and what comes instead of it.
EDITS = {
    "nothing": ("mapping.yaml", "from: name}", "from: name}"),
    "changed": ("mapping.yaml", "- {to: born, from: born, type: date}", "- {to: globexed, from: born, type: date}"),
    "gone": ("sync.yaml", None, None),
    "broken": ("mapping.yaml", "spec:", "spec: [globexed"),
    "unknown": ("mapping.yaml", "from: name}", "from: name, globexed: 1}"),
    "missing": ("sync.yaml", "mapping: customer", "mapping: globexed"),
    "torn": (
        "source.yaml",
        "kind: Integration\nmetadata: {name: crm, tenant: globex}",
        "kind: [globexed, tenant: globex",
    ),
    "shared": ("warehouse.yaml", "path: globex/warehouse.db", "path: acme/warehouse.db"),
    "secret": ("tenant.yaml", "spec: {", "spec: {classes: [{class: pii.email, destinations: [globexed]}], "),
}
#: Verbs that read manifests, each with words that say `globex` to those who know it.
VERBS = {
    "validate": [["validate"], ["validate", "-o", "json"], ["validate", "-o", "junit"]],
    "render": [["render"], ["render", "-o", "json"]],
    "plan": [["plan"], ["plan", "-o", "markdown"], ["plan", "-o", "json"], ["plan", "--allow-deletes"]],
    "apply": [["apply"], ["apply", "--allow-deletes"]],
    "approve": [["approve", "--key", "tenant.key", "--yes"]],
    "ci": [["ci", "check", "--out", "ci"]],
    "lineage": [["lineage", "customers"], ["lineage", "customer"]],
    "policy_explain": [
        ["policy", "explain", "customers"],
        ["policy", "explain", "isolation"],
        ["policy", "explain", "office/named", "-o", "json"],
        ["policy", "explain", "own/none"],
    ],
    "policy_test": [["policy", "test"]],
    "get": [["get", "--declared"], ["get"]],
    "schedules": [["schedules", "--declared"], ["schedules"]],
    "run": [["run", "--dry-run", "customers"]],
    "rehearse": [["rehearse", "customer"]],
    "compare": [["compare", "customer"]],
    "options": [["connector", "check", "warehouses"], ["connector", "sample", "crm", "customers"]],
    "secrets": [["secrets", "list"]],
    "notifications": [["notifications", "watch", "--test"]],
    "connector_diff": [["connector", "diff", "x@1.0.0", "y@1.0.0"]],
    "tenant_onboard": [["tenant", "onboard", "acme", "--offline"]],
    "dev": [],  # it shows a plan as `plan` does, until it is interrupted
}


def lived_in(root):
    """Two tenants, with a person each, whose manifests are applied."""
    texts = {"office.yaml": OFFICE}
    for name, text in two_tenants(root).items():
        tenant = name.partition("-")[0]
        texts[name] = (
            text.replace("spec: {", f"spec: {{{ROLES.replace('NAME', PEOPLE[tenant])}, ")
            if name.endswith("tenant.yaml")
            else text
        )
    for tenant in PEOPLE:
        texts[f"{tenant}-own.yaml"] = f"{SCHEDULE}---\n{RULES}".replace("TENANT", tenant)
    settings = house.build(root, texts)
    workflow.apply(as_(settings, "ann"))
    return settings


def edit(root, what, tenant="globex"):
    """Does to the manifests of a tenant what an edit says."""
    name, before, after = EDITS[what]
    path = root / f"{tenant}-{name}"
    if before is None:
        path.unlink()
    else:
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))


def said(settings, person, words):
    """What a command tells somebody, on both streams."""
    env = {"SYNCLINE_ACTOR": person, "WAREHOUSE_PASSWORD": "x"}
    result = CliRunner().invoke(cli, ["--root", str(settings.root), *words], env=env)
    assert "SYN999" not in result.output, result.output
    return result


def test_no_command_that_reads_manifests_is_forgotten():
    """Each module of commands that loads, validates or plans what is declared is tried below."""
    folder = Path(commands.__path__[0])
    reads = re.compile(
        r"overlay import|manifests import overlay|workflow\.(validate|plan)(_each|_beside)?\(|cli\.seen import|cli import seen"
    )
    found = {path.stem for path in folder.glob("*.py") if reads.search(path.read_text())}
    assert found <= set(VERBS)


@pytest.mark.parametrize("what", EDITS)
def test_no_verb_tells_of_another_tenant(tmp_path, monkeypatch, what):
    """Whatever was done to a tenant's manifests, no verb says its name or what is in it to a person of another tenant."""
    monkeypatch.chdir(tmp_path)
    settings = lived_in(tmp_path)
    (tmp_path / "tenant.key").write_text("none")
    edit(tmp_path, what)
    for words in (words for several in VERBS.values() for words in several):
        told = said(settings, "ada", words).output
        assert "globex" not in told, (words, told)
        assert "bob" not in told, (words, told)
    assert not (tmp_path / "ci").exists()
    assert "globex" in said(settings, "ann", ["plan"]).output or what == "nothing"


def test_who_has_a_role_in_each_sees_all(tmp_path, monkeypatch):
    """To somebody who sees every tenant nothing is said of what isn't shown, and the plan may be saved."""
    monkeypatch.chdir(tmp_path)
    settings = lived_in(tmp_path)
    edit(tmp_path, "changed")
    for words in (["validate"], ["render"], ["plan"], ["policy", "explain", "isolation"]):
        told = said(settings, "ann", words).output
        assert KEPT_BACK not in told
    assert "globex/Mapping/customer" in said(settings, "ann", ["plan"]).output
    assert said(settings, "ann", ["plan", "--out", "plan.json"]).exit_code == 0
    assert [str(c.key) for c in loads(Path("plan.json").read_text()).changes] == ["globex/Mapping/customer"]


def test_one_s_own_is_shown_as_ever(tmp_path, monkeypatch):
    """A person of a tenant sees its changes, findings and lineage, and in a line that others aren't shown."""
    monkeypatch.chdir(tmp_path)
    settings = lived_in(tmp_path)
    for tenant in PEOPLE:
        (path := tmp_path / f"{tenant}-mapping.yaml").write_text(path.read_text().replace("to: born", "to: birth"))
    plan = said(settings, "ada", ["plan"])
    assert "~ acme/Mapping/customer" in plan.output
    assert "1 to update" in plan.output
    assert KEPT_BACK in plan.stderr
    assert "acme/Mapping/customer" not in said(settings, "bob", ["plan"]).output
    assert "birth" in said(settings, "ada", ["lineage", "customers"]).output
    assert "name: acme" in said(settings, "ada", ["render"]).stdout
    edit(tmp_path, "unknown", "acme")
    found = said(settings, "ada", ["validate"])
    assert "globexed" in found.stdout
    assert found.exit_code == 1
    kept = said(settings, "bob", ["validate"])
    assert "globexed" not in kept.output
    assert (kept.exit_code, KEPT_BACK in kept.stderr) == (1, True)


def test_a_plan_is_applied_whole(tmp_path, monkeypatch):
    """A plan isn't saved, printed as JSON or signed in part; apply does what Git says, of everybody, and tells one's own."""
    monkeypatch.chdir(tmp_path)
    settings = lived_in(tmp_path)
    for tenant in PEOPLE:
        edit(tmp_path, "changed", tenant)
    for words in (["plan", "--out", "plan.json"], ["plan", "-o", "json"], ["ci", "check"]):
        refused = said(settings, "ada", words)
        assert (refused.exit_code, refused.stdout.count("syncline/plan")) == (3, 0)
        assert "SYN865" in refused.output
    assert not Path("plan.json").exists()
    applied = said(settings, "ada", ["apply", "--yes"])
    assert applied.exit_code == 0, applied.output
    assert "record acme/Mapping/customer" in applied.output
    assert "record globex/" not in applied.output
    mappings = [o for o in Look(settings.state_url).objects() if o.key.kind == "Mapping"]
    assert all("globexed" in json.dumps(o.document) for o in mappings)


def test_a_plan_of_others_alone_is_no_empty_plan(tmp_path, monkeypatch):
    """Where only another tenant changes, the plan says that nothing of it is shown, exits as it does for all, and says who is in the way."""
    monkeypatch.chdir(tmp_path)
    settings = lived_in(tmp_path)
    edit(tmp_path, "changed")
    plan = said(settings, "ada", ["plan", "--exit-code"])
    assert "nothing of what is shown" in plan.output
    assert plan.exit_code == 10
    assert "nothing of what is shown" in said(settings, "ada", ["plan", "-o", "markdown"]).output


def test_where_the_state_can_t_be_asked_roles_count_as_they_are_declared(tmp_path, monkeypatch):
    """A state that isn't reached opens nothing: what the manifests say of roles holds."""
    settings = lived_in(tmp_path)
    monkeypatch.setenv("SYNCLINE_STATE", "postgresql://nobody@127.0.0.1:1/none")
    told = said(settings, "ada", ["render"]).output
    assert "name: acme" in told
    assert "globex" not in told


def test_without_roles_the_state_isn_t_asked(tmp_path, monkeypatch):
    """Where no tenant gives roles, everything is shown, also where there is no state to ask."""
    settings = house.build(tmp_path, two_tenants(tmp_path))
    monkeypatch.setenv("SYNCLINE_STATE", "postgresql://nobody@127.0.0.1:1/none")
    told = said(settings, "ada", ["render"])
    assert "name: globex" in told.output
    assert KEPT_BACK not in told.output


@pytest.mark.parametrize("verb", ["plan", "render"])
def test_who_sees_what_is_asked_once(tmp_path, monkeypatch, verb):
    """The state is asked once which tenants aren't seen, also by a plan, which is of the tree and of what is applied."""
    settings = lived_in(tmp_path)
    edit(tmp_path, "changed")
    asked: list[object] = []
    real = roles.hidden

    def counted(given):
        asked.append(given)
        return real(given)

    monkeypatch.setattr(roles, "hidden", counted)
    assert KEPT_BACK in said(settings, "ada", [verb]).output
    assert len(asked) == 1
