"""Rehearsals of imports with keys that aren't a record's own: which these are, and where."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from syncline import workflow
from syncline.cli.main import main
from syncline.executor.previews.repeats import Repeat
from syncline.executor.progress import Silent
from tests.e2e.house import Scenario, build

HEAD = "id,name,email,balance,born"


def put(root, name, ids):
    """A file of customers with these ids."""
    path = root / "data" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([HEAD, *(f"{n},Ada,ada@example.com,1,1990-01-01" for n in ids)]) + "\n")


@pytest.fixture(params=["sqlite", "postgresql"])
def scenario(request):
    """An import by upsert."""
    if request.param == "sqlite":
        return Scenario("upsert", kind="Import")
    return Scenario("upsert", request.getfixturevalue("postgres_url"), f"house_{uuid4().hex[:8]}", kind="Import")


def rehearsed(settings, scenario):
    return workflow.rehearse(settings, scenario.key, progress=Silent())


def test_records_with_keys_of_others_are_named_by_file_and_row(tmp_path, scenario):
    """
    Twice in a file, which has the earlier record named; in another file, which has the later one; and at the destination.
    Of each there are five at most, however many are counted.
    """
    put(tmp_path, "customers-1.csv", [*range(500, 900, 2)])
    settings = build(tmp_path, scenario.texts)
    workflow.apply(settings)
    workflow.run(settings, scenario.key, progress=Silent())

    put(tmp_path, "customers-1.csv", [1, 2, 1, 3])
    put(tmp_path, "customers-2.csv", [2, *range(100, 160), 501, 502, 503, 504, 506])
    found = rehearsed(settings, scenario)
    assert found.duplicates == 2
    assert found.again == (Repeat("customers-1.csv:2", "id=1"), Repeat("customers-2.csv:2", "id=2"))
    places = {502: 64, 504: 66, 506: 67}
    assert found.there == tuple(Repeat(f"customers-2.csv:{row}", f"id={n}") for n, row in places.items())

    put(tmp_path, "customers-2.csv", [*[7] * 9, *range(500, 900)])
    found = rehearsed(settings, scenario)
    assert found.duplicates == 9
    assert len(found.again) == len(found.there) == 5
    assert [repeat.key for repeat in found.there] == ["id=500", "id=502", "id=504", "id=506", "id=508"]


def test_keys_that_are_classified_are_not_shown(tmp_path, capsys):
    """Where the key is personal data, the place is all that is told, as text and as data."""
    scenario = Scenario("upsert", kind="Import")
    texts = dict(scenario.texts)
    texts["mapping.yaml"] = texts["mapping.yaml"].replace(
        "{to: id, from: id, type: integer, required: true}",
        "{to: id, from: id, type: integer, required: true, class: pii.national_id}",
    )
    put(tmp_path, "customers.csv", [900_100_200, 5, 900_100_200])
    settings = build(tmp_path, texts)
    workflow.apply(settings)
    assert rehearsed(settings, scenario).again == (Repeat("customers.csv:2", ""),)
    for how in ([], ["-o", "json"]):
        capsys.readouterr()
        main(["--root", str(tmp_path), "rehearse", "Import/customers", *how])
        shown = capsys.readouterr().out
        assert "customers.csv:2" in shown
        assert "900100200" not in shown
    assert json.loads(shown)["again"] == [{"place": "customers.csv:2", "key": ""}]
