"""A listing whose pages are as their schema says: what is looked at beside the records is the same on every page."""

from __future__ import annotations

import json

import pytest

from syncline.connectors.rest.exchange.expressions import jmespath_of, reads_of
from syncline.model.errors import Again, Invalid
from syncline.sdk.formats.schema_pages import SchemaPages
from tests.rest_streams import FunctionTransport, answer, instance, read, rows, source

PAGES = 12
STREAM = """
streams:
  items:
    get: /items
    records: data[]
    key: [id]
    page: {cursor: meta.next, into: query.cursor}
    schema: {properties: {id: {type: integer}, price: {type: number}, name: {type: string}}, required: [id]}
"""


def document(number):
    following = f"c{number + 1}" if number + 1 < PAGES else None
    records = [{"id": 10 * number + i, "price": 1.5, "name": f"n{i}"} for i in range(3)]
    return {"data": records, "ok": True, "meta": {"next": following}}


def listed(change=lambda _number, page: page, text=STREAM, told=None):
    """The rows of a listing of `PAGES` pages, each changed by a function of its number and text."""

    def answered(request):
        number = int(request.url.partition("cursor=c")[2] or 0)
        return answer(change(number, json.dumps(document(number))).encode())

    made = instance(text, notice=None if told is None else told.append)
    return rows(read(source(made, transport=FunctionTransport(answered))))


@pytest.fixture
def quick(monkeypatch):
    """How many pages went the quick way."""
    found = []
    real = SchemaPages.read

    def counted(self, body):
        page = real(self, body)
        found.append(page is not None)
        return page

    monkeypatch.setattr(SchemaPages, "read", counted)
    return found


def test_all_pages_are_read_and_most_of_them_the_quick_way(quick):
    """Every record of twelve pages comes once, in order, with its digits; after the first pages all go the quick way."""
    found = listed(lambda _, page: page.replace("1.5", "1.50"))
    assert [row["id"] for row in found] == [10 * n + i for n in range(PAGES) for i in range(3)]
    assert {row["price"] for row in found} == {"1.50"}
    assert quick == [False] * 4 + [True] * (PAGES - 4)


def test_a_name_that_stands_twice_on_a_late_page_ends_the_read():
    """The tenth page has a record with two ids: refused as on the first page."""
    with pytest.raises(Invalid) as error:
        listed(lambda n, page: page.replace('"id": 100,', '"id": 100, "id": 7,') if n == 10 else page)
    assert error.value.code == "SYN412"


@pytest.mark.parametrize("where", ["body.ok == `false`", "length(body.data) == `1`"])
def test_rules_over_the_body_see_late_pages(where):
    """A rule about a name beside the records, and one about the records themselves, match on the tenth page as well."""
    text = STREAM + f"    errors: [{{when: '{where}', do: fail, message: 'it says {{{{ body.ok }}}}'}}]\n"

    def change(number, page):
        if number != 10:
            return page
        only = {**json.loads(page), "ok": False, "data": json.loads(page)["data"][:1]}
        return json.dumps(only)

    with pytest.raises(Invalid) as error:
        listed(change, text)
    assert error.value.code == "SYN440"
    assert "it says False" in error.value.message or "it says false" in error.value.message


def test_fields_that_come_and_go_on_late_pages_are_told(quick):
    """A field that isn't declared and comes on the ninth page is told of, and the pages are read all the same."""
    told: list[str] = []
    found = listed(lambda n, page: page.replace('"name"', '"colour": 1, "name"') if n >= 9 else page, told=told)
    assert len(found) == 3 * PAGES
    assert [text for text in told if "'colour'" in text and "have come" in text]
    assert quick[4:9] == [True] * 5
    assert not any(quick[9:])


def test_a_declared_field_that_goes_is_told():
    """A declared field that all records had and that is gone on the ninth page is told of; its values are null."""
    told: list[str] = []
    found = listed(lambda n, page: page.replace('"name": ', '"title": ') if n == 9 else page, told=told)
    assert [text for text in told if "'name'" in text and "are gone" in text]
    assert [row["id"] for row in found if row["name"] is None] == [90, 91, 92]


def test_a_page_that_is_cut_is_no_shorter_page():
    """The last bytes of the eleventh page are missing: it is damaged, not a page with fewer records."""
    with pytest.raises(Again) as error:
        listed(lambda n, page: page[:-30] if n == 11 else page)
    assert error.value.code == "SYN411"


@pytest.mark.parametrize(
    ("text", "under", "reads"),
    [
        ("next", "", (("next",),)),
        ("meta.next || links[?rel == 'next'].href | [0]", "", (("meta", "next"), ("links",))),
        ("!(body.ok) && status == `200`", "body", (("ok",),)),
        ("status == `429`", "body", ()),
        ("body", "body", ((),)),
        ("body[0].error", "body", ((),)),
        ("contains(body.message, 'x')", "body", None),
        ("@", "", None),
        ("[0].next", "", None),
        ("*.next", "", None),
        ("{a: body}", "body", None),
    ],
)
def test_what_an_expression_looks_at_is_known_or_taken_for_everything(text, under, reads):
    """Names lead to paths; what isn't names alone may look anywhere."""
    assert reads_of(jmespath_of(text), under) == reads
