"""Which files of an editor are the repository's, by their URIs."""

from __future__ import annotations

import pytest
from lsprotocol import types

from syncline.editor.repository import Repository
from syncline.editor.server import Server
from syncline.settings import read_settings
from tests.repository import CUSTOMERS, write


def repository(root):
    write(root, CUSTOMERS)
    return Repository(read_settings(root, {}))


@pytest.mark.parametrize("name", ["a.yaml", "mit Leerzeichen.yaml", "über/100%/#1?.yaml", "%20.yaml"])
def test_a_name_comes_back_from_its_uri(name, tmp_path):
    """Whatever a URI has to write otherwise."""
    at = repository(tmp_path / "ä %41")

    assert at.name_of(at.uri_of(name)) == name


def test_a_uri_may_write_more_otherwise_than_it_has_to(tmp_path):
    """Editors differ in what they quote: Visual Studio Code quotes the colon after a drive."""
    at = repository(tmp_path)

    assert at.name_of(tmp_path.as_uri() + "/%61%3a%C3%BC.yaml") == "a:ü.yaml"


@pytest.mark.parametrize(
    "uri",
    [
        "untitled:Untitled-1",
        "git:/a.yaml?HEAD",
        "file://",
        "file://[x/a.yaml",
        "file:///a%00.yaml",
        f"file:///{'x' * 5000}/a.yaml",
        "",
    ],
)
def test_what_names_no_file_of_the_repository_is_none(uri, tmp_path):
    """Buffers without a file, and what is no URI."""
    assert repository(tmp_path).name_of(uri) is None


def test_characters_that_no_path_has_are_in_none(tmp_path):
    """Half a surrogate pair, which JSON can carry."""
    assert repository(tmp_path).name_of(f"{tmp_path.as_uri()}/\ud800.yaml") is None


def test_links_in_a_circle_lead_to_no_file(tmp_path):
    """They aren't followed without end."""
    (tmp_path / "circle").symlink_to(tmp_path / "circle")

    assert repository(tmp_path).name_of(f"{tmp_path.as_uri()}/circle/a.yaml") in {None, "circle/a.yaml"}


def test_a_folder_that_is_a_link_is_the_one_that_it_leads_to(tmp_path):
    """An editor that has opened the link has the same files."""
    at = repository(tmp_path / "config")
    (tmp_path / "link").symlink_to(tmp_path / "config")

    assert at.name_of(f"{tmp_path.as_uri()}/link/import.yaml") == "import.yaml"


def test_without_a_folder_there_is_no_repository(tmp_path, monkeypatch):
    """A file that is opened alone doesn't have its editor's current folder checked, which may be all of the disk."""
    monkeypatch.chdir(tmp_path)
    alone = types.InitializeParams(types.ClientCapabilities())
    server, given = Server(lambda root: read_settings(root, {}), None), Server(lambda r: read_settings(r, {}), tmp_path)
    server.begin(alone)
    given.begin(alone)

    assert server.repository is None
    assert given.repository is not None
