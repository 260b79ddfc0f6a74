"""Runs that were to replace a table and were refused: what is listed of them is what they did."""

from __future__ import annotations

from uuid import uuid4

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Denied
from syncline.model.run import Counts, RunState
from tests.e2e.house import Scenario, build, customers, rows
from tests.look import Look


@pytest.mark.parametrize("destination", ["sqlite", "postgresql", "parquet"])
@pytest.mark.parametrize(
    ("guard", "code"), [("maxShrink: 10%", {"SYN487", "SYN475"}), ("control: {records: 77}", {"SYN717"})]
)
def test_a_table_that_is_not_swapped_has_no_rows_written(tmp_path, request, destination, guard, code):
    """The run is listed with what it read and rejected, and with no row written; the next run writes all of its own."""
    url, schema = destination, ""
    if destination == "postgresql":
        url, schema = request.getfixturevalue("postgres_url"), f"house_{uuid4().hex[:8]}"
    scenario = Scenario("replace", url, schema, kind="Import")
    texts = dict(scenario.texts)
    texts["sync.yaml"] = texts["sync.yaml"].replace("validate: before-commit", "validate: inline")
    customers(tmp_path, 200, malformed=False)
    settings = build(tmp_path, texts)
    workflow.apply(settings)
    whole = workflow.run(settings, scenario.key, progress=Silent()).receipt
    before = rows(tmp_path, scenario)

    texts["sync.yaml"] = texts["sync.yaml"].replace("write: replace", f"write: replace, guards: {{{guard}}}")
    build(tmp_path, texts)
    workflow.apply(settings)
    customers(tmp_path, 20, malformed=False)
    with pytest.raises(Denied) as caught:
        workflow.run(settings, scenario.key, progress=Silent())
    assert caught.value.code in code
    assert rows(tmp_path, scenario) == before
    listed = Look(settings.state_url).runs(scenario.key)[0]
    assert listed.state is RunState.failed
    counts = listed.counts
    assert counts == Counts(read=21, rejected=counts.rejected, skipped=counts.skipped)
    assert counts.rejected > 0

    customers(tmp_path, 200, malformed=False)
    texts["sync.yaml"] = scenario.texts["sync.yaml"].replace("validate: before-commit", "validate: inline")
    build(tmp_path, texts)
    workflow.apply(settings)
    assert workflow.run(settings, scenario.key, progress=Silent()).receipt.counts.written == whole.counts.written
