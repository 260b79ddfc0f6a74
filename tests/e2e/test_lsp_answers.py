"""What an editor is answered: hover, completion, definition, formatting and quick fixes, by the real server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

from lsprotocol import types

from syncline.manifests.explain import explain_code, explain_path
from syncline.manifests.format import fmt
from tests.editor import editing
from tests.repository import CUSTOMERS, edited, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.editor import Editor

MISSPELT = edited("import.yaml", "mapping: customer,", "mapping: custommer,")
#: A line with a character that UTF-16 has as two, before a name.
SMILING = 'kind: Import\napiVersion: syncline/v1\nmetadata: {annotations: {note: "😀"}, name: more,   tenant: acme}\n'
SMILING += "spec: {from: crm/customers, mapping: customer, to: warehouse/more, write: upsert}\n"


def at(editor: Editor, name: str, line: int, character: int) -> types.TextDocumentPositionParams:
    return types.TextDocumentPositionParams(
        types.TextDocumentIdentifier(editor.uri(name)), types.Position(line, character)
    )


async def hovered(editor: Editor, name: str, line: int, character: int) -> str:
    place = at(editor, name, line, character)
    found = await editor.text_document_hover_async(types.HoverParams(place.text_document, place.position))
    if found is None:
        return ""
    assert isinstance(found.contents, types.MarkupContent)
    return found.contents.value


def applied(text: str, edits: Sequence[types.TextEdit]) -> str:
    """A text after edits of whole lines or within one line, counted in units of UTF-16."""
    for edit in edits:
        lines = text.splitlines(keepends=True)

        def offset(position: types.Position, lines: list[str] = lines) -> int:
            line = lines[position.line].encode("utf-16-le") if position.line < len(lines) else b""
            return len("".join(lines[: position.line])) + len(line[: position.character * 2].decode("utf-16-le"))

        text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
    return text


def test_hover_says_what_explain_says(tmp_path):
    """Of a field its description, of a kind its summary, of a finding its code's meaning and remedy."""
    write(tmp_path, MISSPELT)

    async def look() -> None:
        async with editing(tmp_path) as editor:
            editor.open("import.yaml")
            await editor.settled("import.yaml", 1)
            line = MISSPELT["import.yaml"].splitlines()[3]

            assert explain_path("Import").title in await hovered(editor, "import.yaml", 1, 8)
            write_ = await hovered(editor, "import.yaml", 3, line.index("write"))
            assert explain_path("Import.write").description in write_
            assert "upsert" in write_
            wrong = await hovered(editor, "import.yaml", 3, line.index("custommer"))
            assert explain_path("Import.mapping").description in wrong
            assert explain_code("SYN221").meaning in wrong
            assert explain_code("SYN221").remedy in wrong

    asyncio.run(look())


def test_a_misspelt_name_is_put_right_by_a_quick_fix(tmp_path):
    """What a finding suggests is offered where the finding is, and nowhere else; applied, it is good."""
    write(tmp_path, MISSPELT)
    text = MISSPELT["import.yaml"]

    async def look() -> None:
        async with editing(tmp_path) as editor:

            async def offered(line: int, character: int) -> list[types.CodeAction]:
                position = types.Position(line, character)
                asked = types.CodeActionParams(
                    types.TextDocumentIdentifier(editor.uri("import.yaml")),
                    types.Range(position, position),
                    types.CodeActionContext([]),
                )
                return [
                    a
                    for a in await editor.text_document_code_action_async(asked) or []
                    if isinstance(a, types.CodeAction)
                ]

            editor.open("import.yaml")
            shown = await editor.settled("import.yaml", 1)
            (action,) = await offered(3, text.splitlines()[3].index("custommer") + 2)

            assert await offered(0, 0) == []
            assert action.title == "Replace by customer"
            assert list(action.diagnostics or ()) == shown
            assert action.edit is not None
            fixed = applied(text, (action.edit.changes or {})[editor.uri("import.yaml")])
            assert fixed == CUSTOMERS["import.yaml"]

            editor.change("import.yaml", fixed, 2)
            assert await offered(3, text.splitlines()[3].index("custommer") + 2) == []
            assert await editor.settled("import.yaml", 2) == []

    asyncio.run(look())


def test_names_lead_to_their_declarations(tmp_path):
    """In a file that isn't saved, to places in files as they stand in the editor, and to what is shipped."""
    write(tmp_path, CUSTOMERS)
    lines = SMILING.splitlines()

    async def look() -> None:
        async with editing(tmp_path) as editor:

            async def led(name: str, line: int, character: int) -> tuple[str, int, int] | None:
                place = at(editor, name, line, character)
                found = await editor.text_document_definition_async(
                    types.DefinitionParams(place.text_document, place.position)
                )
                if not isinstance(found, types.Location):
                    return None
                return found.uri, found.range.start.line, found.range.start.character

            editor.open("mapping.yaml", "# moved down\n" + CUSTOMERS["mapping.yaml"])
            editor.open("more.yaml", SMILING, 2)
            editor.open("files.yaml")
            await editor.settled("more.yaml", 2)
            tenant = len(lines[2][: lines[2].index("acme")].encode("utf-16-le")) // 2

            assert await led("more.yaml", 3, lines[3].index("customer,")) == (editor.uri("mapping.yaml"), 3, 17)
            assert await led("more.yaml", 3, lines[3].index("crm/")) == (editor.uri("files.yaml"), 7, 12)
            assert await led("more.yaml", 2, tenant) == (editor.uri("tenant.yaml"), 2, 17)
            assert await led("more.yaml", 2, tenant + 4) == (editor.uri("tenant.yaml"), 2, 17)
            assert await led("more.yaml", 3, lines[3].index("upsert")) is None
            connector = await led("files.yaml", 4, 14)
            assert connector is not None
            assert connector[0].endswith("integrations/file.yaml")

    asyncio.run(look())


def test_completion_writes_whole_fields_and_names(tmp_path):
    """In the middle of a line with characters beyond the basic plane; required fields come first."""
    write(tmp_path, CUSTOMERS)
    text = SMILING.replace("mapping: customer, ", "ma, ")
    line = text.splitlines()[3]

    async def look() -> None:
        async with editing(tmp_path) as editor:

            async def items(name: str, row: int, character: int) -> dict[str, types.CompletionItem]:
                place = at(editor, name, row, character)
                found = await editor.text_document_completion_async(
                    types.CompletionParams(place.text_document, place.position)
                )
                listed = found.items if isinstance(found, types.CompletionList) else found or []
                return {item.label: item for item in sorted(listed, key=lambda item: item.sort_text or "")}

            editor.open("more.yaml", text)
            await editor.settled("more.yaml", 1)
            cursor = line.index("ma") + 2
            found = await items("more.yaml", 3, cursor)

            assert next(iter(found)) == "mapping"
            assert found["mapping"].detail == "text, required"
            edit = found["mapping"].text_edit
            assert isinstance(edit, types.TextEdit)
            assert applied(text, [edit]) == text.replace(" ma,", " mapping: ,")

            editor.change("more.yaml", SMILING.replace("mapping: customer,", "mapping: ,"), 2)
            place = SMILING.splitlines()[3].index("mapping: ") + len("mapping: ")
            assert set(await items("more.yaml", 3, place)) == {"customer"}

    asyncio.run(look())


def test_formatting_is_what_fmt_writes(tmp_path):
    """The edits lead to the same text; one that can't be read is left alone, and so is what isn't ours."""
    write(tmp_path, CUSTOMERS)

    async def look() -> None:
        async with editing(tmp_path) as editor:

            async def edits(name: str) -> Sequence[types.TextEdit] | None:
                return await editor.text_document_formatting_async(
                    types.DocumentFormattingParams(
                        types.TextDocumentIdentifier(editor.uri(name)), types.FormattingOptions(2, True)
                    )
                )

            editor.open("more.yaml", SMILING)
            editor.open("broken.yaml", SMILING + "a: [")
            editor.open("other.yaml", "services:\n    web:    {}\n")
            found = await edits("more.yaml")

            assert found
            assert applied(SMILING, found) == fmt(SMILING)
            assert fmt(SMILING) != SMILING
            assert not await edits("other.yaml")
            assert await edits("broken.yaml") is None
            assert [message[:21] for message in editor.messages] == ["Not formatted: SYN104"]

    asyncio.run(look())


def test_columns_are_in_the_units_that_were_agreed_on(tmp_path):
    """A client that counts bytes of UTF-8 is told bytes."""
    text = 'apiVersion: syncline/v1\nkind: Tenant\nmetadata: {annotations: {note: "😀"}, nam: x}\nspec: {}\n'
    write(tmp_path, {"x.yaml": text})
    columns = {}

    async def look(encoding: types.PositionEncodingKind) -> None:
        async with editing(tmp_path, encodings=[encoding]) as editor:
            editor.open("x.yaml")
            columns[encoding] = {found.range.start.character for found in await editor.settled("x.yaml", 1)}

    for encoding in (types.PositionEncodingKind.Utf8, types.PositionEncodingKind.Utf16):
        asyncio.run(look(encoding))

    assert columns == {types.PositionEncodingKind.Utf8: {40}, types.PositionEncodingKind.Utf16: {38}}


def test_without_the_extra_it_says_what_to_install(tmp_path):
    """As other extras do: a code, one line, and what to do, instead of a traceback."""
    code = "import sys; sys.modules['pygls'] = None; from syncline.cli.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", code, "lsp"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert "SYN920" in done.stderr
    assert "pip install 'syncline[editor]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_ends_quietly_where_nobody_hears_it(tmp_path):
    """An editor that dies while it is answered: the server ends, without a traceback in anybody's log."""
    asked = b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"processId": null, "capabilities": {}}}'
    server = subprocess.Popen(
        [sys.executable, "-m", "syncline", "lsp"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert server.stdout is not None
    server.stdout.close()
    _, said = server.communicate(b"Content-Length: %d\r\n\r\n%s" % (len(asked), asked), timeout=60)

    assert server.returncode == 1
    assert said == b""


def test_it_ends_with_its_editor(tmp_path):
    """An editor that dies closes the pipe: the server doesn't stay behind."""
    done = subprocess.run(
        [sys.executable, "-m", "syncline", "lsp"], cwd=tmp_path, input=b"", capture_output=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
