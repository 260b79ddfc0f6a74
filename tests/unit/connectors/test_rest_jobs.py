"""Jobs of an API, files that answers name, and fields asked for in chunks: each against a server that a function plays."""

from __future__ import annotations

import gzip
import itertools
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from syncline.model.errors import Again, Invalid, SynclineError
from syncline.model.secret import Secret
from syncline.sdk.batch import Batch
from syncline.sdk.http import Request, Response
from syncline.sdk.source import Credentials
from tests.rest_streams import FakeClock, FunctionTransport, answer, instance, read, rows, source

JOB = """
streams:
  items:
    decode: csv
    job:
      create: {post: /exports, body: {since: "{{ start | default('') }}"}}
      poll: {get: "/exports/{{ job.id }}", every: 2s, maxEvery: 4s, done: "body.state == 'done'", failed: "body.state == 'failed'", message: body.why}
      timeout: 60s
      download: {url: "body.files[].url", hosts: ["*.store.example"]}
      delete: {delete: "/exports/{{ job.id }}"}
    schema: {properties: {id: {type: integer}, day: {type: string, format: date}}}
"""


@dataclass
class Exports:
    """An API with exports: each is done at its third poll, and has two files at another host."""

    polls: int = 2
    jobs: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    outcome: str = "done"
    files: int = 2

    def __call__(self, request):
        parts = urlsplit(request.url)
        self.log.append(f"{request.method} {parts.path}")
        self.seen.append(request)
        name = parts.path.rpartition("/")[2]
        if parts.hostname == "eu.store.example":
            number = int(name)
            body = "id,day\n" + "".join(f"{number}{row},2026-01-0{row}\n" for row in (1, 2))
            return Response(200, {"content-type": "application/gzip"}, gzip.compress(body.encode()))
        if request.method == "POST":
            self.jobs[f"j{len(self.log)}"] = 0
            return answer({"id": f"j{len(self.log)}"}, status=202)
        if name not in self.jobs:
            return answer({"error": "no such job"}, status=404)
        if request.method == "DELETE":
            del self.jobs[name]
            return answer(b"", status=204)
        self.jobs[name] += 1
        if self.jobs[name] <= self.polls:
            return answer({"state": "running"})
        urls = [{"url": f"http://eu.store.example/{n}?signature=s"} for n in range(self.files)]
        return answer({"state": self.outcome, "files": urls, "why": "s3cret quota\x1b[31m"})


def opened(api, text=JOB, *, clock=None, **options):
    credentials = Credentials("bearer", secrets={"token": Secret("s3cret")})
    made = instance(text, credentials=credentials)
    return source(made, transport=FunctionTransport(api), clock=clock or FakeClock(), **options)


def test_a_job_is_created_polled_downloaded_and_deleted():
    """Four steps, with growing waits; files at another host come without credentials and without the API's headers."""
    api, clock = Exports(), FakeClock()
    batches = read(opened(api, JOB.replace("streams:", "http: {headers: {X-Tenant: t}}\nstreams:"), clock=clock))
    assert [row["id"] for row in rows(batches)] == [1, 2, 11, 12]
    polls = ["GET /exports/j1"] * 3
    assert api.log == ["POST /exports", *polls, "GET /0", "GET /1", "DELETE /exports/j1"]
    assert clock.slept == [2.0, 3.0, 4.0]
    foreign = api.seen[4]
    assert {name.lower() for name in foreign.headers} == {"accept", "user-agent"}
    assert "Authorization" in api.seen[3].headers
    assert "signature" not in str(batches)


@pytest.mark.parametrize("kept", range(4))
def test_a_run_that_stops_goes_on_with_its_job(kept):
    """From the position of any batch, the rest is read: no record twice, no second job, and the job is deleted."""
    api = Exports()
    whole = list(rows(read(opened(Exports(), batch_rows=1))))
    reading = opened(api, batch_rows=1)
    batches = []
    for batch in reading.read(None):
        batches.append(batch)
        if len(batches) == kept + 1:
            break  # killed here
    reading.close()
    again = read(opened(api, batch_rows=1), json.loads(json.dumps(batches[-1].position)))
    assert rows(batches) + rows(again) == whole
    assert api.log.count("POST /exports") == 1
    assert api.jobs == {}


def test_records_are_kept_before_the_job_is_deleted():
    """The batch with the last records is handed over before the job is deleted."""
    api = Exports()
    reading = opened(api)
    before = [len(api.jobs) for batch in reading.read(None) if batch.frame.height]
    reading.close()
    assert before == [1]


def test_a_job_that_is_gone_is_created_anew():
    """A resumed job that the API no longer knows is replaced by one new job."""
    api = Exports()
    reading = opened(api)
    first = next(iter(reading.read(None)))
    reading.close()
    api.jobs.clear()
    found = rows(read(opened(api), first.position))
    assert [row["id"] for row in found] == [1, 2, 11, 12]
    assert api.log.count("POST /exports") == 2


@pytest.mark.parametrize(("polls", "outcome", "code"), [(2, "failed", "SYN496"), (1000, "done", "SYN497")])
def test_a_job_that_fails_or_takes_too_long(polls, outcome, code):
    """It is deleted and forgotten, the error says why without secrets, and the next run creates another."""
    api = Exports(polls=polls, outcome=outcome)
    reading = opened(api)
    with pytest.raises(Again) as caught:
        read(reading)
    assert caught.value.code == code
    assert "s3cret" not in caught.value.message
    assert caught.value.message.isprintable()
    assert ("*** quota" in caught.value.message) == (outcome == "failed")
    assert api.jobs == {}


def test_the_position_forgets_a_failed_job():
    """The position that is kept before the error no longer has the job, so that the next run starts another."""
    api = Exports(outcome="failed")
    reading = opened(api)
    batches: list[Batch] = []
    with pytest.raises(Again):
        batches.extend(batch for batch in reading.read(None))
    reading.close()
    assert ["job" in batch.position for batch in batches] == [True, False]
    api.outcome = "done"
    assert len(rows(read(opened(api), batches[-1].position))) == 4


def test_a_creation_without_an_answer_is_not_repeated():
    """A job may exist although its creation wasn't answered: the request isn't sent again by itself."""
    api = Exports()
    transport = FunctionTransport(lambda request: answer({}, status=503) if request.method == "POST" else api(request))
    with pytest.raises(Again):
        read(source(instance(JOB), transport=transport))
    assert len(transport.sent) == 1


KEYED = JOB.replace("post: /exports,", 'post: /exports, headers: {Idempotency-Key: "{{ job.key }}"},')


def test_a_creation_with_a_key_is_repeated_under_it():
    """The key is in the position before the request, and every repetition has it, in this read and in the next one."""
    keys = []

    def api(request):
        keys.append(request.headers.get("Idempotency-Key"))
        return answer({}, status=503)

    with pytest.raises(Again):
        read(opened(api, KEYED))
    reading = opened(api, KEYED)
    first = next(iter(reading.read(None)))
    reading.close()
    assert first.settle
    before, keys[:] = list(keys), []
    with pytest.raises(Again):
        read(opened(api, KEYED), first.position)
    assert len(before) > 1
    assert len(set(before)) == 1
    assert set(keys) == {first.position["job"]["key"]} != set(before)


CHILDREN = (
    JOB.replace("  items:\n", "  days:\n    key: [id]\n")
    + """
  items:
    for: {each: days, as: day}
    get: "/notes/{{ day.id }}"
    schema: {properties: {note: {type: integer}}}
"""
)


def test_a_job_of_a_parent_stream_is_gone_on_with():
    """From every position, the parents' job is the same one, and it is deleted after all that is read for its records."""

    class Noted(Exports):
        def __call__(self, request):
            if "/notes/" in request.url:
                self.log.append("note")
                return answer({"note": int(request.url.rpartition("/")[2])})
            return super().__call__(request)

    whole = rows(read(opened(Noted(), CHILDREN, batch_rows=1)))
    assert [row["note"] for row in whole] == [1, 2, 11, 12]
    total = len(read(opened(Noted(), CHILDREN, batch_rows=1)))
    for kept in range(1, total):
        api = Noted()
        reading = opened(api, CHILDREN, batch_rows=1)
        batches = list(itertools.islice(reading.read(None), kept))
        reading.close()
        position = json.loads(json.dumps(batches[-1].position))
        again = read(opened(api, CHILDREN, batch_rows=1), position)
        assert rows(batches) + rows(again) == whole
        assert api.log.count("POST /exports") == 1
        assert api.jobs == {}
        deletes = [at for at, what in enumerate(api.log) if what.startswith("DELETE")]
        assert "note" not in api.log[deletes[0] :]


EACH = """
streams:
  items:
    for: {in: [a, b, c], as: shop}
    records: data[]
    page: {cursor: {header: X-Next}, into: query.at}
    cursor: {field: n, type: integer, into: {body.from: start}}
    job:
      create: {post: "/shops/{{ shop }}/exports", body: {}}
      url: headers.location
      poll: {get: "{{ job.url }}", every: 1s, done: body.done}
      download: {get: "{{ job.url }}/rows"}
      delete: {delete: "{{ job.url }}"}
    schema: {properties: {n: {type: integer}}}
"""


@dataclass
class Shops:
    """An API with exports of shops, each of two pages; what is after the last one is `null`, as Salesforce has it."""

    location: str = "http://api.example/v1/exports/{}"
    jobs: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def __call__(self, request):
        parts = urlsplit(request.url)
        self.log.append(f"{request.method} {parts.path}")
        if request.method == "POST":
            job = f"{parts.path.split('/')[2]}{len(self.log)}"
            self.jobs[job] = int(json.loads(request.body).get("from") or 0)
            return answer({"id": job}, status=202, location=self.location.format(job))
        job = parts.path.split("/")[3]
        if request.method == "DELETE":
            return answer(b"", status=204) if self.jobs.pop(job, None) is not None else answer({}, status=404)
        if parts.path.endswith("/rows"):
            at = 1 if "at=" in parts.query else 0
            first = "abc".index(job[0]) * 10 + 1
            return answer({"data": [{"n": first + at}]}, x_next="null" if at else "2")
        return answer({"done": True})


@pytest.mark.parametrize("incremental", [False, True])
def test_each_partition_has_a_job_that_is_gone_on_with(incremental):
    """From the position of any batch, the rest is read: no job is created twice, and all are deleted."""
    how = {"incremental": incremental, "batch_rows": 1}
    unbroken = Shops()
    found = read(opened(unbroken, EACH, **how))
    whole = rows(found)
    assert [(row["shop"], row["n"]) for row in whole] == [
        ("a", 1), ("a", 2), ("b", 11), ("b", 12), ("c", 21), ("c", 22),
    ]  # fmt: skip
    assert [entry for entry in unbroken.log if entry.startswith("POST")] == [
        f"POST /shops/{shop}/exports" for shop in "abc"
    ]
    for kept in range(1, len(found)):
        api = Shops()
        reading = opened(api, EACH, **how)
        batches = list(itertools.islice(reading.read(None), kept))
        reading.close()
        again = read(opened(api, EACH, **how), json.loads(json.dumps(batches[-1].position)))
        assert rows(batches) + rows(again) == whole
        assert sum(entry.startswith("POST") for entry in api.log) == 3
        assert api.jobs == {}
        assert (again[-1].position if again else batches[-1].position) == found[-1].position


def test_a_partition_has_its_own_cursor_in_its_job():
    """The next incremental read asks each job for what is past the cursor of its partition."""
    api = Shops()
    last = read(opened(api, EACH, incremental=True))[-1].position
    seen = []

    def second(request):
        if request.method == "POST":
            seen.append(json.loads(request.body)["from"])
        return api(request)

    assert rows(read(opened(second, EACH, incremental=True), last)) == []
    assert [str(bound) for bound in seen] == ["2", "12", "22"]


@pytest.mark.parametrize("location", ["/v1/exports/{}", "../../v1/exports/{}"])
def test_the_url_of_a_job_may_be_a_reference(location):
    """It counts from the URL that was asked, as links do."""
    assert len(rows(read(opened(Shops(location), EACH)))) == 6


@pytest.mark.parametrize(
    "location", ["http://evil.example/x/y/{}", "//evil.example/x/y/{}", "https://api.example/x/y/{}"]
)
def test_the_url_of_a_job_elsewhere_is_refused(location):
    """A job that is said to be at another origin is never asked for there."""
    api = Shops(location)
    with pytest.raises(SynclineError) as caught:
        read(opened(api, EACH))
    assert caught.value.code == "SYN406"
    assert [entry.split()[0] for entry in api.log] == ["POST"]


def test_an_answer_without_the_url_of_a_job_is_an_error():
    """What `url` finds has to be a text."""
    with pytest.raises(SynclineError) as caught:
        read(opened(Shops(), EACH.replace("headers.location", "body.nothing")))
    assert caught.value.code == "SYN422"


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


def test_no_files_are_no_records():
    """A job that gives an empty list of URLs ends the read without records."""
    api = Exports(files=0)
    assert rows(read(opened(api))) == []
    assert api.jobs == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("*.store.example", "store.example"), "SYN498"),
        (("*.store.example", "*.eu.store.example"), "SYN498"),
        (("body.files[].url", "body.state.x"), "SYN422"),
        (("    job:\n", "    job:\n      id: body.nothing\n"), "SYN422"),
    ],
)
def test_answers_about_a_job_that_cannot_be_used(change, code):
    """A file at an undeclared host, and answers without URL or id, are errors."""
    with pytest.raises(SynclineError) as caught:
        read(opened(Exports(), JOB.replace(*change)))
    assert caught.value.code == code
    assert "signature" not in caught.value.message


def test_a_job_for_each_window_with_pages():
    """Each span of the cursor has its own job, whose results are paged by a request; the next run starts after them."""
    text = """
streams:
  items:
    records: data[]
    page: {cursor: next, into: query.at}
    cursor: {field: day, type: date, start: "2026-01-01", window: 2d, into: {body.from: start, body.to: end}}
    job:
      create: {post: /q}
      id: headers.location
      poll: {get: "/q/{{ job.id }}", done: "status == `200`"}
      download: {get: "/q/{{ job.id }}/rows"}
    schema: {properties: {day: {type: string, format: date}}}
"""
    spans: dict[str, dict[str, str]] = {}

    def api(request):
        parts = urlsplit(request.url)
        if request.method == "POST":
            spans[f"j{len(spans)}"] = json.loads(request.body)
            return answer(b"", status=201, location=f"j{len(spans) - 1}")
        job = parts.path.split("/")[2]
        if not parts.path.endswith("/rows"):
            return answer({}, status=200)
        at = dict(parse_qsl(parts.query)).get("at")
        return answer({"data": [{"day": spans[job]["to" if at else "from"]}], "next": None if at else "2"})

    clock = FakeClock(time=1767571200.0)  # 2026-01-05
    reading = source(instance(text), incremental=True, transport=FunctionTransport(api), clock=clock)
    batches = read(reading)
    assert [(span["from"], span["to"]) for span in spans.values()] == [
        ("2026-01-01", "2026-01-03"),
        ("2026-01-03", "2026-01-05"),
    ]
    days = [str(row["day"]) for row in rows(batches)]
    assert days == ["2026-01-01", "2026-01-03", "2026-01-05"]  # the second job's first record was read before
    assert "job" not in batches[-1].position
    assert batches[-1].position["cursor"] == "2026-01-05"


# --- files

FILES = """
streams:
  exports:
    get: /exports
    records: data[]
    key: [id]
    schema: {properties: {id: {type: integer}, url: {type: string}}}
  items:
    for: {each: exports, as: export}
    file: {url: "{{ export.url }}", hosts: [files.store.example]}
    decode: jsonl
    compression: gzip
    schema: {properties: {n: {type: integer}}}
"""


def files(*urls):
    def api(request):
        parts = urlsplit(request.url)
        if parts.path == "/exports":
            return answer({"data": [{"id": n, "url": url} for n, url in enumerate(urls)]})
        lines = b"".join(b'{"n": %d}\n' % n for n in range(2))
        return Response(200, {"content-type": "application/octet-stream"}, gzip.compress(lines))

    return api


def test_files_that_records_name_are_read():
    """Records come out of the files whose URLs a listing has, at the API by path or URL, or at a declared host."""
    transport = FunctionTransport(
        files("/f/1?x=1", "http://api.example/f/2", "http://files.store.example/f/3?sig=a%2Fb")
    )
    made = instance(FILES, credentials=Credentials("bearer", secrets={"token": Secret("s3cret")}))
    found = rows(read(source(made, transport=transport, paths=("n",))))
    assert [row["n"] for row in found] == [0, 1] * 3
    asked = {request.url: "Authorization" in request.headers for request in transport.sent[1:]}
    assert asked == {
        "http://api.example/f/1?x=1": True,
        "http://api.example/f/2": True,
        "http://files.store.example/f/3?sig=a%2Fb": False,
    }


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/x",
        "http://files.store.example.evil.example/",
        "ftp://files.store.example/",
        "//evil.example/",
    ],
)
def test_files_elsewhere_are_refused(url):
    """A URL at a host that isn't declared, or of another scheme, is never asked for."""
    transport = FunctionTransport(files(url))
    with pytest.raises(SynclineError) as caught:
        read(source(instance(FILES), transport=transport, paths=("n",)))
    assert caught.value.code in {"SYN498", "SYN406"}
    assert all(urlsplit(request.url).hostname == "api.example" for request in transport.sent)


def test_other_hosts_need_https():
    """Where the API itself is asked by https, so are files elsewhere."""
    made = instance(FILES, url="https://api.example")
    transport = FunctionTransport(files("http://files.store.example/1"))
    with pytest.raises(Invalid) as caught:
        read(source(made, transport=transport, paths=("n",)))
    assert caught.value.code == "SYN498"


# --- chunks

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
    from syncline.connectors.rest.source import RestSource
    from syncline.sdk.source import SourceRequest
    from syncline.sdk.whole import WHOLE, as_record

    transport = FunctionTransport(chunked())
    opened = RestSource(instance(CHUNKED), SourceRequest("items", WHOLE, ()), transport=transport, clock=FakeClock())
    found = [as_record(row["@"]) for row in rows(read(opened))]
    assert [sorted(record) for record in found] == [["a", "b", "c", "id"]] * 4


@pytest.mark.parametrize("what", ["POST /exports", "GET /exports", "GET /0"])
@pytest.mark.parametrize("do", ["reset_paging", "split", "restart"])
def test_rules_that_a_job_cannot_follow(what, do):
    """A rule that starts paging or reading over is an error where a job's requests are meant: nothing is left out."""
    api = Exports()

    def served(request):
        hit = f"{request.method} {urlsplit(request.url).path}".startswith(what)
        return answer({"error": "over"}, status=418) if hit else api(request)

    text = JOB.replace("streams:", f"http: {{errors: [{{when: 'status == `418`', do: {do}}}]}}\nstreams:")
    transport = FunctionTransport(served)
    with pytest.raises(Invalid) as caught:
        read(source(instance(text), transport=transport))
    assert caught.value.code in ({"SYN440", "SYN420"} if do == "reset_paging" else {"SYN440"})


@pytest.mark.parametrize(
    ("location", "code"),
    [("http://files.store.example/f?sig=1", ""), ("http://evil.example/f", "SYN498"), ("file:///etc/passwd", "SYN406")],
)
def test_a_file_may_be_redirected_to_a_declared_host(location, code):
    """A redirect of a file leads to a declared host, without credentials, or nowhere."""
    there = files("/f/1")

    def api(request):
        return answer(b"", status=302, location=location) if "/f/1" in request.url else there(request)

    transport = FunctionTransport(api)
    made = instance(FILES, credentials=Credentials("bearer", secrets={"token": Secret("s3cret")}))
    opened = source(made, transport=transport, paths=("n",))
    if code:
        with pytest.raises(SynclineError) as caught:
            read(opened)
        assert caught.value.code == code
    else:
        assert [row["n"] for row in rows(read(opened))] == [0, 1]
        assert "Authorization" not in transport.sent[-1].headers
    assert {urlsplit(r.url).hostname for r in transport.sent} <= {"api.example", "files.store.example"}


def test_a_trial_reads_the_job_of_a_position_and_leaves_it_there():
    """A job that a kept position knows is a run's: a trial reads its records and doesn't delete it."""
    api = Exports()
    position = next(iter(opened(api).read(None))).position
    assert position["job"]["id"] == "j1"
    api.log.clear()
    tried = opened(api, trial=True)
    assert [row["id"] for row in rows(list(tried.read(position)))] == [1, 2, 11, 12]
    tried.close()
    assert "j1" in api.jobs
    assert not [line for line in api.log if line.startswith(("POST", "DELETE"))]


def test_a_trial_leaves_what_a_run_is_to_delete():
    """A job whose records are kept is deleted by the run that knows of it, not by a trial from its position."""
    api = Exports()
    api.jobs["j9"] = 0
    tried = opened(api, trial=True)
    assert rows(list(tried.read({"v": 1, "done": True, "delete": {"id": "j9"}}))) == []
    tried.close()
    assert api.log == []


def test_a_trial_that_is_left_early_deletes_its_job():
    """Whoever looks at some records only closes the source, which deletes the job."""
    api = Exports()
    tried = opened(api, trial=True)
    next(iter(tried.read(None)))
    assert list(api.jobs) == ["j1"]
    tried.close()
    assert api.jobs == {}


GROUPED = """
streams:
  shops: {get: /shops, records: "data[]", key: [id], schema: {properties: {id: {type: integer}}}}
  items:
    for: {each: shops, as: shop, group: 2}
    records: data[]
    cursor: {field: n, type: epoch, into: {body.from: start}}
    job:
      create: {post: /exports, body: {shops: "{{ shop.id }}"}}
      poll: {get: "/exports/{{ job.id }}", every: 1s, done: body.done}
      download: {get: "/exports/{{ job.id }}/rows"}
      delete: {delete: "/exports/{{ job.id }}"}
    schema: {properties: {shop: {type: integer}, n: {type: integer}}}
"""


@dataclass
class Grouped:
    """An API with exports of several shops at once, each with a row a shop, whose number is a hundred of it."""

    shops: list[int]
    jobs: dict[str, list[int]] = field(default_factory=dict)
    created: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request):
        path = urlsplit(request.url).path
        if path == "/shops":
            return answer({"data": [{"id": number} for number in self.shops]})
        if request.method == "POST":
            self.created.append(json.loads(request.body))
            self.jobs[f"j{len(self.created)}"] = self.created[-1]["shops"]
            return answer({"id": f"j{len(self.created)}"}, status=202)
        job = path.split("/")[2]
        if request.method == "DELETE":
            del self.jobs[job]
            return answer(b"", status=204)
        if path.endswith("/rows"):
            since = self.created[int(job[1:]) - 1].get("from", 0)
            rows_ = [{"shop": shop, "n": shop * 100} for shop in self.jobs[job] if shop * 100 >= int(since)]
            return answer({"data": rows_})
        return answer({"done": True})


def test_a_job_is_for_a_group_of_parents():
    """One job for so many parents' ids at once; the next read asks for what is past the group's cursor, new ones anew."""
    api = Grouped([1, 2, 3])
    first = read(opened(api, GROUPED, incremental=True))
    assert api.created == [{"shops": [1, 2]}, {"shops": [3]}]
    assert [row["n"] for row in rows(first)] == [100, 200, 300]
    assert api.jobs == {}
    api.shops.append(4)
    api.created.clear()
    second = read(opened(api, GROUPED, incremental=True), first[-1].position)
    assert api.created == [{"shops": [1, 2], "from": "200"}, {"shops": [3], "from": "300"}, {"shops": [4]}]
    assert [row["n"] for row in rows(second)] == [400]


def test_a_job_of_a_group_is_gone_on_with():
    """From the position of any batch the rest is read with the jobs that there are: no group has a second one."""
    whole = read(opened(Grouped([1, 2, 3, 4, 5]), GROUPED, incremental=True, batch_rows=1))
    for kept in range(1, len(whole)):
        api = Grouped([1, 2, 3, 4, 5])
        reading = opened(api, GROUPED, incremental=True, batch_rows=1)
        batches = list(itertools.islice(reading.read(None), kept))
        reading.close()
        again = read(opened(api, GROUPED, incremental=True, batch_rows=1), json.loads(json.dumps(batches[-1].position)))
        assert rows(batches) + rows(again) == rows(whole)
        assert [len(created["shops"]) for created in api.created] == [2, 2, 1]
        assert api.jobs == {}


NUMBERED = """
streams:
  items:
    for: {in: [a, b], as: shop}
    records: data[]
    job:
      create: {post: "/{{ shop }}/exports"}
      poll: {get: "/{{ shop }}/exports/{{ job.id }}", every: 1s, done: body.done}
      download: {get: "/{{ shop }}/exports/{{ job.id }}/rows"}
      delete: {delete: "/{{ shop }}/exports/{{ job.id }}"}
    schema: {properties: {n: {type: integer}}}
"""


def test_a_trial_tells_of_each_job_that_stays_where_parents_number_theirs():
    """Two shops each have a job 1: both are tried to be deleted again at the end, and both are told of."""
    deleted: list[str] = []

    def api(request):
        path = urlsplit(request.url).path
        if request.method == "DELETE":
            deleted.append(path)
            return answer({"error": "not allowed"}, status=403)
        if request.method == "POST":
            return answer({"id": "1"}, status=202)
        return answer({"data": [{"n": 1}]} if path.endswith("/rows") else {"done": True})

    told: list[str] = []
    made = instance(NUMBERED, notice=told.append)
    tried = source(made, transport=FunctionTransport(api), clock=FakeClock(), trial=True)
    assert len(rows(list(tried.read(None)))) == 2
    tried.close()
    assert sorted(deleted) == ["/a/exports/1"] * 2 + ["/b/exports/1"] * 2
    assert any("2 jobs were created, and stay there: 1, 1 (deleting failed)" in note for note in told)
