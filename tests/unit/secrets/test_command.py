"""Secrets that a listed program prints. The programs are real ones."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import pytest

from syncline.model.errors import Invalid, Stalled
from syncline.secrets import command
from syncline.secrets.contract import Context, Reference
from syncline.secrets.provider import check, resolve

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-77d1"


def listing(tmp_path: Path, mode: int = 0o600, **commands: object) -> Context:
    """A context whose operator lists these programs."""
    file = tmp_path / "commands.json"
    file.write_text(json.dumps(commands))
    file.chmod(mode)
    return Context(tmp_path, {command.LIST: str(file), "PATH": "/usr/bin:/bin", "TOKEN": CANARY})


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_listed_program_is_run_without_a_shell(tmp_path: Path):
    """Its first line is the secret, the argument is one argument whatever is in it, a part of JSON can be picked."""
    where = listing(
        tmp_path,
        echo=["/bin/echo", "-n", "{key}"],
        lines=python("print('first'); print('second')"),
        doc=python('print(\'{"a": {"b": 1.50}}\')'),
    )

    assert resolve(Reference("exec", "echo/crm/a b"), where).reveal() == "crm/a b"
    assert resolve(Reference("exec", "lines"), where).reveal() == "first"
    assert resolve(Reference("exec", "doc", "a.b"), where).reveal() == "1.50"
    assert check(Reference("exec", "lines"), where) is None


def test_a_program_sees_no_environment_and_no_input(tmp_path: Path):
    """Only PATH, HOME and LANG are passed on: other secrets in the environment aren't."""
    where = listing(tmp_path, env=python("import os, sys; print(sorted(os.environ), sys.stdin.read())"))

    said = resolve(Reference("exec", "env"), where).reveal()

    assert "TOKEN" not in said
    assert "PATH" in said


@pytest.mark.parametrize(
    ("key", "code", "message"),
    [
        ("nothing", "SYN826", "no program is listed as 'nothing'"),
        ("fails", "SYN827", "exit code 3"),
        ("absent", "SYN827", "can't be run"),
        ("floods", "SYN827", "more than 65536 bytes"),
        ("silent", "SYN801", "printed nothing"),
        ("binary", "SYN803", "not UTF-8"),
        ("echo/--version", "SYN804", "characters"),
        ("echo/$(id)", "SYN804", "characters"),
        ("echo/a;b", "SYN804", "characters"),
        ("echo/../x", "SYN804", "characters"),
        ("echo", "SYN804", "takes an argument"),
        ("silent/x", "SYN804", "takes no argument"),
    ],
)
def test_what_is_not_to_be_had_says_why(tmp_path: Path, key: str, code: str, message: str):
    """Not listed, failing, absent, endless, silent, not text, or with an argument that might be an option or a command."""
    where = listing(
        tmp_path,
        echo=["/bin/echo", "{key}"],
        fails=python(f"import sys; print('{CANARY}'); sys.exit(3)"),
        absent=["/nowhere/program"],
        floods=python("while True: print('x' * 1000)"),
        silent=["/bin/true"],
        binary=python("import sys; sys.stdout.buffer.write(b'\\xff')"),
    )

    with pytest.raises((Stalled, Invalid), match=message) as caught:
        resolve(Reference("exec", key), where)

    assert caught.value.code == code
    assert CANARY not in str(caught.value)


def test_a_program_that_hangs_is_ended_with_what_it_started(tmp_path: Path, monkeypatch):
    """After its time the whole group of processes is killed."""
    monkeypatch.setattr(command, "SECONDS", 1.0)
    alive = tmp_path / "alive"
    where = listing(tmp_path, hangs=["/bin/sh", "-c", f"(sleep 4; touch {alive}) & sleep 60"])
    begun = time.monotonic()

    with pytest.raises(Stalled, match="within 1 s"):
        resolve(Reference("exec", "hangs"), where)

    assert time.monotonic() - begun < 3
    time.sleep(max(0.0, begun + 5 - time.monotonic()))
    assert not alive.exists()


def test_the_list_is_the_operators_alone(tmp_path: Path):
    """No list, one that others can write, that is none, or that names programs by less than a full path: nothing runs."""
    reference = Reference("exec", "echo")
    with pytest.raises(Stalled, match="is not set"):
        resolve(reference, Context(tmp_path, {}))
    for mode, program, message in (
        (0o666, ["/bin/echo"], "written by others"),
        (0o620, ["/bin/echo"], "written by others"),
        (0o600, ["echo"], "full path"),
        (0o600, "/bin/echo x", "full path"),
    ):
        with pytest.raises(Stalled, match=message) as caught:
            resolve(reference, listing(tmp_path, mode, echo=program))
        assert caught.value.code == "SYN826"
