"""`syncline compare` where a flow writes to an API: what the source makes against what the API gives of the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid, SynclineError
from tests.api_server import api_server
from tests.e2e import house, writing
from tests.writing_api import Contacts

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.executor.previews.comparer import Comparison
    from syncline.settings import Settings


@pytest.fixture
def api() -> Contacts:
    return Contacts(unique="id")


def build(root: Path, api: Contacts, url: str, change: tuple[str, str] = ("", "")) -> Settings:
    """An API that has what a run wrote to it, by a connector in which something is changed."""
    texts = writing.repository(url, "keys")
    assert change[0] in texts["connector.yaml"]
    texts["connector.yaml"] = texts["connector.yaml"].replace(*change) if change[0] else texts["connector.yaml"]
    settings = house.build(root, texts)
    house.customers(root, 30)
    workflow.apply(settings, step=lambda _: None)
    workflow.run(settings, house.FLOW, progress=Silent())
    assert len(api.of("contacts")) > 20
    return settings


def compared(settings: Settings) -> Comparison:
    return workflow.compare(settings, house.FLOW, progress=Silent())


def record(api: Contacts, number: int) -> tuple[str, dict[str, Any]]:
    return next((ref, one) for ref, one in api.records["contacts"].items() if one["id"] == number)


@pytest.mark.parametrize("schema", ["declared", "none"])
def test_an_api_is_compared_with_its_source(tmp_path, api, schema):
    """After a run nothing differs, dates and decimals included; what others do there shows by key and field."""
    with api_server(api.handle) as server:
        settings = build(tmp_path, api, server.url)
        if schema == "none":
            text = (settings.root / "connector.yaml").read_text()
            (settings.root / "connector.yaml").write_text(text[: text.index("      schema:")])
        found = compared(settings)
        assert found.equal
        assert found.same == found.rows == len(api.of("contacts"))

        record(api, 1)[1]["balance"] = 999
        record(api, 2)[1]["born"] = "1900-01-01"
        del api.records["contacts"][record(api, 3)[0]]
        api.records["contacts"]["x"] = {**record(api, 4)[1], "id": 4000}
        found = compared(settings)
    assert (found.different, found.missing, found.extra, found.unclear) == (2, 1, 1, 0)
    assert found.fields == {"balance": 1, "born": 1}
    assert {(row.kind, row.key["id"]) for row in found.listed} == {
        ("different", "1"),
        ("different", "2"),
        ("missing", "3"),
        ("extra", "4000"),
    }


def test_what_is_no_such_row_is_not_equal(tmp_path, api):
    """A record that is there twice, and a value that is no date where ours is null, aren't passed over."""
    with api_server(api.handle) as server:
        settings = build(tmp_path, api, server.url)
        api.records["contacts"]["again"] = dict(record(api, 1)[1])
        found = compared(settings)
        assert (found.unclear, found.missing, found.extra, found.equal) == (1, 0, 0, False)
        record(api, 2)[1]["born"] = "the day before"
        assert compared(settings).unclear == 2


def test_an_api_whose_records_have_another_key(tmp_path, api):
    """Records that are told apart by something else are no rows to compare with."""
    with api_server(api.handle) as server:
        settings = build(tmp_path, api, server.url, ("key: [id]", "key: [email]"))
        with pytest.raises(Invalid, match="told apart by email") as caught:
            compared(settings)
    assert caught.value.code == "SYN577"


def test_an_api_that_is_only_written(tmp_path, api):
    """Where the request that reads the stream isn't answered, that is said; nothing is taken for missing."""
    with api_server(api.handle) as server:
        settings = build(tmp_path, api, server.url, ("      get: /contacts\n", "      get: /contacts/of/all\n"))
        with pytest.raises(SynclineError, match="404"):
            compared(settings)
