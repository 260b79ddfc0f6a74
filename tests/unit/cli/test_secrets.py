from __future__ import annotations

import io
import json

import pytest

from syncline.cli.main import main
from tests import repository
from tests.docs.house import house
from tests.e2e.api import helpdesk
from tests.e2e.house import audit_events, settings_of

CANARY = "canary-5d20"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with an API whose token is in a file; the command line is in it."""
    monkeypatch.chdir(tmp_path)
    auth = "{type: bearer, token: {secretRef: {provider: file, key: keys/token}}}"
    repository.write(tmp_path, helpdesk("http://127.0.0.1:1", auth=auth))
    (tmp_path / "keys").mkdir()
    return tmp_path


def said(capsys, *args: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["secrets", *args])
    found = capsys.readouterr()
    return code, found.out + found.err


def test_a_secret_is_listed_checked_set_and_rotated(root, capsys, monkeypatch):
    """From missing to in place to replaced; what is said never has a value in it."""
    assert said(capsys, "list")[1].count("file:keys/token") == 1
    code, text = said(capsys, "check")
    assert (code, "SYN801" in text) == (1, True)

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{CANARY}\n"))
    texts = [said(capsys, "set", "file:keys/token")]
    assert (root / "keys/token").read_text() == CANARY
    texts.append(said(capsys, "check", "-o", "json"))
    assert json.loads(texts[-1][1])[0]["ok"]
    texts.append(said(capsys, "rotate", "file:keys/token", "--generate"))
    assert (root / "keys/token.former").read_text() == CANARY
    new = (root / "keys/token").read_text()
    assert len(new) == 64
    texts.append(said(capsys, "rotate", "file:keys/token", "--finish"))
    assert not (root / "keys/token.former").exists()

    assert [code for code, _ in texts] == [0, 0, 0, 0]
    assert not any(CANARY in text or new in text for _, text in texts)


def test_what_cannot_be_written_is_a_finding(root, capsys, monkeypatch):
    """A code and what to do, no traceback; nothing on standard input is a mistake of usage."""
    code, text = said(capsys, "set", "env:TOKEN", "--generate")
    assert (code, "SYN828" in text) == (1, True)
    code, text = said(capsys, "set", "file:no/folder/token", "--generate")
    assert (code, "SYN802" in text) == (1, True)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert said(capsys, "set", "file:keys/token")[0] == 2
    assert said(capsys, "set", CANARY, "--generate")[1].count(CANARY) == 0


def test_a_house_without_secrets_says_so(tmp_path, monkeypatch, capsys):
    """There is nothing to check, which is no error."""
    monkeypatch.chdir(tmp_path)
    house(tmp_path, applied=False)
    assert said(capsys, "check")[0] == 0


def test_each_change_and_use_leaves_evidence(root, capsys):
    """Set, replaced, ended, refused, checked: the log has reference, tenant, beginning and outcome, and no value."""
    assert said(capsys, "set", "file:keys/token", "--tenant", "acme", "--generate")[0] == 0
    old = (root / "keys/token").read_text()
    assert said(capsys, "rotate", "file:keys/token", "--tenant", "acme", "--generate")[0] == 0
    assert said(capsys, "rotate", "file:keys/token", "--tenant", "acme", "--generate")[0] == 1
    assert said(capsys, "rotate", "file:keys/token", "--tenant", "acme", "--finish")[0] == 0
    assert said(capsys, "check")[0] == 0

    events = [e for e in audit_events(settings_of(root)) if e["metadata"]["event_code"].startswith("secret.")]
    details = [e["unmapped"]["details"] for e in events]
    assert {e["metadata"]["tenant_uid"] for e in events} == {"acme"}
    assert {d["secret"] for d in details} == {"file:keys/token"}
    told = [
        (e["metadata"]["event_code"], d.get("step"), d.get("phase"), d.get("code"))
        for e, d in zip(events, details, strict=True)
    ]
    assert told == [
        ("secret.set", "set", "begin", ""),
        ("secret.set", "set", "end", ""),
        ("secret.rotate", "replace", "begin", ""),
        ("secret.rotate", "replace", "end", ""),
        ("secret.rotate", "replace", "begin", ""),
        ("secret.rotate", "replace", "end", "SYN829"),
        ("secret.rotate", "finish", "begin", ""),
        ("secret.rotate", "finish", "end", ""),
        ("secret.use", None, None, None),
    ]
    assert old not in json.dumps(events)
