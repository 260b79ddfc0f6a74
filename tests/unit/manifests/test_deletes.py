"""What validation says about flows that are to delete and can't: each hindrance once, with what to do."""

from __future__ import annotations

import pytest

from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from tests.e2e.deleting import WAYS, repository


def found(deletes="hard", way="put", *, sync=("", ""), board=("", ""), source=("", "")) -> list[str]:
    """Code, message and help of each finding about the flow."""
    texts = repository("https://desk.example.com", deletes, "https://board.example.com", way)
    for name, (old, new) in {"sync.yaml": sync, "warehouse.yaml": board, "connector.yaml": source}.items():
        assert old in texts[name]
        texts[name] = texts[name].replace(old, new)
    loaded = [load_text(text, name) for name, text in texts.items()]
    assert not [d for result in loaded for d in result.diagnostics if d.severity == "error"]
    return [f"{d.code} {d.message} {d.help}" for d in resolve([m for r in loaded for m in r.manifests]).diagnostics]


@pytest.mark.parametrize("way", WAYS)
def test_an_api_that_deletes_is_fine(way):
    """Deletes by our key, by the API's ids and by ids that a search gives have no finding; a bound may be a count."""
    guarded = ("deletes: hard", "deletes: hard, guards: {maxDeletes: 10}")
    assert [line for line in found(way=way, sync=guarded) if line.startswith("SYN525")] == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"deletes": "soft"}, "an API has no column to mark Use deletes: hard"),
        ({"board": ('delete: {delete: "/contacts/{{ record.id }}"}', "")}, "declares no request that deletes"),
        ({"board": ("/contacts/{{ record.id }}", "/contacts/{{ id }}")}, "write.delete reads the id of a record"),
        ({"sync": ("deletes: hard", "deletes: hard, guards: {maxDeletes: 5%}")}, "Write maxDeletes as a count"),
        ({"sync": ("write: upsert", "write: append"), "way": "ids"}, "write: append knows no rows by key"),
        (
            {"source": ("      deleted: \"state == 'gone'\"\n", "")},
            "nothing says which records of 'tickets' were deleted",
        ),
    ],
    ids=["soft", "no request", "no id", "share", "append", "no tombstones"],
)
def test_what_an_api_cannot_delete_is_found(how, words):
    """Each thing that keeps deletes from an API is a finding that says so, and no others are about it."""
    lines = [line for line in found(**how) if line.startswith("SYN525")]
    assert len(lines) == 1
    assert words in lines[0]
