"""What validation says about flows that are to delete and can't: each hindrance once, with what to do."""

from __future__ import annotations

import pytest

from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from tests.e2e.api import helpdesk
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


def absent(read="full", write="upsert", more="", sink="") -> list[str]:
    """Codes, messages and help about a flow that is to delete what its read lacks."""
    texts = helpdesk("https://desk.example.com", read=read, write=write)
    if sink:
        texts["warehouse.yaml"] = texts["warehouse.yaml"].replace(
            "connector: sqlite@^1\n  config: {path: warehouse.db}", sink
        )
    texts["sync.yaml"] = texts["sync.yaml"].rstrip().removesuffix("}") + f", absent: delete{more}}}\n"
    loaded = [load_text(text, name) for name, text in texts.items()]
    assert not [d for result in loaded for d in result.diagnostics if d.severity == "error"]
    diagnostics = resolve([m for r in loaded for m in r.manifests]).diagnostics
    return [f"{d.code} {d.message} {d.help}" for d in diagnostics if d.code in {"SYN530", "SYN531"}]


GUARD = ", guards: {maxDeletes: 5%}"


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ({}, "SYN531", "needs guards.maxDeletes"),
        ({"more": ", guards: {maxRejects: 5%}"}, "SYN531", "needs guards.maxDeletes"),
        ({"read": "incremental", "more": GUARD}, "SYN530", "doesn't read everything"),
        ({"write": "append", "more": GUARD}, "SYN530", "knows no rows by key"),
        ({"write": "replace", "more": GUARD}, "SYN530", "drops what is gone by itself"),
        ({"more": GUARD + ", deletes: soft"}, "SYN530", "keeps the rows that are marked"),
        (
            {"sink": "connector: file@^1\n  config: {root: lake, format: jsonl}", "more": GUARD},
            "SYN530",
            "a destination by file",
        ),
    ],
)
def test_what_keeps_a_flow_from_deleting_what_is_absent_is_found(how, code, words):
    """Each hindrance is a finding of its own, with what to do."""
    [line] = absent(**how)
    assert line.startswith(code)
    assert words in line


def test_a_bounded_full_upsert_into_a_database_may_delete_what_is_absent():
    """By a share or by a count."""
    assert absent(more=GUARD) == absent(more=", guards: {maxDeletes: 10}") == []
