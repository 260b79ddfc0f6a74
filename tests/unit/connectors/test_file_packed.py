"""Packed files: read as if they weren't, and refused whole where they are damaged or hostile."""

import errno
import gzip
import io
import os
import random
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from syncline.kinds.file_stream import format_by_name
from syncline.model.errors import Invalid, Stalled, SynclineError
from tests.contract.file_places import source

TEXT = b"id,text\n" + b"".join(b"%d,line %d\n" % (n, n) for n in range(5_000))


def zipped(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__csv", ".csv"), data)
    return out.getvalue()


PACKED = {
    "a.csv.gz": gzip.compress(TEXT),
    "a.csv.zst": pa.compress(TEXT, codec="zstd", asbytes=True),
    "a.zip": zipped(a__csv=TEXT),
}


def read(root, name, position=None, **stream):
    return list(source(root, name, **stream).read(position))


@pytest.mark.parametrize("name", PACKED)
def test_a_packed_file_has_the_records_of_the_plain_one(tmp_path, name):
    """The same columns, rows and places, and nothing beside the file afterwards."""
    (tmp_path / name).write_bytes(PACKED[name])
    (batch,) = read(tmp_path, name)
    assert batch.frame.height == 5_000
    assert batch.frame.row(4_999) == ("4999", "line 4999")
    assert batch.places([4_999])[0].endswith(":5001")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "damage"),
    # Whether a zstd frame has a checksum is up to whoever packs; these have none, so that a flipped bit may pass.
    [
        (name, damage)
        for name in PACKED
        for damage in ("cut", "flipped", "other")
        if (damage, name[-3:]) != ("flipped", "zst")
    ],
)
def test_damage_is_refused_before_a_record_is_read(tmp_path, name, damage):
    """A file that was cut or altered on its way, or isn't packed at all, gives an error and no batch."""
    data = bytearray(PACKED[name])
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flipped":
        data[len(data) // 2] ^= 0xFF
    else:
        data = bytearray(TEXT)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Invalid) as caught:
        read(tmp_path, name, format="csv")
    assert caught.value.code == "SYN715"
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst"])
def test_an_empty_file_is_none_that_is_packed(tmp_path, name):
    """What is empty is what is left of an upload that failed: nothing packed is without a byte."""
    (tmp_path / name).write_bytes(b"")
    (tmp_path / f"b{name[1:]}").write_bytes(PACKED[name])
    with pytest.raises(Invalid) as caught:
        read(tmp_path, f"*{name[1:]}")
    assert caught.value.code == "SYN715"


COPIED = {**PACKED, "wide.csv": TEXT.decode().encode("utf-16")}


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "Make space"), (errno.EACCES, "write there"), (errno.EMFILE, "limit of open files")],
)
@pytest.mark.parametrize("name", COPIED)
def test_a_copy_that_cant_be_made_is_no_damage_of_the_file(tmp_path, monkeypatch, name, number, advice):
    """Where no file for the copy can be made, that is said of this machine, and not that the file is damaged."""

    def refused(**_):
        raise OSError(number, os.strerror(number))

    (tmp_path / name).write_bytes(COPIED[name])
    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    with pytest.raises(Stalled) as caught:
        read(tmp_path, name, format="csv", csv={"encoding": "auto"})
    assert caught.value.code == "SYN452"
    assert caught.value.message.startswith(name)
    assert os.strerror(number) in caught.value.message
    assert advice in caught.value.help


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs a disk that is full")
@pytest.mark.parametrize("name", COPIED)
def test_a_disk_that_is_full_is_no_damage_of_the_file(tmp_path, monkeypatch, name):
    """Where the disk has no room for the bytes of the copy, it says so and what to do."""
    (tmp_path / name).write_bytes(COPIED[name])
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: FULL.open("r+b", buffering=0))
    with pytest.raises(Stalled) as caught:
        read(tmp_path, name, format="csv", csv={"encoding": "auto"})
    assert caught.value.code == "SYN452"
    assert os.strerror(errno.ENOSPC) in caught.value.message
    assert "Make space" in caught.value.help


def test_only_the_members_that_are_asked_for_are_read(tmp_path):
    """What else an archive has, such as a readme, keeps nothing from being read; without `members` it is a file like the others."""
    data = {"readme.txt": b"hello\n", "a__csv": b"id\n1\n", "sub/b__csv": b"id\n2\n", ".hidden/c__csv": b"x\n9\n"}
    (tmp_path / "a.zip").write_bytes(zipped(**data))
    found = read(tmp_path, "a.zip", format="csv", members="**/*.csv")
    assert [row for batch in found for row in batch.frame.rows()] == [("1",), ("2",)]
    (first,) = read(tmp_path, "a.zip", format="csv", members="*.csv")
    assert first.places([0]) == ["a.zip/a.csv:2"]
    with pytest.raises(Invalid) as caught:
        read(tmp_path, "a.zip", format="csv")
    assert caught.value.code == "SYN454"
    with pytest.raises(Invalid) as caught:
        read(tmp_path, "a.zip", format="csv", members="*.tsv")
    assert caught.value.code == "SYN450"
    assert "'*.tsv'" in caught.value.message


def test_an_archive_without_files_is_an_error(tmp_path):
    """No file at all must not pass for no record."""
    (tmp_path / "a.zip").write_bytes(zipped())
    with pytest.raises(Invalid) as caught:
        read(tmp_path, "a.zip", format="csv")
    assert caught.value.code == "SYN450"


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.csv.gz", gzip.compress),
        ("a.csv.zst", lambda plain: pa.compress(plain, codec="zstd", asbytes=True)),
        ("a.zip", lambda plain: zipped(a__csv=plain)),
    ],
)
def test_a_bomb_is_not_unpacked(tmp_path, name, pack):
    """What gets hundreds of times larger is refused while it unpacks, however it is packed."""
    (tmp_path / name).write_bytes(pack(b"a,b\n" * (30 << 20)))
    with pytest.raises(Invalid) as caught:
        read(tmp_path, name, format="csv")
    assert caught.value.code == "SYN492"


@pytest.mark.parametrize("name", ["../out.csv", "/etc/out.csv", "a/../../out.csv"])
def test_a_hostile_archive_is_refused(tmp_path, name):
    """A member that would leave its folder is refused with the whole archive, though nothing is written anyway."""
    (tmp_path / "a.zip").write_bytes(zipped(**{name: TEXT, "good__csv": TEXT}))
    with pytest.raises(Invalid) as caught:
        read(tmp_path, "a.zip", format="csv")
    assert caught.value.code == "SYN492"


def test_a_member_without_a_name_is_damage(tmp_path):
    """An archive in whose list a file has no name, as no archiver writes it, is refused as damaged."""
    (tmp_path / "a.zip").write_bytes(zipped(X=b"id\n1\n").replace(b"X", b"\0"))
    with pytest.raises(SynclineError) as caught:
        read(tmp_path, "a.zip", format="csv")
    assert "no name" in caught.value.message


def test_members_are_read_in_the_order_of_the_archive(tmp_path):
    """Each is a file of the stream, named after the archive; folders and what macOS adds are none."""
    (tmp_path / "a.zip").write_bytes(zipped(z__csv=b"id\n1\n", **{"__MACOSX/z.csv": b"x", "b/a__csv": b"id\n2\n"}))
    batches = read(tmp_path, "a.zip")
    assert [batch.places([0])[0] for batch in batches] == ["a.zip/z.csv:2", "a.zip/b/a.csv:2"]


def test_an_incremental_read_knows_a_packed_file_again(tmp_path):
    """Unchanged it isn't read again; changed, it is read from its start: what was packed doesn't grow in place."""
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"id\n1\n2\n"))
    first = read(tmp_path, "*.gz", incremental=True)[-1].position
    os.utime(path, (1, 1))
    assert read(tmp_path, "*.gz", first, incremental=True) == []
    path.write_bytes(gzip.compress(b"id\n1\n2\n3\n"))
    (again,) = read(tmp_path, "*.gz", first, incremental=True)
    assert again.frame["id"].to_list() == ["1", "2", "3"]


def test_a_member_that_was_replaced_is_noticed_on_resumption(tmp_path):
    """A run that stopped in a file goes on only if what it read of it is the same."""
    rows = b"".join(b"%d\n" % random.Random(n).getrandbits(60) for n in range(20_000))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id\n" + rows))
    first = next(source(tmp_path, "*.gz", block=1 << 16).read(None)).position
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id\n9" + rows[1:]))
    with pytest.raises(Invalid) as caught:
        read(tmp_path, "*.gz", first)
    assert caught.value.code == "SYN455"


def test_packing_can_be_declared(tmp_path):
    """A file whose ending says nothing, or the wrong thing, is read as it is declared."""
    (tmp_path / "export").write_bytes(gzip.compress(TEXT))
    assert read(tmp_path, "export", format="csv", packing="gzip")[0].frame.height == 5_000
    (tmp_path / "plain.csv.gz").write_bytes(TEXT)
    assert read(tmp_path, "plain.csv.gz", packing="none")[0].frame.height == 5_000


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.CSV.GZ", "csv"), ("x-*.ndjson.zst", "jsonl"), ("a.zip/b.parquet", "parquet"), ("a.zip", None), ("a.gz", None)],
)
def test_the_format_is_told_by_the_ending_under_the_packing(name, form):
    """`.csv.gz` is CSV; an archive alone says nothing."""
    assert format_by_name(name) == form
