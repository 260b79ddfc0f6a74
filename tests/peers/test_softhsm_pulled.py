"""
A token of SoftHSM 2 that goes away in the middle of things: its folder is taken away, its sessions are ended, its PIN is
another one. What needs a signature stops, nothing is written by half, and the same command goes on when it is back.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from syncline import workflow
from syncline.cli.main import main
from syncline.executor.progress import Silent
from syncline.hsm import _told
from syncline.model.errors import Stalled, SynclineError
from syncline.secrets.keys import key_file
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.rewrap import rotate, unfinished
from syncline.secrets.keys.ring import KeyRing
from syncline.settings import read_settings
from tests.e2e.house import FLOW, Scenario, build, customers, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from syncline.settings import Settings
    from tests.peers.systems.softhsm import SoftHsm

FILES, EACH = 5, 100  # each file is a batch


class Once(Silent):
    """Does something when the first batch of a run is committed, and waits after each for the log to be due."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act: Callable[[], object] | None = act

    def advanced(self, counts: object, done: float | None) -> None:
        """Once."""
        del counts, done
        act, self._act = self._act, None
        if act is not None:
            act()
        time.sleep(2.5)  # what a commit noted is due to be signed within a second: by now it was tried in vain


@pytest.fixture(params=["ed25519", "p256"])
def signing(request: pytest.FixtureRequest, hsm: SoftHsm, tmp_path: Path, monkeypatch) -> tuple[Settings, str]:
    """An applied repository with many rows to read, whose log and ring have their keys in a token; and its label."""
    label = f"pulled-{request.param}-{uuid4().hex[:8]}"
    hsm.token(label)
    data = customers(tmp_path, 1).parent
    for file in range(FILES):
        lines = (f"{n},Name {n},c{n}@example.com,1.00,1990-01-01" for n in range(file * EACH, (file + 1) * EACH))
        (data / f"customers{file}.csv").write_text("id,name,email,balance,born\n" + "\n".join(lines) + "\n")
    texts = Scenario("upsert").texts
    built = build(tmp_path, texts)
    environ = {**hsm.environ, "SYNCLINE_AUDIT_SIGNER": f"pkcs11:{label}/{request.param}"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    settings = replace(read_settings(tmp_path, environ), state_url=built.state_url, home=built.home)
    workflow.apply(settings)
    rotate(Where(settings.keys, settings.environ), f"pkcs11:{label}")
    return settings, label


def written(root: Path) -> list[list[object]]:
    """The rows at the destination."""
    return rows(root, Scenario("upsert")) or []


def lose_sessions(hsm: SoftHsm) -> None:
    """Ends all sessions of the process with the token, as its driver does when the device was reset."""
    import pkcs11

    pkcs11.lib(hsm.module).reinitialize()


# The library's own search complains of its session when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", ["pulled out", "another PIN"])
def test_in_the_middle_of_a_run(signing: tuple[Settings, str], hsm: SoftHsm, tmp_path: Path, how: str):
    """
    After a batch, no further one is committed without evidence: the run stops with the reason. What is there is a
    whole number of batches, the log verifies, and the next run brings the rest, each row once.
    """
    settings, label = signing

    def gone() -> None:
        if how == "pulled out":
            hsm.pull()
        else:
            _set_pin(hsm, label, "another-pin")
            lose_sessions(hsm)

    def back() -> None:
        if how == "pulled out":
            hsm.plug()
        else:
            _set_pin(hsm, label, hsm.pin)
            lose_sessions(hsm)  # SoftHSM reads a PIN when it starts

    try:
        with pytest.raises(SynclineError) as caught:
            workflow.run(settings, FLOW, progress=Once(gone))
    finally:
        back()

    assert caught.value.code == "SYN821"
    assert hsm.pin not in str(caught.value)
    before = written(tmp_path)
    assert 0 < len(before) < FILES * EACH
    assert main(["audit", "verify"]) == 0
    record = workflow.run(settings, FLOW, progress=Silent()).record
    after = written(tmp_path)
    assert len(after) == len({row[0] for row in after}) >= FILES * EACH
    assert record.counts.read == record.counts.written + record.counts.rejected + record.counts.skipped
    assert main(["audit", "verify"]) == 0


def _set_pin(hsm: SoftHsm, label: str, new: str) -> None:
    """Gives the token another user PIN, as its security officer would: by a process of its own."""
    script = (
        "import sys, pkcs11\n"
        "t = pkcs11.lib(sys.argv[1]).get_token(token_label=sys.argv[2])\n"
        "with t.open(rw=True, so_pin='12345678') as s: s.init_pin(sys.argv[3])\n"
    )
    command = [sys.executable, "-c", script, hsm.module, label, new]
    subprocess.run(command, env={**os.environ, **hsm.environ}, check=True, capture_output=True)


# The library's own search complains of its session when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_sessions_that_are_lost_are_opened_anew(signing: tuple[Settings, str], hsm: SoftHsm, tmp_path: Path):
    """Where the token is there and only its sessions are gone, the run goes on as if nothing had been."""
    settings, _ = signing

    workflow.run(settings, FLOW, progress=Once(lambda: lose_sessions(hsm)))

    assert len(written(tmp_path)) >= FILES * EACH
    assert main(["audit", "verify"]) == 0


def test_in_the_middle_of_a_rotation(signing: tuple[Settings, str], hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch):
    """
    Of the key-encryption key, after the first data key is wrapped anew: it stops, both keys are listed, and all opens
    again when the token is back; the next rotation ends it. Nothing is taken for lost meanwhile.
    """
    settings, _ = signing
    where = Where(settings.keys, settings.environ)
    ring = KeyRing.open(settings.keys, settings.environ)
    blobs = {tenant: ring.seal(tenant, b"x", "p") for tenant in ("acme", "beta", "gamma")}
    real = key_file.replace

    def replaced(path: Path, data: bytes) -> None:
        real(path, data)
        if path.parent.name == "tenants" and hsm.folder.exists() and any(hsm.folder.iterdir()):
            hsm.pull()

    with monkeypatch.context() as patched:
        patched.setattr(key_file, "replace", replaced)
        try:
            with pytest.raises(Stalled) as caught:
                rotate(where)
            with pytest.raises(Stalled):
                KeyRing.open(settings.keys, settings.environ).unseal("acme", blobs["acme"], "p")
        finally:
            hsm.plug()

    assert caught.value.code == "SYN821"
    assert unfinished(settings.keys)
    again = KeyRing.open(settings.keys, settings.environ)
    assert all(again.unseal(tenant, blob, "p") == b"x" for tenant, blob in blobs.items())
    assert rotate(where).resumed
    last = KeyRing.open(settings.keys, settings.environ)
    assert all(last.unseal(tenant, blob, "p") == b"x" for tenant, blob in blobs.items())


def test_in_the_middle_of_a_change_of_the_signer(signing: tuple[Settings, str], hsm: SoftHsm, capsys):
    """The token is gone when the log's key is to be changed: the log goes on with the key that it had, once it is back."""
    assert main(["audit", "key"]) == 0
    first = capsys.readouterr().out.strip()
    hsm.pull()
    try:
        code = main(["audit", "rotate"])
    finally:
        hsm.plug()
    said = capsys.readouterr().err

    assert code != 0
    assert "SYN821" in said
    assert main(["audit", "rotate"]) == 0
    assert main(["audit", "verify", "--key", first]) == 0


def test_a_locked_pin_is_told_of():
    """SoftHSM locks none, others do: the message says so, and who can mend it."""
    from pkcs11 import exceptions

    error = _told("t", exceptions.PinLocked())
    assert (error.code, "its PIN is locked" in error.message, "security officer" in error.help) == (
        "SYN821",
        True,
        True,
    )
