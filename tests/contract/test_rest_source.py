"""The contract of sources, for the `rest` runtime: every way of paging, with and without schema, full and incremental."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from syncline.sdk import conformance
from tests.api_server import api_server, pages
from tests.rest_streams import instance, source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api_server import ApiServer

TEXT = """
streams:
  items:
    get: /items
    records: data[]
    key: [id]
    page: PAGE
    cursor: {field: at}
    schema: {properties: {id: {type: integer}, at: {type: string}, price: {type: number}, tags: {type: array, items: {type: string}}}}
"""
WAYS = {
    "cursor": "{cursor: next, into: query.cursor}",
    "page": "{page: query.page}",
    "offset": "{offset: query.offset}",
    "next": "{next: next}",
    "link": "{link: next}",
}
# Every seventh record is malformed where there is a schema; times repeat and are not in order.
RECORDS = [
    {
        "id": n if n % 7 else str(n),
        "at": f"2024-01-{1 + n * 5 % 9:02}T00:00:00Z",
        "price": n / 8,
        "tags": ["a"] * (n % 3),
    }
    for n in range(1, 31)
]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def api(way: str) -> Iterator[ApiServer]:
    with api_server(pages(RECORDS, 4, way)) as running:
        yield running


@pytest.mark.parametrize("check", conformance.SOURCE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("reading", ["full", "incremental", "untyped"])
def test_rest_sources_keep_their_promises(api, way, reading, check):
    """A REST source passes every check of the shipped suite, whatever its paging."""
    text = TEXT.replace("PAGE", WAYS[way])
    if reading == "untyped":
        text = text[: text.index("    schema:")]
    made = instance(text, url=api.url)
    check(lambda: source(made, paths=("id", "tags"), incremental=reading == "incremental", batch_rows=4))
