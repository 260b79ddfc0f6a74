"""SeaweedFS and moto: files in buckets, listed and read in ranges by signed requests."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import time
import zipfile
from contextlib import closing, suppress
from copy import copy
from pathlib import Path
from urllib.parse import quote

import openpyxl
import polars as pl
import pytest

from syncline.model.errors import Invalid, SynclineError
from syncline.model.secret import Secret
from syncline.sdk import conformance
from syncline.sdk.auth.authenticator import Authenticator
from syncline.sdk.auth.sigv4 import SigV4
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request
from syncline.sdk.source import Credentials, Measured
from tests.e2e.api import started
from tests.file_servers import instance, source
from tests.peers.house import Flow, house

CLOCK = SystemClock()
INTEGRATIONS = Path(__file__).resolve().parents[2] / "integrations"
PLACE = "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>"


class Bucket:
    """A bucket of a running S3."""

    def __init__(self, system, name):
        self.system, self.name = system, name
        self._transport = HttpTransport(CLOCK, 1 << 20, egress=Egress(private=("127.0.0.0/8",)))
        scheme = SigV4(system.access_key, Secret(system.secret_key), "s3", system.region)
        self._auth = Authenticator(scheme, CLOCK)
        place = PLACE.format(system.region).encode() if system.region != "us-east-1" else b""
        assert self.send("PUT", "", place) in {200, 409}

    def send(self, method, key, body=b""):
        """The status of a request for an object."""
        url = f"{self.system.url}/{self.name}/{quote(key, safe='/~-._')}".rstrip("/" if not key else "")
        return self._transport.send(self._auth.apply(Request(method, url, {}, body)).request, 60).status

    def close(self):
        """Closes its connections."""
        self._transport.close()

    def put(self, key, body):
        """Writes an object."""
        assert self.send("PUT", key, body) == 200, key

    def instance(self, prefix="", secret="", **stream):
        """An integration of it with one stream."""
        system = self.system
        settings = {"access_key_id": system.access_key, "service": "s3", "region": system.region}
        credentials = Credentials("aws_sigv4", settings, {"secret_access_key": Secret(secret or system.secret_key)})
        root = f"s3://{self.name}/{prefix}"
        return instance("s3", root, {"s": stream}, credentials, system.url, region=system.region)


@pytest.fixture(params=["seaweedfs", "moto"])
def system(request):
    """Each S3 in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def bucket(system, request):
    """A bucket of its own for a test."""
    made = Bucket(system, f"files-{abs(hash(request.node.name)):x}"[:40])
    yield made
    made.close()


def table(start, count, more=""):
    """A CSV with so many records."""
    return ("id,text\n" + "".join(f"{start + n},é{n}{more}\n" for n in range(count))).encode()


def workbook():
    """A small workbook."""
    book, data = openpyxl.Workbook(), io.BytesIO()
    for row in (["id", "text"], [1, "é1"], [2, "é2"]):
        book.active.append(row)
    book.save(data)
    return data.getvalue()


@pytest.mark.parametrize("check", conformance.SOURCE_CHECKS, ids=lambda check: check.__name__)
def test_objects_keep_the_promises_of_sources(bucket, check):
    """Objects with names that need escaping, plain and packed, pass every check of the shipped suite."""
    bucket.put("crm/year 2026/a+b.csv", table(0, 30))
    bucket.put("crm/year 2026/c.csv.gz", gzip.compress(table(50, 30)))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.csv", table(100, 20))
        archive.writestr("two.csv", table(200, 20))
    bucket.put("crm/year 2026/d.zip", data.getvalue())
    check(lambda: source(bucket.instance("crm", files="year */*", format="csv"), block=64))


def test_formats_that_jump_about_are_read(bucket):
    """Parquet and worksheets, whose parts aren't in order, come out as they are on a disk."""
    frame = pl.DataFrame({"id": range(30), "text": [f"é{n}" for n in range(30)]})
    data = io.BytesIO()
    frame.write_parquet(data, row_group_size=10)
    bucket.put("t.parquet", data.getvalue())
    bucket.put("t.xlsx", workbook())

    batches = conformance.read(lambda: source(bucket.instance(files="*.parquet"), rows=4))
    assert pl.concat(batch.frame for batch in batches).equals(frame)
    sheet = conformance.read(lambda: source(bucket.instance(files="*.xlsx")))
    assert sheet[0].frame.rows() == [("1", "é1"), ("2", "é2")]


def test_long_listings_are_read_page_by_page(bucket):
    """1,010 objects, more than a page of the listing has, are all found; others, and folders, aren't."""
    for number in range(1010):
        bucket.put(f"in/{number:04}.csv", b"id\n1\n")
    bucket.put("in/.hidden.csv", b"id\n1\n")
    bucket.put("in/deeper/x.csv", b"id\n1\n")
    with closing(source(bucket.instance("in", files="*.csv"))) as opened:
        assert isinstance(opened, Measured)
        assert opened.total_bytes == 1010 * 5


def test_an_object_that_changes_while_it_is_read_is_refused(bucket):
    """The first batch is of one version; when the object is written anew, no byte of the new one is taken for it."""
    bucket.put("a.csv", table(0, 1_200_000))
    with closing(source(bucket.instance(files="a.csv"), block=1 << 20)) as opened:
        reading = opened.read(None)
        first = next(reading)
        bucket.put("a.csv", table(5, 1_200_000))
        with pytest.raises(Invalid, match="another version") as caught:
            list(reading)
    assert caught.value.code == "SYN455"
    with pytest.raises(Invalid, match="other content") as caught:
        conformance.read(lambda: source(bucket.instance(files="a.csv"), block=1 << 20), first.position)
    assert caught.value.code == "SYN455"


def test_incremental_reads_ask_for_what_is_new(bucket):
    """What has the same ETag isn't read again, though it was written again; a new and a changed object are."""
    bucket.put("a.csv", table(0, 3))
    bucket.put("b.csv", table(10, 3))
    made = bucket.instance(files="*.csv")
    position = conformance.read(lambda: source(made, incremental=True))[-1].position
    bucket.put("a.csv", table(0, 3))
    bucket.put("b.csv", table(20, 3))
    bucket.put("c.csv", table(30, 1))
    batches = conformance.read(lambda: source(made, incremental=True), position)
    assert [row[0] for batch in batches for row in batch.frame.rows()] == ["20", "21", "22", "30"]


def test_refusals_are_told(bucket):
    """A wrong secret, no object, and a bucket that isn't there end in errors with a code, and what to do."""
    gone = copy(bucket)
    gone.name = "no-such-bucket"
    for opened, codes in (
        (bucket.instance(secret="another", files="*.csv"), {"SYN401"}),
        (bucket.instance(files="*.csv"), {"SYN450"}),
        (gone.instance(files="*.csv"), {"SYN405", "SYN450"}),
    ):
        with pytest.raises(SynclineError) as caught:
            source(opened)
        assert caught.value.code in codes
        assert caught.value.help


FIELDS = ("to: id, from: id, type: integer, required: true", "to: text, from: text")
AUTH = (
    "{type: aws_sigv4, accessKeyId: {secretRef: {provider: env, key: ACCESS}}, "
    "secretAccessKey: {secretRef: {provider: env, key: SECRET}}}"
)


def made_house(folder, bucket, more="", **flow):
    """A house that reads the bucket's files."""
    system = bucket.system
    return house(
        folder,
        (INTEGRATIONS / "s3.yaml").read_text(),
        {"root": f"s3://{bucket.name}/crm", "region": system.region},
        Flow("people", FIELDS, **flow),
        auth=AUTH,
        secrets={"ACCESS": system.access_key, "SECRET": system.secret_key},
        more=f"endpoints: [{{region: here, url: '{system.url}'}}], streams: {{people: {{files: '*.csv.gz'}}}}{more}",
    )


def test_a_run_reads_a_bucket(tmp_path, bucket):
    """Applied and run by the command line, checked, proved by the log; no secret gets out. The plan names the host."""
    bucket.put("crm/a.csv.gz", gzip.compress(table(0, 40)))
    made = made_house(tmp_path, bucket)
    assert "127.0.0.1 is newly contacted" in "".join(made.printed)
    assert f"s3://{bucket.name}/crm" in made.ok("connector", "check", "acme/api")
    assert made.run("people")["inserted"] == 40
    assert made.rows("SELECT count(*), max(text) FROM people") == [(40, "é9")]
    made.proved()


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(tmp_path, seaweedfs):
    """SIGKILL in the second object: the next run goes on after the last commit, to what an unbroken one would give."""
    bucket = Bucket(seaweedfs, "killed")
    count, objects = 200_000, 4
    for number in range(objects):
        body = table(number * count, count, "x" * 100)  # several batches each
        bucket.put(f"crm/{number}.csv.gz", gzip.compress(body, 1))
    bucket.close()
    made = made_house(tmp_path, bucket)
    with started(tmp_path, "run", "acme/Sync/people", extra=made.secrets) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(sqlite3.OperationalError):
                if made.tables("people") and made.rows("SELECT count(*) FROM people")[0][0] > count:
                    break
            time.sleep(0.01)
        assert process.poll() is None, "it was over before it could be killed"
        process.kill()
    there = made.rows("SELECT count(*) FROM people")[0][0]
    total = objects * count
    assert count < there < total
    receipt = json.loads(made.ok("run", "acme/Sync/people", "--output", "json"))
    assert (receipt["resumed"], receipt["counts"]["read"]) == (1, total)
    assert made.rows("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM people") == [
        (total, total, 0, total - 1)
    ]
    made.proved()
    unbroken = made_house(tmp_path / "unbroken", bucket)
    other = json.loads(unbroken.ok("run", "acme/Sync/people", "--output", "json"))
    # Of the chains over batches: what was read before the kill isn't in them twice.
    assert (receipt["read_digest"], receipt["batches"]) == (other["read_digest"], other["batches"])
