"""Writing single values into SOPS files. That the real sops reads them is in `tests/peers/test_sops.py`."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # the wheel has no stubs
import pytest

from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.secrets import sops, sops_write
from syncline.secrets.contract import Context, Reference
from syncline.secrets.provider import resolve, writer
from syncline.secrets.sops_tree import SopsError
from tests.unit.audit.dying import Dies, dying


@pytest.fixture(params=["enc.yaml", "enc.json"])
def file(request: pytest.FixtureRequest, shared: Path) -> Path:
    """A file that sops 3.11 made."""
    return shared / "vectors/sops/generated" / request.param


@pytest.fixture
def identity(file: Path) -> list[Secret]:
    """The identity that it is for."""
    text = (file.parent / "age-test-key.txt").read_text()
    return [Secret(line) for line in text.splitlines() if line.startswith("AGE")]


def shown(data: bytes, identity: list[Secret], file: Path) -> dict:
    def plain(tree):
        match tree:
            case dict():
                return {name: plain(item) for name, item in tree.items()}
            case list():
                return [plain(item) for item in tree]
            case Secret():
                return tree.reveal()
            case _:
                return None

    return plain(sops.decrypt(data, identity, is_json=file.suffix == ".json"))


@pytest.mark.parametrize("path", ["db.user", "db.fresh", "list.0", "list.1.b", "new.deep.er", "empty", "on"])
@pytest.mark.parametrize("value", ["x", "q: 'a' #\n", "žluť 🔑", "ENC[AES256_GCM,data:,iv:,tag:,type:str]"])
def test_a_value_is_written_and_all_others_stay(file: Path, identity: list[Secret], path: str, value: str) -> None:
    """One that was there, one that is new, in a list, of any text: it is what is read, and nothing else is another."""
    data, is_json = file.read_bytes(), file.suffix == ".json"
    before = shown(data, identity, file)

    made = sops_write.put(data, identity, path.split("."), Secret(value), is_json=is_json)

    after = shown(made, identity, file)
    at, steps = after, path.split(".")
    for step in steps[:-1]:
        at = at[int(step)] if isinstance(at, list) else at[step]
    found = at.pop(int(steps[-1])) if isinstance(at, list) else at.pop(steps[-1])
    assert found == value
    at = before
    for step in steps[:-1]:
        at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
    if isinstance(at, list):
        at.pop(int(steps[-1]))
    else:
        at.pop(steps[-1], None)
    assert after == before
    assert sops.recipients(made, is_json=is_json) == sops.recipients(data, is_json=is_json)
    if value.isascii():
        assert value == "x" or value.encode() not in made


def test_of_a_yaml_file_only_what_changes_is_written(shared: Path) -> None:
    """Three lines differ: the value, the time and the MAC; the data key and comments are byte for byte the same."""
    file = shared / "vectors/sops/generated/enc.yaml"
    identity = [Secret(line) for line in (file.parent / "age-test-key.txt").read_text().splitlines() if "AGE" in line]
    data = file.read_bytes()

    made = sops_write.put(data, identity, ["db", "user"], Secret("new"), is_json=False)

    lines = list(zip(data.splitlines(), made.splitlines(), strict=True))
    assert len([1 for old, new in lines if old != new]) == 3


def test_removed_again_the_values_are_as_before(file: Path, identity: list[Secret]) -> None:
    """What was added and removed leaves the same values, under a MAC that is right."""
    data, is_json = file.read_bytes(), file.suffix == ".json"
    inside = "a" if is_json else "db"
    made = sops_write.put(data, identity, [inside, "more"], Secret("x"), is_json=is_json)

    made = sops_write.remove(made, identity, [inside, "more"], is_json=is_json)

    assert shown(made, identity, file) == shown(data, identity, file)
    assert sops_write.remove(made, identity, ["db", "none"], is_json=is_json)


def test_a_place_where_nothing_can_be_written_is_refused(file: Path, identity: list[Secret]) -> None:
    """The metadata, what the rules leave in the clear, what has parts, and what is inside a value or beyond a list."""
    is_json = file.suffix == ".json"
    there = [["a"], ["a", "b", "0", "x"], ["a", "b", "9"]] if is_json else [["db"], ["db", "user", "x"], ["list", "9"]]
    for path in ([], ["sops", "mac"], ["x_unencrypted"], *there):
        with pytest.raises(SopsError):
            sops_write.put(file.read_bytes(), identity, path, Secret("x"), is_json=is_json)


def test_a_file_that_was_changed_is_not_written_to(file: Path, identity: list[Secret]) -> None:
    """A flipped byte of a value, and a file for others, are refused before anything is sealed: no MAC hides it."""
    data, is_json = file.read_bytes(), file.suffix == ".json"
    at = data.index(b"data:") + 6
    changed = data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :]
    stranger = [Secret(str(pyrage.x25519.Identity.generate()))]

    for found, keys in ((changed, identity), (data, stranger), (data, [])):
        with pytest.raises(SopsError):
            sops_write.put(found, keys, ["db", "user"], Secret("x"), is_json=is_json)


def test_no_byte_of_what_is_written_can_change(file: Path, identity: list[Secret]) -> None:
    """Each flipped byte of a value or the MAC is refused when the file is read."""
    is_json = file.suffix == ".json"
    made = sops_write.put(file.read_bytes(), identity, ["db", "user"], Secret("value"), is_json=is_json)
    start = made.index(b"ENC[", made.index(b"user"))
    for at in range(start, made.index(b"]", start)):
        for other in (made[at] ^ 1, made[at] + 1, made[at] - 1):
            with pytest.raises(SopsError):
                sops.decrypt(made[:at] + bytes([other]) + made[at + 1 :], identity, is_json=is_json)


def test_a_kill_leaves_the_old_file_or_the_new_one(shared: Path, tmp_path: Path, monkeypatch) -> None:
    """Dying at any system call of a write, the file is read as before or as after, with the mode that it had."""
    generated = shared / "vectors/sops/generated"
    context = Context(tmp_path, {"SOPS_AGE_KEY": (generated / "age-test-key.txt").read_text()})
    file, reference, at, died = tmp_path / "secrets.sops.yaml", Reference("sops", "db.user"), 0, True
    while died:
        at += 1
        shutil.copy(generated / "enc.yaml", file)
        file.chmod(0o640)
        calls = [0]
        with monkeypatch.context() as patch, suppress(Dies, Stalled):
            dying(patch, calls, at)
            writer(reference, context).put(reference, Secret("new"))
        died = calls[0] >= at
        assert resolve(reference, context).reveal() in ({"adm", "new"} if died else {"new"})
        assert file.stat().st_mode & 0o777 == 0o640
    assert at > 2


def test_the_name_of_what_is_written_is_on_disk_too(shared: Path, tmp_path: Path, monkeypatch) -> None:
    """After the rename the folder is synced: a loss of power can't bring the former value back."""
    generated = shared / "vectors/sops/generated"
    context = Context(tmp_path, {"SOPS_AGE_KEY": (generated / "age-test-key.txt").read_text()})
    file, synced, real = tmp_path / "secrets.sops.yaml", [], os.fsync
    shutil.copy(generated / "enc.yaml", file)
    before = file.stat().st_ino

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            synced.append(file.stat().st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    writer(Reference("sops", "db.user"), context).put(Reference("sops", "db.user"), Secret("new"))

    assert synced == [file.stat().st_ino] != [before]
