"""The list of the connector language: what each row declares is a field, and every test that it names is there."""

from __future__ import annotations

import re

import pytest

from syncline.manifests.explain import explain_path
from syncline.model.errors import Invalid
from tests.docs.test_list_of_faults import FILES, NAMED, ROOT

PAGE = (ROOT / "docs/connector-language.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| Phrase", "| Use"))
]
PHRASES = [row for row in ROWS if len(row) == 4]
#: A field as `syncline explain` takes it.
FIELD = re.compile(r"`([A-Z]\w+(?:\.\w+)+)`")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_what_a_row_declares_is_there(row: list[str]):
    """Each row names fields of manifests, and they are those of the program."""
    fields = [field for cell in row[1:] for field in FIELD.findall(cell)]

    assert fields
    for field in fields:
        explain_path(field)


@pytest.mark.parametrize("row", PHRASES, ids=lambda row: row[0][:40])
def test_what_a_row_is_shown_by_is_there(row: list[str]):
    """Each phrase has a test; files exist, in `tests/peers` where a real system is told of, and so do the tests named."""
    named = list(NAMED.finditer(row[2]))
    assert named
    for found in (*named, *NAMED.finditer(row[3])):
        paths = [path for path in FILES if path.name == found["file"]]
        if (prefix := re.match(r"`([\w/]+/)", found[0])) is not None:
            paths = [path for path in paths if str(path.relative_to(ROOT)).startswith(prefix[1])]
        assert paths, found[0]
        for part in re.findall(r"`(\w+_\w+)`", found["tests"] or ""):
            assert any(re.search(rf"def test_\w*{part}", path.read_text()) for path in paths), (
                f"{part} in {found['file']}"
            )


#: What the page calls choices that it doesn't name as they are written in manifests.
WORDS = {
    "api_key": "API key",
    "session": "session token",
    "aws_sigv4": "SigV4",
    "http_signature": "RFC 9421",
    "rate_limited": "rate-limited",
    "reset_paging": "reset paging",
}


@pytest.mark.parametrize(
    "field",
    ["AuthConfig.type", "Connector.http.errors.do", "Connector.streams.decode", "Connector.streams.compression"],
)
def test_no_choice_is_left_out(field: str):
    """A way of authenticating or of decoding, or a verdict of an error rule, that is added needs a phrase here."""
    values = set(explain_path(field).values) - {"ssh", "auto", "none"}

    assert values
    assert {value for value in values if WORDS.get(value, value).lower() not in PAGE.lower()} == set()


def test_ways_of_paging_have_a_row_each():
    """Each of the five ways is declared in a row of its own."""
    declared = [row[1] for row in PHRASES]
    for way in ("cursor", "page", "offset", "next", "link"):
        assert sum(f"`Connector.streams.page.{way}`" in cell for cell in declared) == 1, way


def test_a_field_that_is_none_is_found():
    """The check itself can fail."""
    with pytest.raises(Invalid):
        explain_path("Connector.streams.page.curser")
