"""A configuration repository to run commands in, and a way to run them as a shell would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from syncline.cli.main import main
from syncline.manifests.scaffold import write

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


class Shell:
    """Runs command lines in the current folder."""

    def __call__(self, *args: object, stdin: str = "") -> Ended:
        with CliRunner().isolation(input=stdin) as (out, err, _):
            code = main([str(arg) for arg in args])
            return Ended(code, out.getvalue().decode(), err.getvalue().decode())


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Command lines, in an environment without settings of ours."""
    for name in ("SYNCLINE_ROOT", "SYNCLINE_STATE", "SYNCLINE_HOME", "SYNCLINE_DEBUG", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SYNCLINE_ACTOR", "tester")
    return Shell()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example repository that `init` writes, as the current folder."""
    folder = tmp_path / "config"
    write(folder)
    monkeypatch.chdir(folder)
    return folder
