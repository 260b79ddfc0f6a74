"""Files on servers: patterns mean what they do in a folder, ranges are exact, and every answer is of one version."""

from __future__ import annotations

import gzip
import random
from contextlib import closing
from dataclasses import replace

import pytest
from msgspec import structs

from syncline.connectors.file.places import s3
from syncline.connectors.file.places.patterns import matcher
from syncline.connectors.file.places.ranges import Ranges, handle
from syncline.connectors.file.places.web import Web
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.locations import location_of
from syncline.model.errors import Again, Denied, Invalid
from syncline.model.secret import Secret
from syncline.sdk import conformance
from syncline.sdk.http import Egress
from syncline.sdk.source import Credentials
from tests.api_server import Reply, api_server
from tests.contract import file_places
from tests.file_servers import Files, instance, shipped, source

NAMES = [
    "a.csv", "b.csv", "ab.csv", ".hidden.csv", "x/a.csv", "x/y/a.csv", "x/.h/a.csv", "x/b[1].csv", "2026/q1/a-1.csv",
    "2026/q1/a-2.csv.gz", "2026/q2/é.csv",
]  # fmt: skip
PATTERNS = [
    "*.csv", "?.csv", "[ab].csv", "[!b].csv", "**/*.csv", "x/**/*.csv", "x/*", "*/*/a-?.csv*", "x/b[[]1].csv",
    "2026/q[12]/*", "a.csv", "./a.csv", "none-*",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_match_what_they_do_in_a_folder(pattern, tmp_path):
    """A pattern over listed names finds those that the same pattern finds on a disk, hidden ones aside."""
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob(pattern) if path.is_file()}
    there = {name for name in there if not any(part.startswith(".") for part in name.split("/"))}
    assert {name for name in NAMES if matcher(pattern)(name)} == there


@pytest.mark.parametrize("pattern", ["/a.csv", "../a.csv", "x/../a.csv"])
def test_patterns_do_not_climb(pattern):
    """A pattern that leaves the root is refused, as in a folder."""
    with pytest.raises(Invalid, match="leaves the root"):
        matcher(pattern)


def test_ranges_give_exactly_what_is_asked_for():
    """Whatever is asked for in whatever order, the bytes are right, and never more than the file is fetched."""
    data = random.Random(3).randbytes(20_000_000)
    asked = []

    def fetch(offset, count):
        assert 0 <= offset <= offset + count <= len(data)
        asked.append(count)
        return data[offset : offset + count]

    chance = random.Random(4)
    ranges = Ranges(fetch, len(data), data[:1000])
    for _ in range(200):
        offset = chance.randrange(len(data))
        count = min(chance.choice([1, 100, 70_000, 9_000_000]), len(data) - offset)
        assert ranges.read(offset, count) == data[offset : offset + count]
    asked.clear()
    with handle(Ranges(fetch, len(data)).read, len(data)) as file:
        assert file.read() == data
    assert sum(asked) == len(data)


@pytest.mark.parametrize(
    "gives", [("ranges", "etag"), ("ranges",), ("etag",), ("nothing",), ("ranges", "etag", "encoding")]
)
def test_files_are_read_from_any_server(gives):
    """With ranges or without, with ETags or without, empty or not: the bytes are those that lie there."""
    data = random.Random(5).randbytes(3_000_000)
    files = {"/a.bin": data, "/empty.bin": b""}
    with (
        api_server(Files(files, *gives)) as server,
        closing(Web(instance("s3", "s3://unused", endpoint=server.url))) as web,
    ):
        for path, expected in files.items():
            file = web.open(server.url + path, path)
            assert (file.size, file.read(0, file.size), file.digest(file.size) != "") == (len(expected), expected, True)
            assert file.handle.read() == expected
            file.handle.close()
            assert web.open(server.url + path, path).version == file.version != ""


def test_a_file_that_changes_between_two_ranges_is_refused():
    """The second range of another version isn't put behind the first."""
    files = {"/a.bin": b"a" * 3_000_000}
    with api_server(Files(files)) as server, closing(Web(instance("s3", "s3://unused", endpoint=server.url))) as web:
        file = web.open(f"{server.url}/a.bin", "a.bin")
        assert file.read(0, 10) == b"a" * 10
        files["/a.bin"] = b"b" * 3_000_000
        with pytest.raises(Invalid) as caught:
            file.read(2_000_000, 10)
        assert caught.value.code == "SYN455"


def test_what_is_not_there_and_what_is_too_large_without_ranges_is_told():
    """No such file is SYN450. A server without ranges gives no more than `http.maxBody`."""
    with (
        api_server(Files({"/big.bin": bytes(65 << 20)}, "etag")) as server,
        closing(Web(instance("s3", "s3://unused", endpoint=server.url))) as web,
    ):
        for name, code in (("none", "SYN450"), ("big.bin", "SYN407")):
            with pytest.raises(Invalid) as caught:
                web.open(f"{server.url}/{name}", name)
            assert caught.value.code == code


def test_a_server_that_answers_with_other_bytes_is_not_believed():
    """A range that begins elsewhere than was asked for is refused, though its length and version are right."""
    good = Files({"/a.bin": bytes(3_000_000)})

    def shifted(asked):
        reply = good(asked)
        if "bytes=0-" not in asked.headers["range"]:
            reply.headers["Content-Range"] = "bytes 7-7/3000000"
        return reply

    with api_server(shifted) as server, closing(Web(instance("s3", "s3://unused", endpoint=server.url))) as web:
        file = web.open(f"{server.url}/a.bin", "a.bin")
        with pytest.raises(Again, match="other bytes"):
            file.read(2_000_000, 10)


@pytest.mark.parametrize("check", conformance.SOURCE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("gives", [("ranges", "etag"), ("nothing",)])
def test_files_of_a_web_server_keep_the_promises_of_sources(check, gives):
    """Declared by their names, with a query and without, plain and packed, they pass every check of the suite."""
    text = {n: f"id,text\n{''.join(f'{n + i},é{i}{chr(10)}' for i in range(30))}".encode() for n in (0, 50, 100)}
    files = {"/x/a b.csv": text[0], "/x/export": text[50], "/x/c.csv.gz": gzip.compress(text[100])}
    stream = {"files": ["a b.csv", "export?year=2026", "c.csv.gz"], "format": "csv"}
    with api_server(Files(files, *gives)) as server:
        made = instance("web-files", f"{server.url}/x/", {"s": stream})
        check(lambda: source(made, block=64))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("*.csv", "SYN450"),
        ("../a.csv", "SYN451"),
        ("x/%2e%2e/a.csv", "SYN451"),
        ("/a.csv", "SYN451"),
        ("..%2f..%2fx", "SYN451"),
        ("x%5C..%5Ca.csv", "SYN451"),
        ("..%252fa.csv", "SYN451"),
        ("x\\..\\a.csv", "SYN451"),
        ("x/..;v=1/a.csv", "SYN451"),
    ],
)
def test_names_of_a_web_server_are_names(name, code):
    """A pattern, which no web server can answer, and a name that leaves the root, are refused before it is asked."""
    with api_server(Files({})) as server:
        with pytest.raises(Invalid) as caught:
            source(instance("web-files", server.url, {"s": {"files": name}}))
        assert (caught.value.code, server.asked) == (code, [])


def test_a_web_server_is_asked_with_credentials_and_reached_within_bounds():
    """A bearer token goes with each range; an address that a tenant may not reach isn't asked."""
    files = Files({"/a.csv": b"id\n1\n"})
    with api_server(files) as server:
        made = instance(
            "web-files", server.url, {"s": {"files": "a.csv"}}, Credentials("bearer", {}, {"token": Secret("t0k")})
        )
        assert conformance.read(lambda: source(made))[0].frame.rows() == [("1",)]
        assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer t0k"}
        count = len(server.asked)
        tenant = replace(made, network=structs.replace(made.network, egress=Egress(literals=False)))
        with pytest.raises(Denied):
            source(tenant)
        assert len(server.asked) == count


def test_dots_in_the_names_of_a_web_server_are_no_climbing():
    """Dots within a name, and whatever stands in a query, are asked for as they are written."""
    with api_server(Files({"/a..b.csv": b"id\n1\n", "/export": b"id\n2\n"})) as server:
        made = instance("web-files", server.url, {"s": {"files": ["a..b.csv", "export?of=..%2Fx"], "format": "csv"}})
        batches = conformance.read(lambda: source(made))
    assert [batch.frame.rows() for batch in batches] == [[("1",)], [("2",)]]


_ENTRY = "<Contents><Key>x/a.csv</Key><Size>5</Size></Contents>"
_MORE = "<IsTruncated>true</IsTruncated>"


@pytest.mark.parametrize(
    "page",
    [
        "<Contents><Size>5</Size></Contents>",
        "<Contents><Key>x/a.csv</Key></Contents>",
        "<Contents><Key>x/a.csv</Key><Size>large</Size></Contents>",
        "<Contents><Key>elsewhere/a.csv</Key><Size>5</Size></Contents>",
        "<Contents>a.csv</Contents>",
        f"{_ENTRY}{_MORE}",
        f"{_MORE}<NextContinuationToken>t</NextContinuationToken>",
        f"{_ENTRY}{_MORE}<NextContinuationToken>t</NextContinuationToken>",
    ],
)
def test_a_server_that_lists_its_objects_wrongly_is_told(page):
    """A list without a key, a size or where it goes on, or one that repeats itself, is SYN410 after two pages at most."""
    body = f"<ListBucketResult>{page}</ListBucketResult>".encode()
    with api_server(lambda _: Reply(body, content_type="application/xml")) as server:
        with pytest.raises(Invalid) as caught:
            source(instance("s3", "s3://bucket/x", {"s": {"files": "*.csv"}}, endpoint=server.url))
        assert (caught.value.code, len(server.asked) <= 2) == ("SYN410", True)


def test_pages_without_objects_do_not_go_on_for_ever(monkeypatch):
    """A server whose every page is empty, and names another one, is left: a page counts as a hundred objects."""
    monkeypatch.setattr(s3, "_MOST_LISTED", 1_000)

    def empty(asked):
        token = int(asked.query.get("continuation-token", "0")) + 1
        page = f"<ListBucketResult>{_MORE}<NextContinuationToken>{token}</NextContinuationToken></ListBucketResult>"
        return Reply(page.encode(), content_type="application/xml")

    with api_server(empty) as server:
        with pytest.raises(Invalid) as caught:
            source(instance("s3", "s3://bucket/x", {"s": {"files": "*.csv"}}, endpoint=server.url))
        assert (caught.value.code, len(server.asked)) == ("SYN450", 10)


@pytest.mark.parametrize("root", ["s3://bucket/x", "https://files.example.com", "ftp://files.example.com"])
def test_a_connector_that_does_not_know_a_scheme_says_which_does(root, tmp_path):
    """`file` with the root of a server, and a scheme that none reads, end in SYN560 before anything is asked."""
    local = file_places.instance(tmp_path, {"s": {"files": "*.csv"}})
    made = replace(local, config={"root": root})
    with pytest.raises(Invalid) as caught:
        file_places.opened(made, print)
    assert caught.value.code == "SYN560"


@pytest.mark.parametrize(
    ("connector", "root", "steps"),
    [
        ("s3", "s3://acme-exports/crm/", ("s3", "acme-exports", "crm")),
        ("sftp", "sftp://files.example.com:2222/out", ("sftp", "files.example.com:2222", "out")),
    ],
)
def test_policy_knows_where_files_on_servers_are(connector, root, steps):
    """A root is a place that policy compares: by server, bucket and folders."""
    spec = IntegrationSpec(connector=connector, config={"root": root})
    found = location_of(spec, shipped(connector))
    assert found is not None
    assert (found.steps, found.shown) == (steps, root)
