"""A run of which only the later batches are kept isn't undone, neither halfway nor at its end."""

from __future__ import annotations

import sys

import pytest

from syncline import privacy, workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid
from syncline.model.subject import Subject
from tests import warm
from tests.e2e.house import MAPPING, build, customers
from tests.e2e.test_undoing import SCENARIO, declared, table
from tests.look import Look

#: Runs the import in small batches, and kills its process after the commit of so many.
RUN_TO = """
import sys
from pathlib import Path

from syncline.executor.engine import Engine
from syncline.executor.services.facilities import open_facilities
from syncline.executor.flows.instance import resolver
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from tests.e2e import fuse, house
from tests.e2e.test_undoing import SCENARIO


class Commits(fuse.Fuse):
    def point(self, name):
        if name == "after writer.write":
            super().point(name)


settings = house.settings_of(Path(sys.argv[1]))
with open_facilities(settings) as facilities:
    engine = Engine(facilities, resolver(settings), fuse.opener(Commits(int(sys.argv[2])), 800))
    engine.run(Work(SCENARIO.key, open_source=fuse.fused_source), Silent())
"""


def killed(settings, commits):
    """The import's run, killed after so many commits."""
    command = [sys.executable, "-c", RUN_TO, str(settings.root), str(commits)]
    done = warm.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    return Look(settings.state_url).runs(SCENARIO.key)[0].id


def refused(call, *given):
    with pytest.raises(Invalid, match="only a part of run") as caught:
        call(*given)
    assert caught.value.code == "SYN761"


@pytest.mark.parametrize("why", ["erased", "declared later"])
def test_half_of_a_run_is_not_undone(tmp_path, why):
    """A run that was killed and lost what was kept of its first batch, or kept nothing then, and went on, stays whole."""
    subject = MAPPING.replace("key: [id]", "key: [id]\n  subject: {customer: email}")
    texts = {**declared(SCENARIO), "mapping.yaml": subject}
    first = {**texts, "sync.yaml": SCENARIO.texts["sync.yaml"]} if why == "declared later" else texts
    settings = build(tmp_path, first)
    customers(tmp_path, 60)
    workflow.apply(settings)
    run = killed(settings, 1)
    if why == "erased":
        privacy.erase(settings, "acme", Subject("customer", "c1@example.com"), lambda _: None)
    else:
        build(tmp_path, texts)
        workflow.apply(settings)
    assert killed(settings, 1) == run
    before = table(tmp_path)
    refused(workflow.plan_undo, settings, run)
    assert workflow.run(settings, SCENARIO.key, progress=Silent()).record.id == run
    assert len(table(tmp_path)) > len(before)
    before = table(tmp_path)
    refused(workflow.plan_undo, settings, run)
    refused(lambda: workflow.undo(settings, run, progress=Silent()))
    assert table(tmp_path) == before
