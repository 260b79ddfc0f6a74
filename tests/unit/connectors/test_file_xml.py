"""XML files: elements at a path are records, whatever the length of the file; what isn't safe is refused."""

from __future__ import annotations

import tracemalloc

import pytest

from syncline.model.errors import Invalid
from syncline.model.schema import INTEGER, NUMBER, STRING, DataType, Field, Schema
from syncline.sdk import conformance
from syncline.sdk.formats.xml_records import XmlRecords
from tests.contract import file_places

ITEMS = Schema(
    (
        Field("@id", INTEGER, nullable=False),
        Field("name", STRING),
        Field("price", NUMBER),
        Field("tag", STRING, repeated=True),
        Field("maker", DataType("json"), fields=(Field("city", STRING),)),
    )
)
DOCUMENT = """\
<?xml version="1.0" encoding="windows-1252"?>
<c:catalog xmlns:c="urn:c" version="2">
  <title>All of it</title>
  <c:items>
    <c:item id="007"><name>Müller &amp; Söhne</name><price>1.10</price><tag>a</tag><tag>b</tag></c:item>
    <c:item id="8"><name> </name><maker since="1999"><city>Köln</city></maker><tag>c</tag></c:item>
    <c:item id="nine"><name>bad</name></c:item>
    <other><item id="10"/></other>
    <c:item id="11"><name><![CDATA[<raw>]]></name></c:item>
  </c:items>
</c:catalog>
"""


def read(folder, records="catalog.items.item[]", schema=ITEMS, **more):
    """All batches of the files of a folder."""
    return conformance.read(lambda: file_places.source(folder, "*.xml", schema, records=records, **more))


def test_elements_become_records_by_the_schema(tmp_path):
    """Attributes, text, lists of one, objects, CDATA, prefixes and encodings: values are exact, what is bad is set aside."""
    (tmp_path / "a.xml").write_bytes(DOCUMENT.encode("windows-1252"))
    (batch,) = read(tmp_path)
    assert batch.frame.rows() == [
        (7, "Müller & Söhne", "1.10", ["a", "b"], None),
        (8, "", None, ["c"], {"city": "Köln"}),
        (11, "<raw>", None, [], None),
    ]
    assert [(bad.place, bad.field) for bad in batch.malformed] == [("a.xml#3", "@id")]
    assert batch.places(range(3)) == ["a.xml#1", "a.xml#2", "a.xml#4"]


@pytest.mark.parametrize("cut", [1, 7, 64])
def test_where_a_document_is_cut_into_pieces_changes_nothing(cut):
    """Fed a few bytes at a time, the records are those of the whole."""
    data = DOCUMENT.encode("windows-1252")
    whole = XmlRecords(("catalog", "items", "item")).feed(data, last=True)
    reader = XmlRecords(("catalog", "items", "item"))
    pieces = [reader.feed(data[at : at + cut], last=at + cut >= len(data)) for at in range(0, len(data), cut)]
    assert [record for piece in pieces for record in piece] == whole
    assert len(whole) == 4


BOMB = '<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY c "&a;&a;&a;&a;">]><catalog><items><item id="1"><name>&c;</name></item></items></catalog>'
OUTSIDE = '<!DOCTYPE b SYSTEM "file:///etc/passwd"><catalog><items/></catalog>'


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (BOMB, "SYN493"),
        (OUTSIDE, "SYN493"),
        ("<catalog><items><item id='1'>&a;</item></items></catalog>", "SYN565"),
        ("<catalog><items><item id='1'>", "SYN565"),
        ("no xml", "SYN565"),
        ("", "SYN565"),
        ("<?xml version='1.0' encoding='x-none'?><catalog/>", "SYN565"),
        ("<catalog><item id='1'/></catalog>", "SYN566"),
        ("<catalog><items>" + "<item>" * 200 + "</item>" * 200 + "</items></catalog>", "SYN493"),
    ],
)
def test_what_is_not_safe_or_no_xml_is_refused(tmp_path, text, code):
    """Entities, documents that are cut, no XML, no such path, and nesting without end: each in one error."""
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(Invalid) as caught:
        read(tmp_path)
    assert caught.value.code == code


def test_a_path_that_is_no_path_is_refused(tmp_path):
    """`@`, which JSON has, means nothing here."""
    (tmp_path / "a.xml").write_text("<a/>")
    with pytest.raises(Invalid) as caught:
        read(tmp_path, records="@")
    assert caught.value.code == "SYN566"


@pytest.mark.parametrize(("start", "what"), [("<a><b x='", "a tag"), ("<a><b>", "a record"), ("<a><!--", "a tag")])
def test_what_has_no_end_is_left_before_memory_is_full(start, what):
    """An attribute, a text and a comment that never end are refused, after a megabyte or, in a record, 64."""
    reader = XmlRecords(("a", "b"))
    reader.feed(start.encode())

    def endless():
        for _ in range(70 * 4):
            reader.feed(b"x" * (1 << 18))

    with pytest.raises(Invalid, match=f"{what} has more than") as caught:
        endless()
    assert caught.value.code == "SYN493"


def test_long_files_take_little_memory(tmp_path):
    """9 MB of records are read with a part of that memory."""
    with (tmp_path / "a.xml").open("w") as file:
        file.write("<catalog><items>")
        for number in range(20_000):
            file.write(f'<item id="{number}"><name>{"x" * 400}</name><price>{number}.5</price></item>')
        file.write("</items></catalog>")
    source = file_places.source(tmp_path, "*.xml", ITEMS, records="catalog.items.item[]", block=1 << 18)
    tracemalloc.start()
    count = sum(batch.frame.height for batch in source.read(None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    source.close()
    assert count == 20_000
    assert peak < 5 << 20, peak
