"""Reserved folders at run time: what opens a path refuses Git's folder and Syncline's own, wherever links lead."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from syncline.connectors.file.destination import open_destination
from syncline.connectors.file.folder import matching, root_of
from syncline.connectors.sql.settings import SqliteSettings, settings
from syncline.connectors.sql.sqlite.database import SqliteDatabase
from syncline.model.errors import Invalid
from syncline.sdk.source import Instance
from tests.contract.sql_places import Spec

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A repository with Syncline's folder, Git's, a home elsewhere, and links into them."""
    for name in (".syncline/keys", ".git/hooks", "data", "state"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".syncline/keys/audit.pem").write_text("key")
    (tmp_path / "link").symlink_to(".syncline")
    (tmp_path / "data/a.csv").symlink_to(tmp_path / ".syncline/keys/audit.pem")
    return tmp_path


def instance(house: Path, **config: str) -> Instance:
    return Instance("x", Spec(), Spec(), config, house, home=house / "state")


@pytest.mark.parametrize("root", [".syncline", ".syncline/keys", ".git", "link/keys", "data/../.git/hooks", "state"])
def test_a_root_is_never_reserved(house: Path, root: str) -> None:
    """Neither reading nor writing starts in a reserved folder, by name, by a link or by an absolute path."""
    for written in (root, str(house / root)):
        with pytest.raises(Invalid, match="reserved"):
            root_of(instance(house, root=written))
        with pytest.raises(Invalid, match="reserved"):
            open_destination(instance(house, root=f"{written}/new"))
    assert not list(house.rglob("new"))


def test_a_file_is_never_reserved(house: Path) -> None:
    """A link inside a root doesn't lead to a key, nor a pattern to a home that is elsewhere in it."""
    (house / "state/key.pem").write_text("key")
    with pytest.raises(Invalid, match="leads out"):
        matching(house / "data", "*.csv")
    for pattern in ("data/*.csv", "state/*.pem"):
        with pytest.raises(Invalid) as caught:
            matching(house, pattern, house / "state")
        assert caught.value.code == "SYN218"


@pytest.mark.parametrize("path", [".syncline/state.db", "link/state.db", ".git/x.db", "state/state.db"])
def test_a_database_is_never_reserved(house: Path, path: str) -> None:
    """SQLite opens no file in a reserved folder."""
    with pytest.raises(Invalid) as caught:
        settings(instance(house, path=path))

    assert caught.value.code == "SYN218"


def test_a_repository_may_lie_in_such_a_folder(tmp_path: Path) -> None:
    """What counts is the path inside the repository."""
    root = tmp_path / ".git" / "worktree"
    root.mkdir(parents=True)

    assert root_of(instance(root)) == root
    assert settings(instance(root, path="a.db")) == SqliteSettings(root / "a.db")


def modes(root: Path) -> dict[str, str]:
    """Permissions of everything under a folder."""
    return {p.relative_to(root).as_posix(): f"{stat.S_IMODE(p.stat().st_mode):o}" for p in sorted(root.rglob("*"))}


def test_a_new_database_is_its_owners(tmp_path: Path) -> None:
    """A database and its folders are made for their owner only; a file that is there keeps its permissions."""
    database = SqliteDatabase(SqliteSettings(tmp_path / "a/b/c.db"))
    with database.transaction():
        database.execute("CREATE TABLE t (x)")
    found = modes(tmp_path)
    database.close()
    (tmp_path / "shared.db").touch(0o644)
    SqliteDatabase(SqliteSettings(tmp_path / "shared.db")).close()

    assert found == {"a": "700", "a/b": "700", "a/b/c.db": "600", "a/b/c.db-shm": "600", "a/b/c.db-wal": "600"}
    assert modes(tmp_path)["shared.db"] == "644"
