"""OpenSSH's SFTP server: files listed by patterns and read in ranges, from a server that is known by its key."""

from __future__ import annotations

import gzip
import os
import shutil
import threading
import time
from contextlib import closing
from dataclasses import replace
from types import MethodType

import polars as pl
import pytest
from msgspec import structs

from syncline.connectors.file.places.choose import place_of
from syncline.connectors.file.runtime import RUNTIME
from syncline.model.errors import Denied, Invalid, SynclineError
from syncline.model.secret import Secret
from syncline.sdk import conformance
from syncline.sdk.http import Egress
from syncline.sdk.source import Credentials
from tests.file_servers import instance, source
from tests.peers.house import Flow, house
from tests.peers.test_s3_files import FIELDS, INTEGRATIONS, table, workbook


@pytest.fixture
def server(sftp):
    """The server, without files."""
    shutil.rmtree(sftp.files)
    sftp.files.mkdir()
    return sftp


def opened(server, key="user", host_key="", passphrase="", account="", **stream):
    """An integration of the server with one stream."""
    secrets = {"private_key": Secret(server.private_key(key))}
    if passphrase:
        secrets["passphrase"] = Secret(passphrase)
    credentials = Credentials("ssh", {"username": account or server.account}, secrets)
    return instance("sftp", server.url, {"s": stream}, credentials, hostKeys=host_key or server.host_key())


@pytest.mark.parametrize("check", conformance.SOURCE_CHECKS, ids=lambda check: check.__name__)
def test_files_keep_the_promises_of_sources(server, check):
    """Files in folders, plain and packed, pass every check of the shipped suite."""
    (server.files / "y 1").mkdir()
    (server.files / "y 1" / "a+b.csv").write_bytes(table(0, 30))
    (server.files / "y 1" / "c.csv.gz").write_bytes(gzip.compress(table(50, 30)))
    check(lambda: source(opened(server, files="y */*", format="csv"), block=64))


def test_patterns_find_what_they_do_on_a_disk(server):
    """Folders at any depth, hidden names and links: what is found is what a shell would find; what leads out is refused."""
    for name in ("a.csv", "x/a.csv", "x/y/b.csv", ".h.csv", "x/.h/c.csv", "x/y/b.txt"):
        (server.files / name).parent.mkdir(parents=True, exist_ok=True)
        (server.files / name).write_bytes(b"id\n1\n")
    (server.files / "link.csv").symlink_to("x/y/b.csv")
    for pattern, count in (("*.csv", 2), ("**/*.csv", 4), ("x/**/*.csv", 2), ("x/y/b.csv", 1), ("x/*/b.*v", 1)):
        with closing(source(opened(server, files=pattern))) as found:
            assert found.total_bytes == count * 5, pattern  # type: ignore[attr-defined]  # it is measured
    (server.files / "out.csv").symlink_to(server.folder / "authorized_keys")
    with pytest.raises(Invalid) as caught:
        source(opened(server, files="*.csv"))
    assert caught.value.code == "SYN451"


@pytest.mark.parametrize("files", ["link/a.csv", "x/../link/a.csv", "link/*.csv", "*/a.csv", "**/a.csv", "l?nk/a.csv"])
def test_links_to_folders_are_not_followed(server, files):
    """A folder that is a link isn't looked into, whether a pattern names it or finds it: nothing outside is listed."""
    (server.folder / "outside").mkdir(exist_ok=True)
    (server.folder / "outside" / "a.csv").write_bytes(b"id\n1\n")
    (server.files / "x").mkdir()
    (server.files / "link").symlink_to(server.folder / "outside")
    with pytest.raises(Invalid) as caught:
        source(opened(server, files=files))
    assert caught.value.code == ("SYN451" if ".." in files else "SYN450")


def test_a_folder_that_becomes_a_link_is_not_read_through(server):
    """A file is looked for anew when it is opened: one that lies outside by then is SYN451, and not a byte is read."""
    (server.folder / "outside").mkdir(exist_ok=True)
    (server.folder / "outside" / "a.csv").write_bytes(b"id\n1\n")
    (server.files / "x").mkdir()
    (server.files / "x" / "a.csv").write_bytes(b"id\n1\n")
    with closing(place_of(opened(server, files="x/a.csv"))) as place:
        (name,) = place.matching(["x/a.csv"])
        shutil.rmtree(server.files / "x")
        (server.files / "x").symlink_to(server.folder / "outside")
        with pytest.raises(Invalid) as caught:
            place.open(name, name)
    assert caught.value.code == "SYN451"


def test_formats_that_jump_about_are_read(server):
    """Parquet and worksheets come out as they are on a disk."""
    frame = pl.DataFrame({"id": range(30), "text": [f"é{n}" for n in range(30)]})
    frame.write_parquet(server.files / "t.parquet", row_group_size=10)
    (server.files / "t.xlsx").write_bytes(workbook())
    batches = conformance.read(lambda: source(opened(server, files="*.parquet"), rows=4))
    assert pl.concat(batch.frame for batch in batches).equals(frame)
    sheet = conformance.read(lambda: source(opened(server, files="*.xlsx")))
    assert sheet[0].frame.rows() == [("1", "é1"), ("2", "é2")]


def test_large_files_come_out_whole_and_go_on_in_the_middle(server):
    """40 MB in batches of 8 are what was written; from the position of the third, only the rest is read."""
    data = table(0, 1_000_000, "x" * 25)
    (server.files / "a.csv").write_bytes(data)
    batches = conformance.read(lambda: source(opened(server, files="*.csv"), block=8 << 20))
    ids = pl.concat([batch.frame for batch in batches])["id"].cast(pl.Int64)
    assert ids.to_list() == list(range(1_000_000))
    rest = conformance.read(lambda: source(opened(server, files="*.csv"), block=8 << 20), batches[2].position)
    assert [batch.digest for batch in rest] == [batch.digest for batch in batches[3:]]


def test_files_that_change_are_refused_and_those_that_grow_are_read_on(server):
    """Overwritten while it is read: SYN455. In an incremental read, what was appended is read, and nothing else."""
    path = server.files / "a.csv"
    path.write_bytes(table(0, 1_200_000))
    with closing(source(opened(server, files="a.csv"), block=1 << 20)) as reading:
        batches = reading.read(None)
        next(batches)
        path.write_bytes(b"id,text\n1,x\n")
        with pytest.raises(Invalid) as caught:
            list(batches)
    assert caught.value.code == "SYN455"

    path.write_bytes(table(0, 10))
    made = opened(server, files="a.csv")
    position = conformance.read(lambda: source(made, incremental=True))[-1].position
    with path.open("ab") as file:
        file.write(b"10,more\n")
    os.utime(path, (1, 2_000_000_000))
    grown = conformance.read(lambda: source(made, incremental=True), position)
    assert [row for batch in grown for row in batch.frame.rows()] == [("10", "more")]


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
@pytest.mark.parametrize(("key", "passphrase"), [("user", ""), ("rsa", ""), ("sealed", "open sesame")])
def test_keys_of_all_kinds_are_spoken(server, kind, key, passphrase):
    """The server is known by either of its keys, and lets in by each of the account's."""
    found = RUNTIME.check(opened(server, key, server.host_key(kind), passphrase, files="*"))
    assert found.place == server.url


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "stranger"}, "SYN401"),
        ({"account": "nobody-there"}, "SYN401"),
        ({"key": "sealed"}, "SYN564"),
        ({"key": "sealed", "passphrase": "wrong"}, "SYN564"),
        ({"host_key": "not a key"}, "SYN564"),
        ({"host_key": "# nothing"}, "SYN564"),
        ({"files": "none-*.csv"}, "SYN450"),
        ({"files": "../*.csv"}, "SYN451"),
    ],
)
def test_refusals_are_told(server, change, code):
    """Whom it doesn't let in, what can't be read as a key, and files that aren't there, each have a code and a help."""
    with pytest.raises(SynclineError) as caught:
        source(opened(server, **{"files": "*.csv", **change}))
    assert caught.value.code == code
    assert caught.value.help


def test_a_server_with_another_key_gets_nothing(server):
    """A key that isn't declared ends it before an account is named; the error has the fingerprint that was shown."""
    other = (server.folder / "stranger.pub").read_text()
    with pytest.raises(SynclineError, match="SHA256:") as caught:
        source(opened(server, host_key=other, files="*"))
    assert caught.value.code == "SYN563"


def test_a_tenant_may_only_reach_what_it_may(server):
    """An address out of bounds is refused before it is connected to."""
    made = opened(server, files="*")
    with pytest.raises(Denied) as caught:
        source(replace(made, network=structs.replace(made.network, egress=Egress(literals=False))))
    assert caught.value.code == "SYN460"


def test_a_run_reads_an_sftp_server(tmp_path, server):
    """Applied, checked and run by the command line; the key is in no file and no output; the plan names the host."""
    (server.files / "a.csv.gz").write_bytes(gzip.compress(table(0, 40)))
    made = house(
        tmp_path,
        (INTEGRATIONS / "sftp.yaml").read_text(),
        {"root": server.url, "hostKeys": server.host_key()},
        Flow("people", FIELDS),
        auth=f"{{type: ssh, username: {server.account}, privateKey: {{secretRef: {{provider: env, key: KEY}}}}}}",
        secrets={"KEY": server.private_key()},
        more="streams: {people: {files: '*.csv.gz'}}",
    )
    assert "127.0.0.1 is newly contacted" in "".join(made.printed)
    assert server.url in made.ok("connector", "check", "acme/api")
    assert made.run("people")["inserted"] == 40
    made.proved()


def test_closing_a_file_waits_for_nobody_elses_reading(server):
    """Threads of the library that read another file, for another flow, aren't waited for: only those of the file."""
    (server.files / "a.csv").write_bytes(table(0, 10_000))
    done = threading.Event()

    class Other:
        def _prefetch_thread(self) -> None:
            done.wait(20)

    foreign = threading.Thread(target=Other()._prefetch_thread, name="Thread-9 (_prefetch_thread)", daemon=True)
    with closing(place_of(opened(server, files="a.csv"))) as place:
        (name,) = place.matching(["a.csv"])
        file = place.open(name, name)
        foreign.start()
        assert file.handle.read() == table(0, 10_000)
        own = threading.Thread(target=MethodType(lambda _: time.sleep(0.3), file.far.content.file))
        own.start()
        file.handle.close()
        assert foreign.is_alive()
        assert not own.is_alive()
    done.set()
    foreign.join()
