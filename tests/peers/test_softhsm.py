"""Keys in a token of SoftHSM 2."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace as replace_of
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from syncline import privacy
from syncline.audit.log_signer import open_signer
from syncline.audit.note import EcdsaKey, read_verifier
from syncline.cli.main import main
from syncline.model.errors import Invalid, Stalled
from syncline.model.secret import Secret
from syncline.reconciler.keys import rotate_keys
from syncline.secrets.contract import Context, Reference
from syncline.secrets.keys.kek_where import Where
from syncline.secrets.keys.rewrap import rotate
from syncline.secrets.keys.ring import KeyRing
from syncline.secrets.provider import resolve
from syncline.secrets.window import accepted, finish, replace
from syncline.settings import read_settings
from tests.docs.house import house
from tests.e2e.house import Scenario
from tests.e2e.subjects import ADA, lived_in
from tests.e2e.test_privacy_backups import blobs, unreadable

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.settings import Settings
    from tests.peers.systems.softhsm import SoftHsm


def test_the_key_encryption_key_is_in_the_token(hsm: SoftHsm, tmp_path: Path):
    """A ring is moved into a token and rotated there; what was sealed opens, and the former keys are gone."""
    hsm.token("ring")
    folder = tmp_path / "keys"
    blob = KeyRing.open(folder).seal("acme", b"plain", "p")

    moved = rotate(Where(folder, hsm.environ), "pkcs11:ring")
    again = rotate(Where(folder, hsm.environ))

    assert not (folder / "kek").exists()
    assert moved.entry.place != again.entry.place
    ring = KeyRing.open(folder, hsm.environ)
    assert ring.unseal("acme", blob, "p") == b"plain"
    path = folder / "tenants/acme.key"
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(Stalled, match="damaged"):
            ring.envelope("acme")
    path.write_bytes(good)
    rotate(Where(folder, hsm.environ), "file")
    assert KeyRing.open(folder).unseal("acme", blob, "p") == b"plain"


def test_without_the_token_nothing_is_sealed(hsm: SoftHsm, tmp_path: Path):
    """Pulled out, with a wrong PIN, or never told of: a clear error each; plugged in again, it goes on."""
    hsm.token("gone")
    folder = tmp_path / "keys"
    blob = KeyRing.open(folder).seal("acme", b"plain", "p")
    rotate(Where(folder, hsm.environ), "pkcs11:gone")
    with pytest.raises(Stalled, match="SYNCLINE_PKCS11_MODULE is not set"):
        KeyRing.open(folder)
    with pytest.raises(Stalled, match="the PIN is wrong"):
        KeyRing.open(folder, {**hsm.environ, "SYNCLINE_PKCS11_PIN": "wrong-pin"})

    hsm.pull()
    try:
        with pytest.raises(Stalled, match="it isn't there|it has no such key|has 0 keys|it refused") as caught:
            KeyRing.open(folder, hsm.environ).unseal("acme", blob, "p")
    finally:
        hsm.plug()

    assert caught.value.code == "SYN821"
    assert hsm.pin not in str(caught.value)
    assert KeyRing.open(folder, hsm.environ).unseal("acme", blob, "p") == b"plain"


def test_a_secret_is_kept_in_the_token(hsm: SoftHsm, tmp_path: Path):
    """Written as a private object, read, replaced with a window, and gone when it is finished."""
    hsm.token("secrets")
    where, reference = Context(tmp_path, hsm.environ), Reference("pkcs11", "secrets/crm")
    with pytest.raises(Stalled) as caught:
        resolve(reference, where)
    assert caught.value.code == "SYN801"

    replace(reference, Secret("one"), where)
    replace(reference, Secret('{"a": "two"}'), where)

    assert [secret.reveal() for secret in accepted(reference, where)] == ['{"a": "two"}', "one"]
    assert resolve(Reference("pkcs11", "secrets/crm", "a"), where).reveal() == "two"
    assert finish(reference, where)
    assert len(accepted(reference, where)) == 1


# --- the audit log's key ----------------------------------------------------------------------------------------------

FLOW = "acme/Import/customers"


@pytest.fixture(params=["ed25519", "p256"])
def signing(request: pytest.FixtureRequest, hsm: SoftHsm, tmp_path: Path, monkeypatch) -> Settings:
    """A repository, not applied yet, whose audit log is to be signed in a token of this algorithm."""
    label = f"audit-{request.param}-{uuid4().hex[:8]}"
    hsm.token(label)
    house(tmp_path, applied=False)
    for name, value in {**hsm.environ, "SYNCLINE_AUDIT_SIGNER": f"pkcs11:{label}/{request.param}"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return read_settings(tmp_path, {**hsm.environ})


def test_the_log_is_signed_in_the_token(signing: Settings, tmp_path: Path, capsys, request):
    """No key is in a file; the log verifies here and, as a bundle, by the verifier that knows nothing of Syncline."""
    assert main(["apply", "--yes"]) == 0
    assert main(["run", FLOW]) == 0
    assert not (signing.keys / "audit.pem").exists()
    assert "PRIVATE" not in (signing.keys / "audit.hsm.json").read_text()
    capsys.readouterr()
    assert main(["audit", "verify", "-o", "json"]) == 0
    key = json.loads(capsys.readouterr().out)["key"]
    assert isinstance(read_verifier(key), EcdsaKey) == ("p256" in request.node.name)

    assert main(["audit", "export", "--out", "bundle.zip"]) == 0
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        bundle.extractall(tmp_path / "bundle")
    script = next((tmp_path / "bundle").rglob("verify.py"))
    command = [sys.executable, str(script), str(script.parent), "--key", key]
    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0
    checkpoint = next((tmp_path / "bundle").rglob("checkpoint"))
    text = checkpoint.read_text()
    checkpoint.write_text(text[:-8] + ("A" if text[-8] != "A" else "B") + text[-7:])
    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 1


def test_without_the_token_nothing_is_done(signing: Settings, hsm: SoftHsm, capsys):
    """Pulled out, neither an apply nor a run begins; put back, both go on, and the log is whole."""
    assert main(["apply", "--yes"]) == 0
    assert main(["run", FLOW]) == 0
    before = runs(capsys)

    hsm.pull()
    try:
        codes = [main(["run", FLOW]), main(["apply", "--yes"]), main(["audit", "verify"])]
        said = capsys.readouterr().err
        assert runs(capsys) == before
    finally:
        hsm.plug()

    assert codes[:2] == [1, 1]
    assert codes[2] == 0  # whoever reads needs no token
    assert "SYN821" in said
    assert hsm.pin not in said
    assert main(["run", FLOW]) == 0
    assert len(runs(capsys)) == len(before) + 1
    assert main(["audit", "verify"]) == 0


def runs(capsys) -> list:
    capsys.readouterr()
    assert main(["runs", "list", "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_key_of_the_log_is_changed_in_the_token_and_out_of_it(
    signing: Settings, hsm: SoftHsm, monkeypatch, tmp_path: Path, capsys
):
    """
    To another algorithm, to the same again, into a file and back: the log verifies with the first key, and of a key
    that was changed nothing is left in the token.
    """
    assert main(["apply", "--yes"]) == 0
    capsys.readouterr()
    assert main(["audit", "key"]) == 0
    first = capsys.readouterr().out.strip()
    token = json.loads((signing.keys / "audit.hsm.json").read_text())["token"]
    other = "pkcs11:{}/{}".format(token, "ed25519" if "p256" in token else "p256")

    for place in (other, ""):
        former = json.loads((signing.keys / "audit.hsm.json").read_text())["key"]
        assert main(["audit", "rotate", *(["--to", place] if place else [])]) == 0
        assert labels(hsm, token) == {json.loads((signing.keys / "audit.hsm.json").read_text())["key"]} != {former}
    before = labels(hsm, token)
    assert main(["audit", "rotate", "--to", "file"]) != 0  # the variable demands the token
    assert labels(hsm, token) == before
    assert main(["run", FLOW]) == 0
    monkeypatch.delenv("SYNCLINE_AUDIT_SIGNER")
    for place in ("file", other):
        assert main(["audit", "rotate", "--to", place]) == 0
        assert (signing.keys / "audit.pem").exists() == (place == "file")
        assert len(labels(hsm, token)) == (place != "file")
    assert main(["run", FLOW]) == 0

    assert main(["audit", "verify", "--key", first]) == 0
    assert main(["audit", "export", "--out", "bundle.zip"]) == 0
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        bundle.extractall(tmp_path / "bundle")
    command = [sys.executable, str(tmp_path / "bundle" / "verify.py"), "--key", first]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "5 keys one after the other" in done.stdout) == (0, True)


def labels(hsm: SoftHsm, token: str) -> set[str]:
    """The keys that are in a token."""
    from pkcs11 import Attribute

    from syncline import hsm as tokens

    return tokens.token(token, hsm.environ).use(
        lambda session: {found[Attribute.LABEL] for found in session.get_objects()}
    )


def test_another_key_cannot_go_on_with_a_log(signing: Settings, hsm: SoftHsm, capsys):
    """A token that was made anew under the same label has another key, or none: refused, and nothing is signed by it."""
    assert main(["apply", "--yes"]) == 0
    pointer = signing.keys / "audit.hsm.json"
    found = json.loads(pointer.read_text())
    hsm.token("other")
    pointer.write_text(json.dumps({**found, "token": "other"}))

    assert main(["run", FLOW]) == 1

    assert "SYN821" in capsys.readouterr().err


def test_a_log_that_a_file_signs_stays_so(hsm: SoftHsm, tmp_path: Path, monkeypatch, capsys):
    """Asking for a token afterwards is refused: only a rotation changes the key."""
    house(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, value in {**hsm.environ, "SYNCLINE_AUDIT_SIGNER": "pkcs11:any/p256"}.items():
        monkeypatch.setenv(name, value)

    assert main(["run", FLOW]) == 1
    assert "syncline audit rotate" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["hsm", "pkcs11:", "pkcs11:token/rsa", "file:audit.pem"])
def test_a_place_that_is_none_is_refused(tmp_path: Path, place: str):
    """Misspelt, no key is made anywhere."""
    settings = read_settings(tmp_path, {"SYNCLINE_AUDIT_SIGNER": place})
    with pytest.raises(Invalid) as caught:
        open_signer(settings, "syncline/test")
    assert caught.value.code == "SYN830"
    assert not settings.keys.exists()


# --- erasure and backups ----------------------------------------------------------------------------------------------


def test_a_whole_backup_has_nothing_of_who_was_erased(hsm: SoftHsm, tmp_path: Path):
    """
    With the key-encryption key in the token: all that there is, state and keys, is copied; somebody is erased; the copy
    is used as it is, with the same token and PIN, and put over what there is. Either way the rejects say that they were
    destroyed; the rest of the copy opens. Another run's rejects are sealed and read as before.
    """
    token = f"erasing-{uuid4().hex[:8]}"
    hsm.token(token)
    settings = lived_in(tmp_path / "live", Scenario("upsert"))
    rotate_keys(replace_of(settings, environ=hsm.environ), f"pkcs11:{token}")
    settings = replace_of(settings, environ=hsm.environ)
    kept = blobs(settings)
    other = KeyRing.open(settings.keys, hsm.environ).seal("acme", b"of the tenant", "p")
    assert unreadable(settings, kept) == [""]
    shutil.copytree(tmp_path / "live", tmp_path / "copy")
    copied = replace_of(read_settings(tmp_path / "copy", {}), environ=hsm.environ)
    assert unreadable(copied, kept) == [""]

    assert privacy.erase(settings, "acme", ADA, lambda _: None).complete

    assert unreadable(copied, kept) == ["SYN823"]
    assert KeyRing.open(copied.keys, hsm.environ).unseal("acme", other, "p") == b"of the tenant"
    assert unreadable(settings, blobs(settings)) == [""]
    shutil.copytree(copied.keys, settings.keys, dirs_exist_ok=True)
    assert unreadable(settings, kept) == ["SYN823"]


def test_without_the_token_nobody_is_erased_by_half(hsm: SoftHsm, tmp_path: Path):
    """Pulled out, an erasure stops with a clear error and isn't finished; put back, the same command finishes it."""
    token = f"erasing-{uuid4().hex[:8]}"
    hsm.token(token)
    settings = replace_of(lived_in(tmp_path, Scenario("upsert")), environ=hsm.environ)
    rotate_keys(settings, f"pkcs11:{token}")
    hsm.pull()
    try:
        with pytest.raises(Stalled) as caught:
            privacy.erase(settings, "acme", ADA, lambda _: None)
    finally:
        hsm.plug()

    assert caught.value.code == "SYN821"
    assert not [request for request in privacy.listed(settings, "acme", 9) if request.finished]
    assert privacy.erase(settings, "acme", ADA, lambda _: None).complete
