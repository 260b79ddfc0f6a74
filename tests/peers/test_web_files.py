"""nginx and Python's own web server: files by their names, in ranges where the server has them."""

from __future__ import annotations

import gzip
import shutil
import sys

import polars as pl
import pytest

from syncline.connectors.file.runtime import RUNTIME
from syncline.model.errors import SynclineError
from syncline.model.secret import Secret
from syncline.sdk import conformance
from syncline.sdk.source import Credentials
from tests.file_servers import instance, source
from tests.peers.house import Flow, house
from tests.peers.process import free_port, listens, running
from tests.peers.systems.nginx import PASSWORD
from tests.peers.test_s3_files import FIELDS, INTEGRATIONS, table


@pytest.fixture
def server(nginx):
    """The server, without files."""
    shutil.rmtree(nginx.files)
    nginx.files.mkdir()
    return nginx


def opened(url, password=PASSWORD, **stream):
    """An integration of a web server with one stream."""
    credentials = Credentials("basic", {"username": "ada"}, {"password": Secret(password)}) if password else None
    return instance("web-files", url, {"s": stream}, credentials)


@pytest.mark.parametrize("check", conformance.SOURCE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("below", ["", "/no-ranges"])
def test_files_keep_the_promises_of_sources(server, below, check):
    """Plain and packed, with ranges and ETags or without: every check passes, though nginx would pack what it may."""
    (server.files / "a b.csv").write_bytes(table(0, 30))
    (server.files / "c.csv.gz").write_bytes(gzip.compress(table(50, 30)))
    (server.files / "empty.csv").write_bytes(b"")
    check(
        lambda: source(opened(server.url + below, files=["a b.csv", "c.csv.gz", "empty.csv"], format="csv"), block=64)
    )


def test_of_large_files_only_what_is_left_is_asked_for(server):
    """40 MB come out whole; from the position of the third batch, the first 24 MB aren't sent again."""
    (server.files / "a.csv").write_bytes(table(0, 1_000_000, "x" * 25))
    made = opened(server.url, files="a.csv")
    batches = conformance.read(lambda: source(made, block=8 << 20))
    assert pl.concat([b.frame for b in batches])["id"].cast(pl.Int64).to_list() == list(range(1_000_000))
    size, before = (server.files / "a.csv").stat().st_size, len(server.asked())
    rest = conformance.read(lambda: source(made, block=8 << 20), batches[2].position)
    assert [batch.digest for batch in rest] == [batch.digest for batch in batches[3:]]
    sent = sum(int(line.split('" ')[1].split()[1]) for line in server.asked()[before:])
    assert sent < size - (3 * (8 << 20)) + (4 << 20)


def test_refusals_are_told(server):
    """A wrong password, no such file, and a server that sends elsewhere each have a code."""
    (server.files / "a.csv").write_bytes(table(0, 3))
    for made, code in (
        (opened(server.url, "wrong", files="a.csv"), "SYN401"),
        (opened(server.url, files="b.csv"), "SYN450"),
        (opened(f"{server.url}/moved", files="a.csv"), "SYN406"),
    ):
        with pytest.raises(SynclineError) as caught:
            source(made)
        assert caught.value.code == code
    with pytest.raises(SynclineError) as caught:
        RUNTIME.check(opened(server.url, "wrong", files="a.csv"))
    assert caught.value.code == "SYN401"
    assert RUNTIME.check(opened(server.url, files="a.csv")).place == f"{server.url}/a.csv"


def test_pythons_own_server_is_read(tmp_path):
    """`python -m http.server` knows no ranges and no ETags: an incremental read still tells what is new."""
    port = free_port()
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.csv").write_bytes(table(0, 1000))
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", tmp_path / "files"]
    made = opened(f"http://127.0.0.1:{port}", "", files="a.csv")
    with running(command, tmp_path, lambda: listens(port)):
        batches = conformance.read(lambda: source(made, incremental=True))
        assert sum(batch.frame.height for batch in batches) == 1000
        assert conformance.read(lambda: source(made, incremental=True), batches[-1].position) == []


def test_a_run_reads_a_web_server(tmp_path, server):
    """Applied and run by the command line; the password is in no file and no output; the plan names the host."""
    (server.files / "a.csv").write_bytes(table(0, 40))
    made = house(
        tmp_path,
        (INTEGRATIONS / "web-files.yaml").read_text(),
        {"root": server.url},
        Flow("people", FIELDS),
        auth="{type: basic, username: ada, password: {secretRef: {provider: env, key: WEB}}}",
        secrets={"WEB": PASSWORD},
        more="streams: {people: {files: a.csv}}",
    )
    assert "127.0.0.1 is newly contacted" in "".join(made.printed)
    assert made.run("people")["inserted"] == 40
    made.proved()
