"""What the wheel holds, shown on a copy of the repository's build files with a small catalogue."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
BUILD_FILES = (".gitignore", "LICENSE", "README.md", "pyproject.toml", "tools/wheel_catalog.py")
FOLDERS = ("integrations", "mappings", "policies", "examples")


@pytest.fixture
def source(tmp_path):
    """A source tree with one file in each catalogue folder."""
    for name in (*BUILD_FILES, "engine/syncline/__init__.py"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, target)
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.yaml").write_text("kind: Example\n")
    return tmp_path


def build(source: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    return subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)


def names_in_wheel(source: Path) -> set[str]:
    build(source).check_returncode()
    (wheel,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_ships_the_catalog(source):
    """Each catalogue folder is in the wheel, as `syncline/catalog/<folder>`."""
    assert {f"syncline/catalog/{folder}/one.yaml" for folder in FOLDERS} <= names_in_wheel(source)


def test_wheel_leaves_local_state_out(source):
    """What Git ignores stays out of the wheel: the state that running an example leaves, keys included."""
    state = source / "examples" / "demo" / ".syncline"
    state.mkdir(parents=True)
    (state / "signing.key").write_text("not for anyone else")

    assert not [name for name in names_in_wheel(source) if ".syncline" in name]


def test_missing_catalog_folder_fails_the_build(source):
    """A wheel without its policies can't be built by accident."""
    shutil.rmtree(source / "policies")

    result = build(source)

    assert result.returncode != 0
    assert "policies has no files to ship" in result.stderr
