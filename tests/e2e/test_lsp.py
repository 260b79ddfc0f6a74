"""The editor's findings: those of `syncline validate`, by the real server, with a client of the protocol."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types

from syncline.cli.main import main
from syncline.manifests.files import names
from syncline.manifests.scaffold import write as scaffold
from tests.editor import editing
from tests.repository import CUSTOMERS, edited, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.editor import Editor

HOUSE = Path(__file__).parents[2]
#: What is forbidden in the example: a customer's address goes abroad.
NEWSLETTER = HOUSE / "examples/demo/pull-request/acme-newsletter.yaml"
#: Characters that UTF-16 has as two, before what is wrong in a line.
SMILING = edited("mapping.yaml", "- {to: name, from: name}", '- {to: name, from: name, description: "😀😀", checks: 1}')
WORDS = ("message", "expected", "suggestion", "help", "subject")


def forbidden(root: Path) -> None:
    """The demo with the flow of its pull request."""
    shutil.copytree(HOUSE / "examples/demo/config", root)
    shutil.copy(NEWSLETTER, root)


def leaking(root: Path) -> None:
    """A repository of Git in which a file that is no manifest has a secret, and whose manifests are good."""
    write(root, CUSTOMERS)
    (root / "env.sh").write_text("export API_TOKEN=" + "q8Zr2LmX0vTy" + "7KdP4wNb\n")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)


def copied(folder: str) -> Callable[[Path], Any]:
    return lambda root: shutil.copytree(HOUSE / folder, root)


REPOSITORIES: dict[str, Callable[[Path], Any]] = {
    "the demo": copied("examples/demo/config"),
    "the demo's forbidden flow": forbidden,
    "files on servers": copied("examples/files-on-servers"),
    "environments, patches and variables full of mistakes": copied("tests/golden/overlays"),
    "manifests full of mistakes": copied("tests/golden/manifests"),
    "connectors of peers": copied("tests/peers/connectors"),
    "what init writes": scaffold,
    "characters beyond the basic plane": lambda root: write(root, SMILING),
    "a reference to nothing": lambda root: write(
        root, edited("import.yaml", "mapping: customer,", "mapping: costumer,")
    ),
    "a secret in another file": leaking,
}


def validated(root: Path, capsys, monkeypatch) -> list[dict[str, Any]]:
    """The findings that `syncline validate -o json` writes in a folder."""
    monkeypatch.chdir(root)
    main(["validate", "-o", "json"])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["findings"]
    return found


def expected(root: Path, findings: list[dict[str, Any]], at: Path | None = None) -> list[Any]:
    """Findings of `validate` in a folder in the protocol's terms, as if they were of the one `at` another place."""

    def within(place: dict[str, Any]) -> Any:
        text = (root / place["file"]).read_bytes().decode("utf-8-sig")
        lines = [*text.replace("\r\n", "\n").split("\n"), ""]

        def position(line: int, column: int) -> tuple[int, int]:
            return line - 1, len(lines[line - 1][: column - 1].encode("utf-16-le")) // 2

        end = (place["end_line"], place["end_column"]) if place["end_line"] else (place["line"], 10**6)
        return ((at or root) / place["file"]).as_uri(), position(place["line"], place["column"]), position(*end)

    return sorted(
        [
            (
                within(found["place"]),
                found["code"],
                found["severity"],
                {name: found[name] for name in WORDS},
                [(within(related["place"]), related["message"]) for related in found["related"]],
            )
            for found in findings
        ],
        key=repr,
    )


def shown(editor: Editor) -> list[Any]:
    """What the editor shows, in the same form."""
    severities: dict[int, str] = {1: "error", 2: "warning", 3: "note"}

    def within(uri: str, found: types.Range) -> Any:
        return uri, (found.start.line, found.start.character), (found.end.line, found.end.character)

    return sorted(
        [
            (
                within(uri, found.range),
                found.code,
                severities[found.severity or 0],
                {name: found.data[name] for name in WORDS},
                [
                    (within(other.location.uri, other.location.range), other.message)
                    for other in found.related_information or ()
                ],
            )
            for uri, findings in editor.shown.items()
            for found in findings
        ],
        key=repr,
    )


@pytest.mark.parametrize("make", REPOSITORIES.values(), ids=REPOSITORIES)
def test_an_editor_shows_what_validate_says(make, tmp_path, capsys, monkeypatch):
    """The same codes at the same places with the same words, in every file of the repository, and nothing else."""
    root = tmp_path / "config"
    make(root)
    name = names(root)[0]

    async def look() -> list[Any]:
        async with editing(root) as editor:
            editor.open(name)
            await editor.settled(name, 1)
            return shown(editor)

    found = validated(root, capsys, monkeypatch)

    assert asyncio.run(look()) == expected(root, found)


def test_the_fixtures_have_something_to_say(tmp_path, capsys, monkeypatch):
    """Among what is compared are a denied flow of classified data, a secret in another file, and suggestions."""
    codes, suggestions = set(), 0
    for number, make in enumerate(REPOSITORIES.values()):
        make(tmp_path / str(number))
        found = validated(tmp_path / str(number), capsys, monkeypatch)
        codes |= {one["code"] for one in found}
        suggestions += sum(bool(one["suggestion"]) for one in found)

    assert {"SYN501", "SYN831", "SYN221"} <= codes
    assert suggestions > 5
    assert len(codes) > 30


def test_what_is_not_saved_counts(tmp_path, capsys, monkeypatch):
    """What is typed is judged as if it were saved, with findings in files that aren't open; closing takes it back."""
    root, saved = tmp_path / "config", tmp_path / "saved"
    abroad = edited("files.yaml", "region: eu-west, config: {path", "region: us-east, config: {path")
    renamed = edited("mapping.yaml", "name: customer,", "name: customers,", abroad)
    write(root, CUSTOMERS)
    write(saved, renamed)
    found = validated(saved, capsys, monkeypatch)

    async def look() -> None:
        async with editing(root) as editor:
            editor.open("mapping.yaml")
            assert await editor.settled("mapping.yaml", 1) == []
            editor.change("mapping.yaml", renamed["mapping.yaml"], 2)
            await editor.settled("mapping.yaml", 2)

            assert editor.codes("import.yaml") == ["SYN221"]

            editor.open("files.yaml", renamed["files.yaml"], 7)
            await editor.settled("files.yaml", 7)

            assert shown(editor) == expected(saved, found, at=root)

            editor.change("mapping.yaml", CUSTOMERS["mapping.yaml"], 3)
            await editor.settled("mapping.yaml", 3)

            assert editor.codes("mapping.yaml") == ["SYN501"]
            assert editor.codes("import.yaml") == []

            editor.close("files.yaml")
            await editor.until("mapping.yaml", 3, clean=True)

            assert shown(editor) == []
            assert (root / "mapping.yaml").read_text() == CUSTOMERS["mapping.yaml"]

    asyncio.run(look())


def test_a_file_that_is_not_on_disk_yet_counts(tmp_path):
    """A new file belongs to the repository from its first letter; other YAML and other folders don't."""
    files = {name: text for name, text in CUSTOMERS.items() if name != "mapping.yaml"}
    write(tmp_path / "config", files)

    async def look() -> None:
        async with editing(tmp_path / "config") as editor:
            editor.open("import.yaml")
            await editor.settled("import.yaml", 1)

            assert editor.codes("import.yaml") == ["SYN221"]

            editor.open("../mapping.yaml", CUSTOMERS["mapping.yaml"])
            editor.open(".drafts/mapping.yaml", CUSTOMERS["mapping.yaml"])
            editor.open("new/mapping.yaml", CUSTOMERS["mapping.yaml"], 4)
            await editor.settled("new/mapping.yaml", 4)

            assert editor.codes("import.yaml") == []

    asyncio.run(look())


def test_folders_may_have_any_name(tmp_path):
    """What is typed counts, and is answered, also where URIs write the folder otherwise than it is."""
    root = tmp_path / "für alle #1, 100%20"
    write(root, CUSTOMERS)

    async def look() -> None:
        async with editing(root) as editor:
            editor.open("import.yaml", CUSTOMERS["import.yaml"].replace("mapping: customer,", "mapping: nobody,"), 3)
            await editor.settled("import.yaml", 3)
            place = types.HoverParams(types.TextDocumentIdentifier(editor.uri("import.yaml")), types.Position(1, 8))

            assert editor.codes("import.yaml") == ["SYN221"]
            assert await editor.text_document_hover_async(place) is not None

    asyncio.run(look())


def test_a_folder_that_is_a_link_is_named_as_it_was_opened(tmp_path):
    """Findings in files that aren't open, and ways to them, are where the editor has them."""
    write(tmp_path / "config", CUSTOMERS)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "config")

    async def look() -> None:
        async with editing(link) as editor:
            editor.open("mapping.yaml", CUSTOMERS["mapping.yaml"].replace("name: customer,", "name: customers,"))
            await editor.settled("mapping.yaml", 1)
            place = types.Position(2, CUSTOMERS["mapping.yaml"].splitlines()[2].index("acme") + 2)
            asked = types.DefinitionParams(types.TextDocumentIdentifier(editor.uri("mapping.yaml")), place)
            found = await editor.text_document_definition_async(asked)

            assert editor.codes("import.yaml") == ["SYN221"]
            assert {uri for uri, shown in editor.shown.items() if shown} == {editor.uri("import.yaml")}
            assert isinstance(found, types.Location)
            assert found.uri == editor.uri("tenant.yaml")

    asyncio.run(look())


def test_what_is_no_file_keeps_nothing_from_being_checked(tmp_path):
    """A buffer without a name, and a name that no file can have: files that are typed into later are checked as before."""
    write(tmp_path, CUSTOMERS)

    async def look() -> None:
        async with editing(tmp_path) as editor:
            for uri in ("untitled:Untitled-1", "file:///half/\ud800/a.yaml"):
                document = types.TextDocumentItem(uri, "yaml", 1, CUSTOMERS["tenant.yaml"])
                editor.text_document_did_open(types.DidOpenTextDocumentParams(document))
            editor.open("import.yaml")
            assert await editor.settled("import.yaml", 1) == []
            editor.change("import.yaml", CUSTOMERS["import.yaml"] + "nothing", 2)
            await editor.settled("import.yaml", 2)

            assert editor.codes("import.yaml") == ["SYN104"]
            assert editor.messages == []

    asyncio.run(look())


def test_what_fails_is_told_by_its_kind(tmp_path):
    """An editor that changes what it hasn't opened is told so without the words of the error, and is served on."""
    write(tmp_path, CUSTOMERS)

    async def look() -> None:
        async with editing(tmp_path) as editor:
            editor.change("import.yaml", "secret", 2)
            await editor.until_told()
            editor.open("tenant.yaml")

            assert await editor.settled("tenant.yaml", 1) == []
            assert editor.messages == ["SYN999: KeyError. This is a defect in Syncline: please report it."]

    asyncio.run(look())


def test_what_was_saved_while_nothing_could_be_checked_is_looked_at_later(tmp_path):
    """A secret in another file is shown when its repository can be checked again."""
    leaking(tmp_path)
    leak = (tmp_path / "env.sh").read_text()
    (tmp_path / "env.sh").write_text("")
    spec = "apiVersion: syncline/v1\nkind: Environments\nspec:\n  environments: {production: {}}\n"
    write(tmp_path, {"environments.yaml": spec})

    async def look() -> None:
        async with editing(tmp_path, environ={"SYNCLINE_ENVIRONMENT": "production"}) as editor:
            editor.open("environments.yaml")
            await editor.settled("environments.yaml", 1)
            (tmp_path / "env.sh").write_text(leak)
            editor.change("environments.yaml", spec.replace("production", "staging"), 2)
            saved = types.FileEvent(editor.uri("env.sh"), types.FileChangeType.Changed)
            editor.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([saved]))
            await editor.until_told()
            editor.change("environments.yaml", spec, 3)
            await editor.settled("environments.yaml", 3)

            assert editor.codes("env.sh") == ["SYN831"]

    asyncio.run(look())


def test_environments_are_checked_in_each(tmp_path, capsys, monkeypatch):
    """What is typed into environments.yaml changes what all others say, in each environment that there is then."""
    root, saved = tmp_path / "config", tmp_path / "saved"
    shutil.copytree(HOUSE / "tests/golden/overlays", root)
    shutil.copytree(HOUSE / "tests/golden/overlays", saved)
    text = (
        (root / "environments.yaml").read_text().replace("    staging: {values: {place: test-data, rejects: 7}}\n", "")
    )
    (saved / "environments.yaml").write_text(text)
    found = validated(saved, capsys, monkeypatch)

    async def look() -> list[Any]:
        async with editing(root) as editor:
            editor.open("environments.yaml")
            await editor.settled("environments.yaml", 1)
            before = shown(editor)
            editor.change("environments.yaml", text, 2)
            await editor.settled("environments.yaml", 2)

            assert shown(editor) != before
            return shown(editor)

    assert asyncio.run(look()) == expected(saved, found, at=root)


def test_what_others_change_on_disk_is_seen_when_the_client_tells(tmp_path):
    """A pull of Git changes files that aren't open: the client is asked to tell of it, and findings are as of then."""
    write(tmp_path, CUSTOMERS)

    async def look() -> None:
        async with editing(tmp_path) as editor:
            editor.open("tenant.yaml")
            await editor.settled("tenant.yaml", 1)

            assert editor.registered == [types.WORKSPACE_DID_CHANGE_WATCHED_FILES]

            (tmp_path / "mapping.yaml").unlink()
            gone = types.FileEvent(editor.uri("mapping.yaml"), types.FileChangeType.Deleted)
            editor.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([gone]))
            await editor.until("import.yaml")

            assert editor.codes("import.yaml") == ["SYN221"]

    asyncio.run(look())


def test_input_is_bounded(tmp_path):
    """A text of more than 1 MiB, one nested without end and one of aliases of aliases are findings, and the server stays."""
    write(tmp_path, CUSTOMERS)
    aliases = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    texts = {
        "SYN102": "# syncline/\n" + "x" * 2**20,
        "SYN105": "# syncline/\na: " + "[" * 10_000,
        "SYN109": "# syncline/\n" + aliases,
    }

    async def look() -> None:
        async with editing(tmp_path) as editor:
            for version, (code, text) in enumerate(texts.items(), 1):
                editor.open("big.yaml", text, version)
                await editor.settled("big.yaml", version)

                assert editor.codes("big.yaml") == [code]

    asyncio.run(look())


def test_nothing_of_the_repository_is_run(tmp_path):
    """Git is asked which files it has; what the repository's own configuration would have it start doesn't start."""
    root = tmp_path / "config"
    leaking(root)
    trap = root / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    subprocess.run(["git", "config", "core.fsmonitor", str(trap)], cwd=root, check=True)

    async def look() -> None:
        async with editing(root) as editor:
            editor.open("tenant.yaml")
            await editor.settled("tenant.yaml", 1)

            assert editor.codes("env.sh") == ["SYN831"]

    asyncio.run(look())

    assert not (tmp_path / "sprung").exists()
    subprocess.run(["git", "status"], cwd=root, check=True, capture_output=True)
    assert (tmp_path / "sprung").exists()  # the trap is one


def test_a_folder_without_the_environment_is_told_once(tmp_path):
    """What keeps everything from being checked is a message with its code, not one for each key that is pressed."""
    write(tmp_path, CUSTOMERS)

    async def look() -> None:
        async with editing(tmp_path, environ={"SYNCLINE_ENVIRONMENT": "production"}) as editor:
            editor.open("tenant.yaml")
            await editor.until_told()
            editor.change("tenant.yaml", CUSTOMERS["tenant.yaml"] + "\n", 2)
            editor.close("tenant.yaml")
            await asyncio.sleep(1)

            assert [message[:7] for message in editor.messages] == ["SYN280:"]

    asyncio.run(look())
