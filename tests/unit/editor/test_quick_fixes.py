"""Quick fixes: each does away with its finding, and what isn't wrong stays."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syncline.cli.main import main
from syncline.editor import answers
from syncline.editor.positions import Positions
from syncline.editor.repository import Repository
from syncline.settings import read_settings
from tests.repository import edited, write

if TYPE_CHECKING:
    from lsprotocol import types

GOLDEN = Path(__file__).parents[2] / "golden"
#: Mistakes in a word of a longer text, which all have a suggestion.
PARTS = {
    "a function beside an escape": edited("mapping.yaml", "from: name}", 'from: "lowr(name) \\u0020"}'),
    "a function in lines": edited("mapping.yaml", "from: name}", "from: lowr(\n    name)}"),
}


def offered(at: Positions, name: str, repository: Repository, checked) -> list[types.CodeAction]:
    return answers.actions(at, "x", at.between(0, len(at.content)), checked.of(name), repository)


@pytest.mark.parametrize(("folder", "least"), [("manifests", 15), ("overlays", 3)])
def test_every_quick_fix_does_away_with_its_finding(folder, least, tmp_path):
    """Applied alone, in each file of repositories full of mistakes, and what could be read still can."""
    shutil.copytree(GOLDEN / folder, tmp_path / "config")
    repository = Repository(read_settings(tmp_path / "config", {}))
    checked, seen = repository.check(), 0
    for name in checked.findings:
        at = Positions(repository.text(name))
        before = [(found.code, found.message) for found in checked.of(name)]
        for action in offered(at, name, repository, checked):
            assert action.edit is not None
            ((edit,),) = (action.edit.changes or {}).values()
            begin, end = at.offset(edit.range.start), at.offset(edit.range.end)
            text = at.content[:begin] + edit.new_text + at.content[end:]
            after = [(found.code, found.message) for found in repository.check({name: text}, saved=False).of(name)]
            (shown,) = action.diagnostics or ()
            finding = next(one for one in before if one == (shown.code, (shown.data or {})["message"]))
            seen += 1

            assert after.count(finding) < before.count(finding), (name, action.title)
            assert {code for code, _ in after} & {"SYN104"} <= {code for code, _ in before}

    assert seen >= least


WORDS = {
    "a function": ("upper(lowr(name))", "upper(lower(name))"),
    "a function at the beginning, in quotes": ('"lowr(name)"', '"lower(name)"'),
    "a function after a text": ("join(' ', [lowr(name)])", "join(' ', [lower(name)])"),
}


@pytest.mark.parametrize(("wrong", "right"), WORDS.values(), ids=WORDS)
def test_a_word_of_an_expression_is_put_right(wrong, right, tmp_path):
    """Where it stands alone in a line, the rest stays."""
    before, after = f"  - to: name\n    from: {wrong}\n", f"  - to: name\n    from: {right}\n"
    files = edited("mapping.yaml", "  - {to: name, from: name}\n", before)
    write(tmp_path, files)
    repository = Repository(read_settings(tmp_path, {}))
    at = Positions(files["mapping.yaml"])
    (action,) = offered(at, "mapping.yaml", repository, repository.check())
    assert action.edit is not None
    ((edit,),) = (action.edit.changes or {}).values()
    begin, end = at.offset(edit.range.start), at.offset(edit.range.end)

    assert at.content[:begin] + edit.new_text + at.content[end:] == files["mapping.yaml"].replace(before, after)


@pytest.mark.parametrize("files", PARTS.values(), ids=PARTS)
def test_a_word_of_an_expression_is_not_written_over_the_expression(files, tmp_path, capsys, monkeypatch):
    """It is said what was meant, and nothing is offered: neither by the editor nor as a fix in SARIF."""
    write(tmp_path, files)
    repository = Repository(read_settings(tmp_path, {}))
    checked = repository.check()
    monkeypatch.chdir(tmp_path)
    main(["validate", "-o", "sarif"])
    results = json.loads(capsys.readouterr().out)["runs"][0]["results"]

    assert [bool(found.suggestion) for found in checked.of("mapping.yaml")] == [True]
    assert offered(Positions(repository.text("mapping.yaml")), "mapping.yaml", repository, checked) == []
    assert [result.get("fixes") for result in results] == [None]
