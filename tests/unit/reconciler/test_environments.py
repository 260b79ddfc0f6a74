"""The state remembers of which environment it is: a plan of another one is refused, saved or made now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.model.errors import Invalid
from syncline.planner.serialize import dumps, loads
from syncline.settings import Settings, read_settings
from tests import repository
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENTS = """\
apiVersion: syncline/v1
kind: Environments
spec:
  variables: {region: {default: eu-west}}
  environments:
    staging: {}
    production: {values: {region: eu-north}}
"""
BASE = {
    **repository.CUSTOMERS,
    "files.yaml": repository.FILES.replace("region: eu-west", 'region: "${region}"'),
    "environments.yaml": ENVIRONMENTS,
}


def settings(root: Path, environment: str, text: str = ENVIRONMENTS) -> Settings:
    repository.write(root, {**BASE, "environments.yaml": text})
    return read_settings(root, {"SYNCLINE_ACTOR": "tests"}, environment)


def test_a_plan_and_the_state_name_the_environment(tmp_path):
    """The plan says which environment it is of, read back too; the state and the evidence keep it."""
    staging = settings(tmp_path, "staging")

    plan = loads(dumps(workflow.plan(staging)))
    workflow.apply(staging, plan)

    assert plan.basis.environment == "staging"
    assert Look(staging.state_url).environment() == "staging"
    assert workflow.plan(staging).empty


def test_a_plan_of_another_environment_is_refused(tmp_path):
    """What was applied in one environment isn't turned into another: not by planning, and not by a saved plan."""
    staging, production = settings(tmp_path, "staging"), settings(tmp_path, "production")
    saved = workflow.plan(production)
    workflow.apply(staging, workflow.plan(staging))

    for attempt in (lambda: workflow.plan(production), lambda: workflow.apply(production, saved)):
        with pytest.raises(Invalid) as caught:
            attempt()
        assert caught.value.code == "SYN289"
        assert "'staging'" in caught.value.message


def test_a_repository_may_begin_to_have_environments(tmp_path):
    """A state that was applied without them becomes that of the first one, and doesn't go back."""
    plain = repository.write(tmp_path, repository.CUSTOMERS)
    workflow.apply(plain, workflow.plan(plain))
    staging = settings(tmp_path, "staging")

    plan = workflow.plan(staging)
    workflow.apply(staging, plan)
    repository.write(tmp_path, repository.CUSTOMERS)

    assert plan.empty
    with pytest.raises(Invalid) as caught:
        workflow.plan(plain)
    assert caught.value.code == "SYN289"


def test_an_environment_may_be_renamed(tmp_path):
    """With `formerly`, the state of the old name goes on under the new one."""
    staging = settings(tmp_path, "staging")
    workflow.apply(staging, workflow.plan(staging))
    renamed = settings(tmp_path, "test", ENVIRONMENTS.replace("staging: {}", "test: {formerly: staging}"))

    workflow.apply(renamed, workflow.plan(renamed))

    assert Look(renamed.state_url).environment() == "test"
