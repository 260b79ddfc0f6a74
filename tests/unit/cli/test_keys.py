from __future__ import annotations

import json
import subprocess

import pytest

from syncline.cli.main import main
from syncline.secrets.keys.ring import KeyRing
from tests.docs.house import house
from tests.e2e.house import audit_events


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A house whose flow was applied; the command line is in it."""
    monkeypatch.chdir(tmp_path)
    return house(tmp_path)


def listed(capsys) -> dict:
    capsys.readouterr()
    assert main(["keys", "list", "-o", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_rotation_leaves_evidence(settings, capsys):
    """The new key wraps, the list says so, and the log has its beginning and its end by name."""
    KeyRing.open(settings.keys).seal("acme", b"x", "p")
    before = listed(capsys)
    assert main(["keys", "rotate"]) == 0
    after = listed(capsys)

    assert [kek["place"] for kek in before["keks"]] == ["file:kek"]
    assert len(after["keks"]) == 1
    assert {key["kek"] for key in after["data"]} == {after["keks"][0]["id"]} != {before["keks"][0]["id"]}
    rotations = [e for e in audit_events(settings) if e["metadata"]["event_code"] == "key.rotate"]
    assert [e["unmapped"]["details"]["phase"] for e in rotations] == ["begin", "end"]
    assert main(["audit", "verify"]) == 0


def test_a_key_is_destroyed_only_on_purpose(settings, capsys):
    """Without --yes nothing happens; with it the key is gone, once, and the log says so."""
    KeyRing.open(settings.keys).seal("acme", b"x", "p")
    assert main(["keys", "destroy", "acme"]) == 2
    assert [key["tenant"] for key in listed(capsys)["data"]] == ["acme"]
    assert main(["keys", "destroy", "acme", "--yes"]) == 0
    assert listed(capsys)["data"] == []
    assert main(["keys", "destroy", "acme", "--yes"]) == 0
    assert "has no data key" in capsys.readouterr().out
    assert sum(e["metadata"]["event_code"] == "key.destroy" for e in audit_events(settings)) == 1


def test_a_place_that_cannot_be_is_a_finding(settings, capsys):
    """No traceback: the code, and which places there are."""
    assert main(["keys", "rotate", "--to", "clouds"]) == 1
    said = capsys.readouterr().err
    assert "SYN824" in said
    assert "pkcs11:TOKEN" in said
    assert len(listed(capsys)["keks"]) == 1


def test_doctor_tells_of_the_ring(settings, capsys):
    """Where the key is that wraps; and, while a rotation isn't finished, what to do."""
    capsys.readouterr()
    assert main(["doctor"]) == 0
    assert "file:kek wraps 0 data keys" in capsys.readouterr().out
    KeyRing.open(settings.keys).seal("acme", b"x", "p")
    path = settings.keys / "tenants" / "acme.key"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert main(["keys", "rotate"]) == 1
    capsys.readouterr()
    assert main(["doctor"]) == 1
    assert "a rotation isn't finished" in capsys.readouterr().out


def test_doctor_tells_who_else_has_the_keys(settings, capsys):
    """A folder that others may enter, one that Git would take along, and one that it has; ignored, all is well."""

    def said() -> tuple[int, str]:
        capsys.readouterr()
        code = main(["doctor"])
        return code, capsys.readouterr().out

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=settings.root, check=True, capture_output=True)

    assert said()[0] == 0
    settings.keys.chmod(0o750)
    code, text = said()
    assert code == 1
    assert "keys can be read by others" in text
    settings.keys.chmod(0o700)

    git("init", "-q")
    (settings.root / ".gitignore").unlink(missing_ok=True)
    code, text = said()
    assert code == 1
    assert "a Git repository that doesn't ignore it" in text
    git("add", "-A")
    code, text = said()
    assert code == 1
    assert "Git has keys" in text
    git("rm", "-r", "-q", "--cached", ".syncline")
    (settings.root / ".gitignore").write_text(".syncline/\n")
    assert said()[0] == 0


def test_the_shared_key_is_not_destroyed(settings, capsys):
    """An empty tenant, as of an unset variable in a script, is a mistake of usage, and the key stays."""
    KeyRing.open(settings.keys).seal("", b"x", "p")
    assert main(["keys", "destroy", "", "--yes"]) == 2
    assert [key["tenant"] for key in listed(capsys)["data"]] == [""]
