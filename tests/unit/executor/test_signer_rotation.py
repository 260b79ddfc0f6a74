"""Rotation of the key that signs the audit log, of a home, and what a kill leaves of it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from syncline import workflow
from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.log_signer import FILE, NEXT_FILE, VARIABLE, load_signer, log_verifier, next_key
from syncline.audit.note import VerifierKey
from syncline.audit.signer import FileSigner
from syncline.audit.verify import verify
from syncline.executor.services.facilities import open_facilities
from syncline.executor.services.signer_rotation import unfinished
from syncline.model.errors import Invalid, Stalled
from syncline.model.event import Action
from syncline.settings import Settings, read_settings
from tests.unit.audit.dying import Dies, dying


def home(root: Path) -> Settings:
    return read_settings(root, {"SYNCLINE_ACTOR": "tests"})


def record(settings: Settings) -> None:
    with open_facilities(settings) as facilities:
        facilities.recorder.record([facilities.recorder.event(Action.audit_export, what="test")])


def verified(settings: Settings, key: VerifierKey) -> int:
    """How many entries the log has, as whoever trusts a key verifies them."""
    found = verify(DirectoryFetcher(settings.audit), key.name, [key])
    assert found.findings == ()
    return found.checkpoint.size


def test_another_key_signs_and_the_former_is_gone(tmp_path: Path):
    """The log verifies with either key, the former's file is no more, and what was sealed or noted goes on."""
    settings = home(tmp_path)
    record(settings)
    first, former = log_verifier(settings), (settings.keys / FILE).read_bytes()

    done = workflow.rotate_audit_key(settings)
    record(settings)

    assert (done.verifier, done.place, done.resumed) == (log_verifier(settings), "file", False)
    assert done.verifier != first
    assert verified(settings, first) == verified(settings, done.verifier) == 4
    assert not any(path.read_bytes() == former for path in settings.keys.iterdir() if path.is_file())
    assert not unfinished(settings)


def test_who_has_the_log_open_meanwhile_goes_on(tmp_path: Path):
    """As a daemon does: events before and after a rotation by another are all there, signed as they must be."""
    settings = home(tmp_path)
    with open_facilities(settings) as facilities:
        first = log_verifier(settings)
        for _ in range(3):
            facilities.recorder.record([facilities.recorder.event(Action.audit_export, what="before")])
            workflow.rotate_audit_key(settings)
        facilities.recorder.record([facilities.recorder.event(Action.audit_export, what="after")])

    assert verified(settings, first) == 8


def test_a_kill_at_any_system_call_leaves_a_log_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """
    Dying before each call that changes a disk, and halfway a write: the log verifies with the first key and takes
    events, and the next rotation finishes what was begun.
    """
    (tmp_path / "home").mkdir()
    record(home(tmp_path / "home"))
    first, at, deaths, resumed = log_verifier(home(tmp_path / "home")), 0, 0, 0
    while True:
        at += 1
        root = tmp_path / f"copy{at}"
        shutil.copytree(tmp_path / "home", root)
        settings = home(root)
        calls = [0]
        with monkeypatch.context() as patch, suppress(Dies, Stalled):
            dying(patch, calls, at)
            workflow.rotate_audit_key(settings)
        died = calls[0] >= at
        deaths += died

        record(settings)
        assert load_signer(settings).verifier == log_verifier(settings)
        size = verified(settings, first)
        changed = log_verifier(settings) != first
        if died:
            done = workflow.rotate_audit_key(settings)
            resumed += done.resumed
            record(settings)
            assert verified(settings, first) >= size + 1
            assert log_verifier(settings) == done.verifier
            assert changed or done.verifier != first
        assert not unfinished(settings)
        assert sorted(path.name for path in settings.keys.glob("audit*")) == [FILE]
        shutil.rmtree(root)
        if not died:
            break
    assert deaths > 20
    assert resumed > 10


def test_a_place_that_is_none_changes_nothing(tmp_path: Path):
    """A place that isn't known is refused, and so is a token that can't be reached; the log goes on as before."""
    settings = home(tmp_path)
    record(settings)
    first = log_verifier(settings)

    with pytest.raises(Invalid) as caught:
        workflow.rotate_audit_key(settings, "vault:transit/audit")
    assert caught.value.code == "SYN830"
    with pytest.raises(Stalled):
        workflow.rotate_audit_key(settings, "pkcs11:none/ed25519")

    record(settings)
    assert log_verifier(settings) == first
    assert not (settings.keys / NEXT_FILE).exists()
    assert workflow.rotate_audit_key(settings, "file").verifier != first


def test_the_variable_says_how_to_move_the_key(tmp_path: Path):
    """Where the environment asks for a key in an HSM and the log has one in a file, the help names the rotation."""
    settings = home(tmp_path)
    record(settings)

    with pytest.raises(Stalled) as caught:
        load_signer(read_settings(tmp_path, {VARIABLE: "pkcs11:token/ed25519"}))

    assert "audit rotate" in (caught.value.help or "")


def test_no_key_in_a_file_is_made_where_the_environment_demands_an_hsm(tmp_path: Path):
    """It would be the last entry of the log: every write after it would be refused. So nothing is made."""
    settings = read_settings(tmp_path, {VARIABLE: "pkcs11:token/ed25519"})

    with pytest.raises(Invalid) as caught:
        next_key(settings, "file", "origin")

    assert caught.value.code == "SYN830"
    assert not (settings.keys / NEXT_FILE).exists()


def test_a_rotation_that_goes_on_says_that_another_place_did_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Finishing one that was begun to a file, `--to pkcs11:…` is told to have had no effect."""
    from syncline.cli.main import main

    settings = home(tmp_path)
    record(settings)
    FileSigner.create(settings.keys / NEXT_FILE, log_verifier(settings).name)
    monkeypatch.chdir(tmp_path)

    assert main(["audit", "rotate", "--to", "pkcs11:token/ed25519"]) == 0

    said = capsys.readouterr().out
    assert "It had begun to file, so --to pkcs11:token/ed25519 did nothing" in said
