"""One evaluator: editor, validate, plan of a pull request, apply and run give the same answer on the same input."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.editor.repository import Repository
from syncline.executor.flows.applied import Applied
from syncline.manifests.load import from_document, to_document
from syncline.manifests.resolve import resolve
from syncline.model.errors import Denied
from syncline.model.plan import Basis, Plan
from syncline.planner.compiled import compile_flows
from syncline.policy.check import Verdicts
from syncline.reconciler.judging import check_policy
from tests.repository import CUSTOMERS, edited, write
from tests.unit.policy.decisions import with_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from syncline.model.plan import PolicyResult
    from syncline.settings import Settings

#: What is compared: rule, object, verdict and message.
Answer = set[tuple[str, str, str, str]]

ABROAD = edited("files.yaml", "region: eu-west, config: {path", "region: us-east, config: {path")
GDPR = edited("tenant.yaml", "spec:\n", "spec:\n  policies: [gdpr, baseline]\n")
EXCEPTION = "  exceptions:\n  - {rule: residency, objects: ['*'], owner: dpo, reason: a move, until: 2099-01-01}\n"
#: Two tenants that mean one file, one by a relative path and one by an absolute one below the repository.
SHARED_FILE = {
    **CUSTOMERS,
    "globex.yaml": (
        "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: globex}\nspec: {}\n---\n"
        "apiVersion: syncline/v1\nkind: Integration\nmetadata: {name: lake, tenant: globex}\n"
        "spec: {connector: sqlite@^1, region: eu-west, config: {path: ROOT/warehouse.db}}\n"
    ),
}
CASES = {
    "allowed": CUSTOMERS,
    "denied by a built-in rule": ABROAD,
    "denied and warned by packs": GDPR,
    "excepted": with_policy(EXCEPTION, ABROAD, shared=True),
    "protected": edited("mapping.yaml", "class: pii.email", "class: pii.email, protect: {tokenize: tenant}", ABROAD),
    "a place shared by tenants": SHARED_FILE,
    "opted out": edited("import.yaml", "write: upsert", "write: upsert, use: {optOut: gone}"),
}


def answer(results: Iterable[PolicyResult]) -> Answer:
    """Verdicts without places, which what is applied no longer has."""
    return {(r.rule, r.object, r.verdict, r.message) for r in results}


def at_editor(settings: Settings, texts: Mapping[str, str]) -> Answer:
    """The findings that an editor shows of policy, of texts that are typed and not saved: what is on disk is allowed."""
    write(settings.root, CUSTOMERS)
    found = Repository(settings).check(texts).findings.values()
    return {
        (d.code, d.subject, str(d.severity), d.message) for each in found for d in each if d.code.startswith("SYN5")
    }


def at_plan(settings: Settings) -> Answer:
    """What the plan of a pull request says; of one that is denied, the findings that it is refused with."""
    try:
        return answer(workflow.plan(settings).policy)
    except Denied as denied:
        return {(d.code, d.subject, str(d.severity), d.message) for d in denied.diagnostics}


def at_apply(settings: Settings) -> Answer:
    """What an apply that leads to this says, from the documents that it would keep."""
    manifests = workflow.validate(settings).desired.objects.values()
    desired = resolve([from_document(to_document(manifest)) for manifest in manifests]).desired
    plan = Plan(Basis("", dirty=False, lineage="", serial=0, manifests=""), (), ())
    return answer(check_policy(desired, plan, dt.datetime.now(dt.UTC).date(), settings.root).results)


def at_run(settings: Settings) -> Answer:
    """What runs of all flows say together, from what is applied."""
    manifests = workflow.validate(settings).desired.objects.values()
    desired = resolve([from_document(to_document(manifest)) for manifest in manifests]).desired
    found: Answer = set()
    with workflow.engine(settings) as engine:
        applied = Applied(0, "", "", {}, desired, compile_flows(desired))
        for item in applied.flows.values():
            found |= answer(engine.decide(item, applied))
    return found


@pytest.mark.parametrize("texts", CASES.values(), ids=CASES)
def test_all_five_give_the_same_answer(texts: Mapping[str, str], tmp_path: Path) -> None:
    """Rule by rule, object by object, word for word; an editor shows what of it is a finding."""
    texts = {name: text.replace("ROOT", str(tmp_path)) for name, text in texts.items()}
    settings = write(tmp_path, texts)
    validation = workflow.validate(settings)
    said = answer(validation.policy)
    mine = {r for item in validation.flows.values() for r in answer(Verdicts(validation.policy).of_flow(item.flow))}
    findings = {
        (r.diagnostic.code, r.diagnostic.subject, str(r.diagnostic.severity), r.diagnostic.message)
        for r in validation.policy
        if r.diagnostic is not None
    }

    assert said
    assert at_plan(settings) == (said if validation.ok else findings)
    assert at_apply(settings) == said
    assert at_run(settings) == mine
    assert at_editor(settings, texts) == findings


def test_the_cases_cover_every_verdict(tmp_path: Path) -> None:
    """There is something to agree about."""
    verdicts = set()
    for number, texts in enumerate(CASES.values()):
        root = tmp_path / str(number)
        settings = write(root, {name: text.replace("ROOT", str(root)) for name, text in texts.items()})
        verdicts |= {r.verdict for r in workflow.validate(settings).policy}

    assert verdicts == {"passed", "warned", "excepted", "denied"}
