"""What requests send: JSON, forms, raw text and GraphQL; and what GraphQL answers with status 200 mean."""

from __future__ import annotations

import json

import pytest

from syncline.model.errors import Again, Invalid
from syncline.model.secret import Secret
from syncline.sdk.source import Credentials
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source

SCHEMA = "    schema: {properties: {id: {type: integer}}}\n"


def sent_of(stream, config=None, served=lambda _: answer([])):
    """The requests of a stream read whole, and its records."""
    transport = FunctionTransport(served)
    text = "streams:\n  items:\n" + "".join(f"    {line}\n" for line in stream.splitlines()) + SCHEMA
    found = rows(read(source(instance(text, config=config), transport=transport)))
    return transport.sent, found


def test_a_form_is_sent():
    """Fields of a form are filled, percent-encoded, and left out where they are empty; paging has its place in it."""
    form = 'post: /search\nform: {q: "{{ config.q }}", none: "{{ config.none }}", unit: "€"}\npage: {page: body.p, last: "@ == `[]`"}'
    [request], _ = sent_of(form, {"q": "a&b=c", "none": ""})
    assert request.body == b"q=a%26b%3Dc&unit=%E2%82%AC&p=1"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"


LISTS = """
streams:
  projects: {get: /projects, key: [id], schema: {properties: {id: {type: string}, tags: {type: array}, of: {type: object}}}}
  items:
    HOW
    for: {each: projects, as: project}
    schema: {properties: {id: {type: integer}}}
"""
PROJECT = {"id": "p", "tags": ["a b", "c&d", None, ""], "of": {"x": 1}}


def asked_for(how, config=None, project=PROJECT):
    """The request for the items of a project that has lists."""
    transport = FunctionTransport(lambda request: answer([project] if "/projects" in request.url else []))
    made = instance(LISTS.replace("HOW", how), config=config)
    read(source(made, transport=transport))
    return transport.sent[-1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{tag: ['{{ project.tags }}']}", "tag=a%20b&tag=c%26d"),
        ("{'tag[]': ['{{ project.tags }}', new]}", "tag%5B%5D=a%20b&tag%5B%5D=c%26d&tag%5B%5D=new"),
        ("{tag: [\"{{ project.tags | join(',') }}\"]}", "tag=a%20b%2Cc%26d%2C%2C"),
        ("{tag: ['{{ config.tags | split }}'], of: '{{ project.id }}'}", "tag=x&tag=y&of=p"),
        ("{tag: ['t-{{ project.id }}', '{{ config.on }}', '{{ config.n }}']}", "tag=t-p&tag=true&tag=7"),
        ("{tag: ['{{ config.none }}', \"{{ config.none | default('') }}\"], of: 1}".replace(" 1}", " '1'}"), "of=1"),
    ],
)
def test_a_parameter_that_comes_several_times(query, expected):
    """A list is sent as a parameter for each of its values, under the name that is declared; empty ones are left out."""
    request = asked_for(f"get: /items\n    query: {query}", {"tags": "x, y", "on": True, "n": 7, "none": ""})
    assert request.url.partition("?")[2] == expected


def test_a_field_of_a_form_that_comes_several_times():
    """The same in a form."""
    request = asked_for("post: /items\n    form: {tag: ['{{ project.tags }}'], of: '{{ project.id }}'}")
    assert request.body == b"tag=a+b&tag=c%26d&of=p"


def test_paging_keeps_repeated_parameters():
    """What paging puts beside them leaves them all; so does the next URL of an API."""
    pages = {"1": [{"id": 1}], "2": []}
    stream = "get: /a\nquery: {tag: [x, y]}\npage: {page: query.p}"
    sent, _ = sent_of(stream, served=lambda request: answer(pages[request.url[-1]]))
    assert [request.url.partition("?")[2] for request in sent] == ["tag=x&tag=y&p=1", "tag=x&tag=y&p=2"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("query: {tag: '{{ project.tags }}'}", "a list is no text"),
        ("query: {tag: '{{ project.of }}'}", "an object is no text"),
        ("query: {tag: ['{{ project.of }}']}", "an item of the parameter tag is an object"),
        ("query: {tag: ['x {{ project.tags }}']}", "a list is no text"),
        ("headers: {X-Tags: '{{ project.tags }}'}", "a list is no text"),
    ],
)
def test_what_is_no_text_is_not_sent_as_one(how, words):
    """A list or an object where a text belongs is an error: nothing is sent in a form that no API reads."""
    with pytest.raises(Invalid) as caught:
        asked_for(f"get: /items\n    {how}")
    assert (caught.value.code, words in caught.value.message) == ("SYN431", True)


def test_a_raw_body_is_sent():
    """Raw text is a template, sent as UTF-8 with its media type; a declared header wins."""
    raw = 'post: /q\nraw: {text: "<q>{{ config.q }}</q>", contentType: application/xml}'
    [request], _ = sent_of(raw, {"q": "ü"})
    assert (request.body, request.headers["Content-Type"]) == ("<q>ü</q>".encode(), "application/xml")
    [request], _ = sent_of('post: /q\nraw: {text: "a={{ config.q }}\\n"}', {"q": "x"})
    assert request.body == b"a=x\n"
    [request], _ = sent_of(raw + "\nheaders: {content-type: text/xml}", {"q": "x"})
    assert [value for name, value in request.headers.items() if name.lower() == "content-type"] == ["text/xml"]


def test_the_format_is_asked_for():
    """The Accept header is that of the declared format, unless the stream declares one."""
    [request], _ = sent_of(
        "get: /a\ndecode: xml\nrecords: a.b[]", served=lambda _: answer(b"<a/>", content_type="text/xml")
    )
    assert request.headers["Accept"].startswith("application/xml")
    [request], _ = sent_of("get: /a\nheaders: {accept: text/x}")
    assert [value for name, value in request.headers.items() if name.lower() == "accept"] == ["text/x"]


@pytest.mark.parametrize(
    "stream",
    [
        "post: /x\nbody: {}\nform: {a: b}",
        "post: /x\nraw: {text: x}\npage: {page: body.p}",
        "post: /x\ngraphql: {query: '{ a }'}\nbody: {a: 1}",
    ],
)
def test_bodies_that_cannot_be_sent(stream):
    """Two bodies, and a place inside raw text, are refused before anything is sent."""
    with pytest.raises(Invalid) as caught:
        sent_of(stream)
    assert caught.value.code == "SYN432"


GRAPHQL = """
post: /graphql
graphql:
  query: "query Q($after: String, $n: Int, $q: String, $f: F) { t { nodes { id } pageInfo { hasNextPage endCursor } } }"
  variables: {n: "{{ config.n }}", q: "id is {{ config.n }}", f: {eu: "{{ config.eu }}", none: null, k: [1, "x"]}}
  operation: Q
  connection: data.t
"""


def connection(records, after, *, more):
    return {"data": {"t": {"nodes": records, "pageInfo": {"hasNextPage": more, "endCursor": after}}}}


def test_a_connection_is_paged():
    """Variables keep their types, the end cursor of a page is the next one's variable, and the last page ends it."""

    def served(request):
        after = json.loads(request.body)["variables"].get("after")
        return answer(
            connection([{"id": 1}], "c1", more=True) if after is None else connection([{"id": 2}], "c2", more=False)
        )

    sent, found = sent_of(GRAPHQL, {"n": 50, "eu": True}, served)
    assert [row["id"] for row in found] == [1, 2]
    first, second = (json.loads(request.body) for request in sent)
    assert first["operationName"] == "Q"
    assert first["variables"] == {"n": 50, "q": "id is 50", "f": {"eu": True, "none": None, "k": [1, "x"]}}
    assert second["variables"] == first["variables"] | {"after": "c1"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"errors": [{"message": "no field 'x'", "path": ["t", 0]}]}, "no field 'x' (at t.0)"),
        ({"data": {"t": {"nodes": [{"id": 1}]}}, "errors": [{"message": "half"}]}, "half"),
        ({"data": None, "errors": [{"message": "all\x1b[31m gone s3cret"}]}, "all [31m gone ***"),
        ({"message": "moved"}, "neither data nor errors"),
        ({"data": {"t": {"nodes": [{"id": 1}]}}}, "doesn't say whether there is another page"),
        ({"data": {"t": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}}}, "another page"),
        ({"data": {"t": None}}, "another page"),
    ],
)
def test_graphql_errors_with_status_200(document, words):
    """Errors, missing data and a connection without its end are errors: no record of such an answer is used."""
    text = "streams:\n  items:\n" + "".join(f"    {line}\n" for line in GRAPHQL.splitlines()) + SCHEMA
    credentials = Credentials("bearer", secrets={"token": Secret("s3cret")})
    made = instance(text, config={"n": 1, "eu": False}, credentials=credentials)
    with pytest.raises(Invalid) as caught:
        read(source(made, transport=FunctionTransport(lambda _: answer(document))))
    assert caught.value.code == "SYN494"
    assert words in caught.value.message


def test_partial_data_is_used_where_it_is_declared():
    """With `partial: accept`, data beside errors counts; errors without data don't."""
    partial = connection([{"id": 1}], None, more=False) | {"errors": [{"message": "half"}]}
    declared = GRAPHQL.replace("  operation", "  partial: accept\n  operation")
    _, found = sent_of(declared, {"n": 1, "eu": True}, lambda _: answer(partial))
    assert [row["id"] for row in found] == [1]
    with pytest.raises(Invalid) as caught:
        sent_of(declared, {"n": 1, "eu": True}, lambda _: answer({"data": None, "errors": [{"message": "none"}]}))
    assert caught.value.code == "SYN494"


def test_accepted_partial_data_is_told_of():
    """The batch says of each answer that was used in part which one it was: its partition, its page, and why."""
    declared = GRAPHQL.replace("  operation", "  partial: accept\n  operation").replace("config.n", "org.id")
    stream = "for: {in: [eu, us], as: org}\n" + declared.replace("org.id", "org").replace(" {eu:", " {eu: x, e:")

    def served(request):
        asked = json.loads(request.body)["variables"]
        if asked.get("after") is None:
            return answer(connection([{"id": 1}], "c1", more=True))
        wrong = [{"message": "no votes for s3cret", "path": ["t", 0]}] if asked["n"] == "us" else []
        return answer(connection([{"id": 2}], "c2", more=False) | {"errors": wrong})

    text = "streams:\n  items:\n" + "".join(f"    {line}\n" for line in stream.splitlines()) + SCHEMA
    credentials = Credentials("bearer", secrets={"token": Secret("s3cret")})
    made = instance(text, config={"eu": True}, credentials=credentials)
    batches = read(source(made, transport=FunctionTransport(served)))

    assert [row["id"] for row in rows(batches)] == [1, 2, 1, 2]
    assert [note for batch in batches for note in batch.notes] == [
        "POST /graphql, org us, cursor 'c1': partial data was accepted: no votes for *** (at t.0)"
    ]


# --- rules


def ruled(rules, served, *, stream_rules="[]", attempts=2):
    """The error, the waits and the records of a stream with these rules."""
    clock = FakeClock()
    text = f"http: {{retry: {{attempts: {attempts}}}, errors: {rules}}}\nstreams:\n  items:\n    get: /items\n    errors: {stream_rules}\n"
    credentials = Credentials("bearer", secrets={"token": Secret("s3cret")})
    opened = source(instance(text + SCHEMA, credentials=credentials), transport=FunctionTransport(served), clock=clock)
    try:
        return None, clock.slept, rows(read(opened))
    except (Again, Invalid) as error:
        return error, clock.slept, []


def test_rules_by_body_come_before_damage():
    """A page of HTML with status 200 can be told by a rule, which then decides."""
    pages = iter([answer(b"<html>maintenance</html>", content_type="text/html"), answer([{"id": 1}])])
    error, slept, found = ruled(
        "[{when: \"contains(body, 'maintenance')\", do: retry, wait: '`7`'}]", lambda _: next(pages)
    )
    assert (error, [row["id"] for row in found], slept) == (None, [1], [8.0])


@pytest.mark.parametrize(
    ("wait", "body", "seconds"),
    [
        ("body.again", {"again": 30}, 30),
        ("body.again", {"again": "1700000045"}, 45),
        ("body.again", {"again": "2023-11-14T22:14:20Z"}, 60),
        ("body.again", {"again": "Tue, 14 Nov 2023 22:14:20 GMT"}, 60),
        ('headers."x-wait"', {}, 12),
        ("body.again", {"again": "soon"}, 3),
    ],
)
def test_a_rule_says_how_long_to_wait(wait, body, seconds):
    """A wait comes from the body or a header, in any form of time; what is no time leaves it to Retry-After."""
    replies = iter([answer(body, status=400, x_wait="12", retry_after="3"), answer([{"id": 1}])])
    error, slept, _ = ruled(f"[{{when: 'status == `400`', do: rate_limited, wait: '{wait}'}}]", lambda _: next(replies))
    assert (error, slept) == (None, [seconds + 1.0])


def test_a_rule_says_what_is_wrong():
    """A message is a template over the answer: without secrets and control characters, and bounded."""
    rule = (
        "[{when: 'status == `400`', do: fail, message: 'quota {{ body.error.name }} of {{ headers.tier }} is used up'}]"
    )
    error, _, _ = ruled(rule, lambda _: answer({"error": {"name": "s3cret\x1b]" + "x" * 900}}, status=400, tier="gold"))
    assert (error.code, error.message[:30], len(error.message) < 540) == (
        "SYN440",
        "GET /items: quota *** ]xxxxxxx",
        True,
    )
    error, _, _ = ruled(rule, lambda _: answer({}, status=400))
    assert error.message == "GET /items: quota {{ body.error.name }} of {{ headers.tier }} is used up"


def test_rules_of_a_stream_come_first():
    """A stream's own rule decides before the connector's."""
    error, _, found = ruled(
        "[{when: 'status == `404`', do: fail}]",
        lambda _: answer({}, status=404),
        stream_rules="[{when: 'status == `404`', do: skip}]",
    )
    assert (error, found) == (None, [])


def test_a_condition_that_does_not_apply_is_not_true():
    """A function of a condition that the answer has no argument for makes no error of its own."""
    error, _, found = ruled("[{when: \"contains(body.message, 'x')\", do: fail}]", lambda _: answer([{"id": 1}]))
    assert (error, [row["id"] for row in found]) == (None, [1])
