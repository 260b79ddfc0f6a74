"""Every public verb asks for a role, or it is said here why it needs none: a new one can't be forgotten."""

from __future__ import annotations

import datetime as dt
import inspect
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from sqlalchemy import delete

from syncline import drift, inspection, planning, privacy, queries, workflow
from syncline.cli.main import cli
from syncline.evidence.collect import Span
from syncline.executor.access.roles import MAY, Right
from syncline.executor.progress import Silent
from syncline.model.errors import Denied, Invalid
from syncline.model.key import ObjectKey
from syncline.model.secret import Secret
from syncline.model.subject import Subject
from syncline.reconciler.secrets import finish_rotation, rotate_secret, set_secret
from syncline.secrets.contract import Reference
from syncline.state import tables
from syncline.state.open import open_store
from syncline.tenancy.admitting import demand_offboarding
from syncline.tenancy.certificate import certificate_path
from syncline.tenancy.certification import certify
from tests.e2e import house, leaving
from tests.e2e.test_access import PEOPLE, ROLES, as_, tried
from tests.e2e.test_quotas import lived_in
from tests.look import Look

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

CRM = ObjectKey("acme", "Integration", "crm")
WATCH = ObjectKey("acme", "Subscription", "watch")
WATCHED = """\
apiVersion: syncline/v1
kind: Subscription
metadata: {name: watch, tenant: acme}
spec: {on: [incident], do: {webhook: {url: 'https://127.0.0.1:9/x'}}}
"""
ADA = Subject("customer", "ada@example.com")
QUIET = Silent()

#: Verbs of a tenant, the right that each needs, and using it.
VERBS: dict[str, tuple[Right, Callable[..., object]]] = {
    "workflow.run": (Right.run, lambda who, _: workflow.run(who, house.FLOW, progress=QUIET)),
    "workflow.retry": (Right.run, lambda who, run: workflow.retry(who, run, progress=QUIET)),
    "workflow.plan_undo": (Right.run, workflow.plan_undo),
    "workflow.undo": (Right.run, lambda who, run: workflow.undo(who, run, progress=QUIET)),
    "drift.look": (Right.see, lambda who, _: drift.look(who, [house.FLOW])),
    "drift.look, heal": (Right.run, lambda who, _: drift.look(who, [house.FLOW], heal=True)),
    "drift.look, rows": (Right.read, lambda who, _: drift.look(who, [house.FLOW], rows=3)),
    "planning.plan, data": (Right.read, lambda who, _: planning.plan(who, data=3)),
    "planning.preview": (Right.read, lambda who, _: planning.preview(who, house.FLOW, limit=1)),
    "planning.rehearse": (Right.read, lambda who, _: planning.rehearse(who, house.FLOW, progress=QUIET)),
    "planning.compare": (Right.read, lambda who, _: planning.compare(who, house.FLOW, progress=QUIET)),
    "workflow.rejects": (Right.read, lambda who, run: list(workflow.rejects(who, run))),
    "workflow.export_snapshot": (Right.see, lambda who, _: workflow.export_snapshot(who)),
    "workflow.make_evidence": (
        Right.see,
        lambda who, _: workflow.make_evidence(who, "none", Span(dt.date(2026, 1, 1), dt.date(2026, 1, 2)), str),
    ),
    "privacy.export": (Right.unseal, lambda who, _: privacy.export(who, "acme", ADA)),
    "privacy.expect": (Right.unseal, lambda who, _: privacy.expect(who, "acme", ADA)),
    "privacy.erase": (Right.unseal, lambda who, _: privacy.erase(who, "acme", ADA, lambda _: None)),
    "privacy.retain": (Right.see, lambda who, _: privacy.retain(who, [house.FLOW], doing=False)),
    "privacy.retain, doing": (Right.unseal, lambda who, _: privacy.retain(who, [house.FLOW], doing=True)),
    "inspection.check": (Right.run, lambda who, _: inspection.check(who, workflow.validate(who), CRM)),
    "inspection.sample": (
        Right.read,
        lambda who, _: inspection.sample(who, workflow.validate(who), CRM, "customers", 1, shown=False),
    ),
    "inspection.discover": (
        Right.read,
        lambda who, _: inspection.discover(who, workflow.validate(who), CRM, ["customers"], 1),
    ),
    "inspection.try_subscription": (
        Right.run,
        lambda who, _: inspection.try_subscription(who, workflow.validate(who), WATCH),
    ),
    "certify": (Right.read, lambda who, _: certify(who, "acme", lambda _: None)),
    "set_secret": (Right.unseal, lambda who, _: set_secret(who, Reference("env", "X"), "acme", Secret("x"))),
    "rotate_secret": (Right.unseal, lambda who, _: rotate_secret(who, Reference("env", "X"), "acme", Secret("x"))),
    "finish_rotation": (Right.unseal, lambda who, _: finish_rotation(who, Reference("env", "X"), "acme")),
}

#: Verbs that ask nobody, and why.
ASK_NOBODY = {
    **dict.fromkeys(
        (
            "demand",
            "view",
            "find_run",
            "run_outcome",
            "runs",
            "objects",
            "statuses",
            "drifting",
            "listed",
            "suppressions",
        ),
        "they show only what is seen",
    ),
    "kept_for_a_time": "it shows only what is seen",
    **dict.fromkeys(("certificate", "acknowledge", "lift"), "they find the request first, which asks"),
    "find": "it asks once it knows whose request it is",
    **dict.fromkeys(("engine", "looking"), "they are what verbs are made of; looking asks for what it is told"),
    **dict.fromkeys(("lineage", "adopt", "apply"), "of manifests: the repository says who may change them"),
    **dict.fromkeys(("doctor", "approve"), "of the repository and this machine"),
    **dict.fromkeys(("history", "kept_revisions"), "of commits"),
    **dict.fromkeys(("snapshot_key", "certificate_key", "verify"), "of public keys and what they signed"),
    **dict.fromkeys(("resume_audit", "rotate_audit_key", "audit_exported"), "of the log, which is all tenants'"),
    **dict.fromkeys(("prove_record", "attest", "reject_rules"), "of a run that was found before, which asks"),
}


def public(module: ModuleType) -> set[str]:
    """The functions that a module defines for others."""
    found = inspect.getmembers(module, inspect.isfunction)
    return {name for name, one in found if one.__module__ == module.__name__ and not name.startswith("_")}


def test_no_verb_is_forgotten():
    """Each public function of workflow, planning, queries, privacy, inspection and drift is tried below, or says here why it asks nobody."""
    modules = [workflow, planning, queries, privacy, inspection, drift]
    there = {f"{module.__name__.removeprefix('syncline.')}.{name}" for module in modules for name in public(module)}
    tried_here = {name.partition(",")[0] for name in VERBS}
    assert {name for name in there if name.partition(".")[2] not in ASK_NOBODY} == {n for n in tried_here if "." in n}


def test_each_verb_asks(tmp_path):
    """Of every verb, who has no role, and who has none that gives the right, is refused; an admin isn't."""
    settings, run = _house(tmp_path)
    for name, (right, act) in VERBS.items():
        for person in ("mallory", "vera", "ann"):
            if person == "mallory" and name in {"workflow.retry", "workflow.plan_undo", "workflow.undo"}:
                continue  # there is no such run
            allowed = PEOPLE[person] in MAY[right]
            assert tried(settings, person, lambda who, act=act: act(who, run)) == allowed or (
                person == "mallory" and name == "workflow.rejects"
            ), (name, person)


def test_who_may_not_changes_and_reads_nothing(tmp_path):
    """A viewer that heals makes no run, one without a role deletes no rejects, and certifies nothing, not even a key."""
    settings, _ = _house(tmp_path)
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database, database:
        database.execute("drop table customers")
    before = len(Look(settings.state_url).runs(house.FLOW))
    with pytest.raises(Denied):
        drift.look(as_(settings, "vera"), [house.FLOW], heal=True)
    assert len(Look(settings.state_url).runs(house.FLOW)) == before
    tenant = ObjectKey("", "Tenant", "acme")
    assert privacy.kept_for_a_time(as_(settings, "ann"), "") == (tenant,)
    assert privacy.kept_for_a_time(as_(settings, "mallory"), "") == ()
    with pytest.raises(Denied):
        privacy.retain(as_(settings, "mallory"), [tenant], doing=True)
    certified = certify(as_(settings, "ann"), "acme", lambda _: None)
    with pytest.raises(Denied):
        certify(as_(settings, "mallory"), "acme", lambda _: None)
    assert certificate_path(settings, "acme").read_bytes() == certified.bundle


def test_a_secret_is_its_tenants_also_unnamed(tmp_path):
    """Leaving the tenant out doesn't let anybody replace a secret that its applied manifests refer to."""
    settings, _ = _house(tmp_path)
    assert not tried(settings, "otto", lambda who: set_secret(who, Reference("env", "WATCH"), "", Secret("x")))
    assert tried(settings, "sue", lambda who: set_secret(who, Reference("env", "WATCH"), "", Secret("x")))
    assert tried(settings, "otto", lambda who: set_secret(who, Reference("env", "OTHER"), "", Secret("x")))


def test_a_retired_tenant_is_still_whose_it_was(tmp_path):
    """Who had no role in it sees and reads nothing of what is left, and only its admin takes it out, also by Git."""
    roles = ROLES.replace("[ann]", "[ann, tests]")
    settings = leaving.lived_in(tmp_path / "repo", tenant=house.TENANT.replace("spec: {", f"spec: {{{roles}, "))
    run = Look(settings.state_url).runs(house.FLOW)[0].id
    leaving.retired(settings)
    mallory = as_(settings, "mallory")
    assert not tried(settings, "vera", lambda who: list(workflow.rejects(who, run)))
    assert list(workflow.rejects(as_(settings, "emma"), run))
    assert house.FLOW not in {one.key for one in workflow.runs(mallory, None, 10)}
    with pytest.raises(Invalid, match="there is no run"):
        list(workflow.rejects(mallory, run))
    allowed = {name for name in PEOPLE if tried(settings, name, lambda who: demand_offboarding(who, "acme"))}
    assert allowed == {"ann"}
    words = ["--root", str(settings.root), "tenant", "offboard", "acme"]
    refused = CliRunner().invoke(cli, words, env={**settings.environ, "SYNCLINE_ACTOR": "emma"})
    assert "SYN865" in refused.output + refused.stderr
    # a state that was retired before this was kept
    with closing(open_store(settings.state_url)) as store, store._database.write() as connection:
        connection.execute(delete(tables.cursors).where(tables.cursors.c.kind == "Tenant"))
    allowed = {name for name in PEOPLE if tried(settings, name, lambda who: demand_offboarding(who, "acme"))}
    assert allowed == {"ann"}


def _house(root):
    secret = "secret: {secretRef: {provider: env, key: WATCH}}"
    settings = lived_in(root, f"{ROLES}, retention: {{rejects: 1s}}")
    (root / "watch.yaml").write_text(WATCHED.replace("/x'}", f"/x', {secret}}}"))
    workflow.apply(as_(settings, "ann"))
    run = workflow.run(as_(settings, "ann"), house.FLOW, progress=Silent()).record.id
    mapping = root / "mapping.yaml"
    mapping.write_text(
        mapping.read_text().replace("- {to: name, from: name}", "- {to: name, from: name, required: true}")
    )
    return settings, run
