"""`syncline compare` where a flow writes files: what the source makes against what the folder has."""

from __future__ import annotations

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid
from tests.e2e.house import Scenario, build, customers


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_a_folder_is_compared_with_its_source(tmp_path, form):
    """After a run nothing differs; a source that changed since shows by key and field; a lost part is an error."""
    scenario = Scenario("replace", form, kind="Import")
    settings = build(tmp_path, scenario.texts)
    customers(tmp_path, 40)
    workflow.apply(settings)
    counts = workflow.run(settings, scenario.key, progress=Silent()).receipt.counts
    found = workflow.compare(settings, scenario.key, progress=Silent())
    assert found.equal
    assert (found.records, found.rejected, found.rows) == (counts.read, counts.rejected, found.same)
    customers(tmp_path, 45, 2)
    found = workflow.compare(settings, scenario.key, progress=Silent())
    assert found.missing == len([n for n in range(41, 46) if n % 7 and n % 11])
    assert found.different == found.rows
    assert set(found.fields) == {"name", "balance"}
    customers(tmp_path, 30)
    assert workflow.compare(settings, scenario.key, progress=Silent()).extra == len(
        [n for n in range(31, 41) if n % 7 and n % 11]
    )
    next((tmp_path / "lake" / "customers").glob("part-*")).unlink()
    with pytest.raises(Invalid) as caught:
        workflow.compare(settings, scenario.key, progress=Silent())
    assert caught.value.code == "SYN767"
