"""What validation says about reactions to drift that could never do anything."""

from __future__ import annotations

from typing import get_args

import pytest

from syncline import workflow
from syncline.kinds.drift import Drift, Reaction, TenantDrift
from syncline.manifests.demands.reactions import _WHY, POSSIBLE, declared
from tests.e2e.house import SOURCE, TENANT, Scenario, build

UPSERT = Scenario("upsert").texts
LAKE = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: lake, tenant: acme}
spec: {connector: file@^1, region: eu-west, config: {root: lake}}
"""


def found(root, write, drift, tenant=""):
    """Code, place and message of each error."""
    text = UPSERT["sync.yaml"].replace("write: upsert", f"write: {write}, drift: {drift}")
    more = {"tenant.yaml": TENANT.replace("spec: {", f"spec: {{drift: {tenant}, ")} if tenant else {}
    settings = build(root, {**UPSERT, "sync.yaml": text, **more})
    return [f"{d.code} {d.message}" for d in workflow.validate(settings).diagnostics if d.severity == "error"]


@pytest.mark.parametrize(
    ("write", "drift", "expected"),
    [
        ("upsert", "{every: 1h, tables: heal, rows: heal, contract: heal, noise: report}", []),
        ("append", "{every: 1h, tables: adopt, noise: ignore}", []),
        (
            "append",
            "{rows: heal}",
            ["SYN750 rows: heal can't be done: reading again would append every row once more"],
        ),
        ("upsert", "{every: 1h, compare: 1000, rows: heal}", []),
        (
            "append",
            "{compare: 1000}",
            ["SYN750 rows can't be compared: what is appended has no key to be found by"],
        ),
        ("upsert", "{every: 500ms}", ["SYN205 500ms is too short a time between looks"]),
        (
            "upsert",
            "{rows: adopt}",
            ["SYN727 rows: adopt can't be: rows aren't declared, so that no commit could say that they are gone"],
        ),
    ],
)
def test_reactions(tmp_path, write, drift, expected):
    """A flow that appends can't heal, nobody looks more often than once a second, and each place has its reactions."""
    assert found(tmp_path, write, drift) == expected


def test_a_folder_of_files_has_nothing_to_adopt(tmp_path):
    """A flow into files can't adopt: nothing of a folder could be declared otherwise."""
    flow = UPSERT["sync.yaml"].replace("write: upsert", "write: replace, drift: {tables: adopt}")
    flow = flow.replace("to: warehouse/", "to: lake/")
    lake = {"lake.yaml": LAKE}
    settings = build(tmp_path, {**UPSERT, "sync.yaml": flow, **lake})
    errors = [f"{d.code} {d.message}" for d in workflow.validate(settings).diagnostics if d.severity == "error"]
    assert errors == [
        "SYN750 tables: adopt can't be done: a folder of files has no columns that a mapping could follow"
    ]


def test_what_a_tenant_and_a_webhook_declare_is_looked_at_too(tmp_path):
    """A reaction that can't be is found where a tenant declares it, and at a webhook, with what can be."""
    webhook = SOURCE.replace("spec:\n", "spec:\n  webhooks: {push: {url: 'https://x.example/h', drift: adopt}}\n")
    tenant = TENANT.replace("spec: {", "spec: {drift: {keys: heal, credentials: report, intent: ignore}, ")
    settings = build(tmp_path, {**UPSERT, "tenant.yaml": tenant, "source.yaml": webhook})
    problems = [d for d in workflow.validate(settings).diagnostics if d.code == "SYN727"]
    assert [(d.place.file, d.suggestion, d.expected) for d in problems] == [
        ("source.yaml", "report", "report or heal"),
        ("tenant.yaml", "report", "report"),
        ("tenant.yaml", "heal", "heal or report"),
    ]


def test_every_place_and_reaction_is_possible_or_has_its_reason():
    """Each field of a reaction is a place, and each reaction of it is taken, or refused with a reason; none is both."""
    reactions = get_args(Reaction)
    assert set(POSSIBLE) == set(TenantDrift.model_fields) - {"every", "compare"}
    assert set(Drift.model_fields) <= {*POSSIBLE, "every", "compare"}
    for place, possible in POSSIBLE.items():
        for reaction in reactions:
            problems = list(declared(TenantDrift.model_validate({place: reaction}), ("spec", "drift")))
            assert bool(problems) is (reaction not in possible)
            assert ((place, reaction) in _WHY) is (reaction not in possible)
            assert all(problem.suggestion in possible for problem in problems)
