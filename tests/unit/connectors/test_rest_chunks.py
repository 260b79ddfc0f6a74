"""Fields that are asked for in chunks, and put together to whole records."""

from __future__ import annotations

import json
from textwrap import indent
from urllib.parse import parse_qsl, urlsplit

import pytest

from syncline.connectors.rest.reading.source import RestSource
from syncline.manifests.load import load_text
from syncline.model.errors import Again, Invalid
from syncline.sdk.formats.whole import WHOLE, as_record
from syncline.sdk.source import SourceRequest
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source
from tests.unit.connectors.exports import opened

CHUNKED = """
streams:
  items:
    get: /items
    records: data[]
    page: {cursor: next, into: query.after}
    chunk: {fields: 3, into: query.fields, by: id}
    schema: {properties: {a: {type: number}, b: {type: string}, c: {type: object, properties: {x: {type: integer}}}, id: {type: integer}}}
"""


def chunked(change=lambda _fields, records: records):
    def api(request):
        query = dict(parse_qsl(urlsplit(request.url).query))
        first = 0 if "after" not in query else 2
        fields = query["fields"].split(",")
        assert len(fields) <= 3
        whole = [b'{"id": %d, "a": %d.10, "b": "b%d", "c": {"x": %d}}' % (n, n, n, n) for n in (first, first + 1)]
        records = [{name: raw[name] for name in fields} for raw in map(_raws, whole)]
        data = change(fields, records)
        body = (
            b"["
            + b",".join(b"{" + b",".join(b'"%b": %b' % (n.encode(), v) for n, v in r.items()) + b"}" for r in data)
            + b"]"
        )
        return answer(b'{"data": ' + body + (b', "next": "2"}' if first == 0 else b"}"))

    return api


def _raws(record):
    import msgspec

    return {name: bytes(value) for name, value in msgspec.json.decode(record, type=dict[str, msgspec.Raw]).items()}


def test_the_results_of_a_job_are_asked_for_in_chunks_of_fields():
    """Each page of them is asked for once a chunk; the requests about the job itself are sent once."""
    text = """
streams:
  items:
    records: data[]
    page: {cursor: next, into: query.after}
    chunk: {fields: 3, into: query.fields, by: id}
    job:
      create: {post: /exports}
      poll: {get: "/exports/{{ job.id }}", every: 1s, done: body.done}
      download: {get: "/exports/{{ job.id }}/rows"}
      delete: {delete: "/exports/{{ job.id }}"}
    schema: {properties: {a: {type: number}, b: {type: string}, c: {type: object, properties: {x: {type: integer}}}, id: {type: integer}}}
"""
    log = []

    def api(request):
        path = urlsplit(request.url).path
        log.append(f"{request.method} {path}")
        return chunked()(request) if path.endswith("/rows") else answer({"id": 1, "done": True})

    found = rows(read(opened(api, text)))
    assert found == [{"id": n, "a": f"{n}.10", "b": f"b{n}", "c": {"x": n}} for n in range(4)]
    assert log == ["POST /exports", "GET /exports/1", *["GET /exports/1/rows"] * 4, "DELETE /exports/1"]


def test_fields_are_asked_for_in_chunks():
    """Each page is asked for once a chunk, always with the key; records are whole, with the digits that were sent."""
    transport = FunctionTransport(chunked())
    found = rows(read(source(instance(CHUNKED), transport=transport)))
    assert found == [{"id": n, "a": f"{n}.10", "b": f"b{n}", "c": {"x": n}} for n in range(4)]
    assert [dict(parse_qsl(urlsplit(r.url).query)) for r in transport.sent] == [
        {"fields": "id,a,b"},
        {"fields": "id,c"},
        {"fields": "id,a,b", "after": "2"},
        {"fields": "id,c", "after": "2"},
    ]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda fields, records: records[1:] if "c" in fields else records, Again),
        (lambda fields, records: records[:1] if "a" in fields else records, Again),
        (lambda _, records: [records[0], records[0]], Invalid),
        (lambda _, records: [{n: v for n, v in r.items() if n != "id"} for r in records], Invalid),
    ],
)
def test_half_a_record_is_an_error(change, error):
    """A record that is missing in some chunk, twice in one, or has no key, stops the read: none of the page is used."""
    with pytest.raises(error) as caught:
        read(source(instance(CHUNKED), transport=FunctionTransport(chunked(change))))
    assert caught.value.code == "SYN495"


def test_a_chunk_that_a_rule_passes_over_may_have_had_records():
    """A page is known to have none only where no chunk of it was refused, whichever of them that is."""
    for refused in ("a", "c"):

        def api(request, refused=refused):
            fields = dict(parse_qsl(urlsplit(request.url).query))["fields"].split(",")
            return answer({}, status=403) if refused in fields else answer({"data": []})

        text = f"http: {{errors: [{{when: 'status == `403`', do: skip}}]}}\n{CHUNKED}"
        assert [batch.unsure != "" for batch in read(source(instance(text), transport=FunctionTransport(api)))] == [
            True
        ]


def test_chunks_by_length_in_a_body():
    """Chunks may be bounded by characters, go into the body as a list, and ask for the fields of an object."""
    text = """
streams:
  items:
    post: /search
    body: {limit: 2}
    records: "@"
    chunk: {characters: 5, into: body.props, by: id, of: props}
    schema: {properties: {id: {type: string}, props: {type: object, properties: {aa: {type: string}, bb: {type: string}, ccccc: {type: string}}}}}
"""

    def api(request):
        asked = json.loads(request.body)["props"]
        return answer([{"id": "1", "props": {name: name.upper() for name in asked}}])

    transport = FunctionTransport(api)
    [row] = rows(read(source(instance(text), transport=transport)))
    assert row == {"id": "1", "props": {"aa": "AA", "bb": "BB", "ccccc": "CCCCC"}}
    assert [json.loads(r.body) for r in transport.sent] == [
        {"limit": 2, "props": ["aa", "bb"]},
        {"limit": 2, "props": ["ccccc"]},
    ]


def test_whole_records_have_the_declared_fields():
    """Who looks at whole records, before a schema is right, still gets every declared field, in chunks."""
    transport = FunctionTransport(chunked())
    opened = RestSource(instance(CHUNKED), SourceRequest("items", WHOLE, ()), transport=transport, clock=FakeClock())
    found = [as_record(row["@"]) for row in rows(read(opened))]
    assert [sorted(record) for record in found] == [["a", "b", "c", "id"]] * 4


GRAPHQL = """
streams:
  items:
    post: /graphql
    graphql:
      query: "query Items($after: String) { items(after: $after) { nodes { ...chunk } pageInfo { hasNextPage endCursor } } }"
      connection: data.items
    chunk: {fields: 2, into: graphql.query, by: id}
    schema:
      properties:
        id: {type: string}
        title: {type: string}
        owner: {type: object, properties: {name: {type: string}, team: {type: object, properties: {id: {type: string}}}}}
        labels: {type: array, items: {type: object, properties: {name: {type: string}}}}
"""
#: Numbers in lists of lists.
MATRIX = "{type: array, items: {type: array, items: {type: number}}}"


def codes_of(streams):
    """Codes of the findings of streams when they are validated."""
    head = "apiVersion: syncline/v1\nkind: Connector\nmetadata: {name: c}\nspec:\n  version: 1.0.0\n"
    text = f"{head}  http: {{url: 'https://a.example.com'}}\n" + indent(streams, "  ")
    return [diagnostic.code for diagnostic in load_text(text, "c.yaml").diagnostics]


def test_a_graphql_document_selects_the_fields_of_a_chunk():
    """Each chunk selects the key and its fields, objects and lists of them with what the schema has; pages go on as ever."""
    whole = {"title": "t", "owner": {"name": "Ada", "team": {"id": "x"}}, "labels": [{"name": "l"}]}

    def api(request):
        body = json.loads(request.body)
        number = "2" if body["variables"].get("after") else "1"
        names = [name for name in ("title", "owner", "labels") if f" {name} " in body["query"]]
        node = {"id": number} | {name: whole[name] for name in names}
        more = {"hasNextPage": number == "1", "endCursor": "c1"}
        return answer({"data": {"items": {"nodes": [node], "pageInfo": more}}})

    transport = FunctionTransport(api)
    found = rows(read(source(instance(GRAPHQL), transport=transport)))

    assert found == [{"id": "1", **whole}, {"id": "2", **whole}]
    selected = [
        json.loads(r.body)["query"].partition("nodes { ")[2].partition(" } pageInfo")[0] for r in transport.sent
    ]
    assert selected == 2 * ["id title", "id owner { name team { id } }", "id labels { name }"]


@pytest.mark.parametrize(("spread", "codes"), [("...chunk", []), ("... chunk", []), ("...chunks", ["SYN205"])])
def test_a_document_has_a_place_for_the_fields(spread, codes):
    """A document without the spread `...chunk` is a finding when it is validated."""
    assert codes_of(GRAPHQL.replace("...chunk", spread)) == codes


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (("title:", "title-de:"), ["SYN205"]),
        (("{name: {type: string}, team", "{first.name: {type: string}, team"), ["SYN205"]),
        (("{type: array, items: {type: object", "{type: array, items: {type: array, items: {type: object"), ["SYN205"]),
        (("{type: array, items: {type: object, properties: {name: {type: string}}}}", MATRIX), []),
        (("schema:", "fields: {add: {to-day: title}, rename: {title: title-de}}\n    schema:"), []),
        (("{ ...chunk }", "{ ...chunk ...more }"), []),
        (("hasNextPage endCursor } } }", "hasNextPage endCursor } } } fragment chunk on Item { id }"), ["SYN205"]),
    ],
)
def test_a_schema_can_be_selected(change, codes):
    """Names that GraphQL has not, and what a schema can't select, are findings; so is a fragment of the spread's name."""
    text = GRAPHQL.replace(*change)
    text += "}" if "array, items: {type: array, items: {type: object" in text else ""
    text = (
        text.replace("title: {type: string}", "title-de: {type: string}\n        to-day: {type: string}")
        if "rename" in text
        else text
    )
    assert text != GRAPHQL
    assert codes_of(text) == codes


def test_a_document_needs_the_schema_whose_fields_it_selects():
    """Without a schema nothing says what is selected: a finding, and of whole records none is cut to its key."""
    text = GRAPHQL.partition("    schema:")[0]
    assert codes_of(text) == ["SYN202"]
    for stream in (text, CHUNKED.partition("    schema:")[0]):
        with pytest.raises(Invalid) as caught:
            RestSource(instance(stream), SourceRequest("items", WHOLE, ()), transport=FunctionTransport(chunked()))
        assert caught.value.code == "SYN432"


@pytest.mark.parametrize(
    ("own", "selected"),
    [
        ("id ...chunk", ["title owner { name team { id } }", "labels { name }"]),
        ("id: key labels(first: 9) { name } ...chunk title: name(in: {de: true})", ["owner { name team { id } }"]),
        ('...chunk # labels\n labels(by: "title") @include(if: $after) { name }', ["id title", "id owner { name team { id } }"]),
        ("... on Bug { labels(first: 1) { name } ...chunk } ... on Task { labels(first: 2) { name } title ...chunk }",
         ["id title", "id owner { name team { id } }"]),
        ("id title owner { name } labels { name } ...chunk", [""]),
    ],
)  # fmt: skip
def test_what_a_document_selects_beside_the_spread_is_not_selected_again(own, selected):
    """A field with an alias or arguments would differ from the one of the schema: servers refuse such a document."""
    text = GRAPHQL.replace("...chunk", json.dumps(own)[1:-1])
    assert codes_of(text) == []
    sent = []

    def api(request):
        sent.append(json.loads(request.body)["query"])
        return answer({"data": {"items": {"nodes": [], "pageInfo": {"hasNextPage": False}}}})

    assert rows(read(source(instance(text), transport=FunctionTransport(api)))) == []
    assert sent == [
        GRAPHQL.partition('query: "')[2].partition('"')[0].replace("...chunk", own).replace("...chunk", s)
        for s in selected
    ]
