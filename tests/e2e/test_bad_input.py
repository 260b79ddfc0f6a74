"""Bad input end to end: one clear error, or counted rejects; nothing is lost and nothing half-written."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Again, Invalid, SynclineError
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import helpdesk
from tests.e2e.house import FLOW, Scenario, audit_ok, build, rows
from tests.look import Look

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.settings import Settings

GOOD = "1,Ann,ann@example.com,1.50,1990-01-01"
ALSO = "2,Bob,bob@example.com,2.50,1991-02-03"
HEAD = "id,name,email,balance,born"
TICKETS = ObjectKey("acme", "Sync", "tickets")


def house(root: Path, data: bytes, *, write: str = "replace", file: str = "customers.csv", **csv: str) -> Settings:
    """A house with one file of that content, applied."""
    texts = dict(Scenario(write).texts)
    options = f", csv: {{{', '.join(f'{k}: {v}' for k, v in csv.items())}}}" if csv else ""
    texts["source.yaml"] = texts["source.yaml"].replace('"customers*.csv", key: [id]', f'"{file}", key: [id]{options}')
    if file.endswith("jsonl"):
        schema = "{properties: {id: {type: integer}, name: {type: string}, email: {type: string}, balance: {type: number}, born: {type: string}}}"
        texts["source.yaml"] = texts["source.yaml"].replace("key: [id]", f"key: [id], schema: {schema}")
    folder = root / "data"
    folder.mkdir(parents=True)
    (folder / file).write_bytes(data)
    settings = build(root, texts)
    workflow.apply(settings)
    return settings


def received(settings: Settings) -> tuple[list[Any], list[tuple[str, str, str]]]:
    """Names in the table, and place, rule and record of the rejects, after a run that has to balance."""
    result = workflow.run(settings, FLOW, progress=Silent())
    counts = result.receipt.counts
    assert counts.read == counts.written + counts.rejected + counts.skipped
    found = list(workflow.rejects(settings, result.record.id))
    assert len(found) == counts.rejected
    assert audit_ok(settings)
    return [row[1] for row in rows(settings.root, Scenario("replace")) or []], [
        (r.place, r.rule, r.record) for r in found
    ]


CSV = {
    "too few columns": (f"{HEAD}\n{GOOD}\n7,only\n{ALSO}\n", ["Ann", "Bob"], [("customers.csv:3", "parse", "7,only")]),
    "too many columns": (
        f"{HEAD}\n{GOOD}\n7,a,b,c,d,e,f\n{ALSO}\n",
        ["Ann", "Bob"],
        [("customers.csv:3", "parse", "7,a,b,c,d,e,f")],
    ),
    "a byte order mark": (f"\ufeff{HEAD}\n{GOOD}\n", ["Ann"], []),
    "no line break at the end": (f"{HEAD}\n{GOOD}\n{ALSO}", ["Ann", "Bob"], []),
    "line breaks of Windows": (f"{HEAD}\r\n{GOOD}\r\n{ALSO}\r\n", ["Ann", "Bob"], []),
    "a line break inside quotes": (f'{HEAD}\n1,"An\nn",ann@example.com,1,1990-01-01\n{ALSO}\n', ["An\nn", "Bob"], []),
    "only a head": (f"{HEAD}\n", [], []),
}


@pytest.mark.parametrize("case", CSV)
def test_csv_of_every_shape_is_read_or_rejected(tmp_path, case):
    """Rows that don't fit are rejects with their place and raw text; the others are all there."""
    data, names, rejects = CSV[case]
    assert received(house(tmp_path, data.encode())) == (names, rejects)


def test_bytes_that_are_no_utf8_are_rejects(tmp_path):
    """A latin-1 name in a UTF-8 file is set aside, and read right where the file is declared as latin-1."""
    line = "3,Zo\u00eb,zoe@example.com,3,1992-03-04"
    data = f"{HEAD}\n{GOOD}\n".encode() + f"{line}\n".encode("latin-1") + f"{ALSO}\n".encode()
    names, rejects = received(house(tmp_path / "a", data))
    assert names == ["Ann", "Bob"]
    assert [(place, rule) for place, rule, _ in rejects] == [("customers.csv:3", "parse")]
    assert received(house(tmp_path / "b", data, encoding="latin-1")) == (["Ann", "Bob", "Zo\u00eb"], [])


def test_what_could_not_be_parsed_goes_with_a_retry(tmp_path):
    """A retry rejects again what could not be parsed: all that is still bad is in its run, to be corrected there."""
    settings = house(tmp_path, f"{HEAD}\n{GOOD}\n7,only\n3,Eve,eve@example.com,x,1992-03-04\n".encode(), write="upsert")
    first = workflow.run(settings, FLOW, progress=Silent()).record
    mapping = next(tmp_path.glob("**/mapping.yaml"))
    mapping.write_text(mapping.read_text().replace("from: balance", "from: \"replace(balance, 'x', '9')\""))
    workflow.apply(settings)
    retried = workflow.retry(settings, first.id, progress=Silent())
    counts = retried.receipt.counts
    assert (counts.read, counts.written, counts.rejected) == (2, 1, 1)
    assert [(r.place, r.rule, r.record) for r in workflow.rejects(settings, retried.record.id)] == [
        ("customers.csv:3", "parse", "7,only")
    ]
    with pytest.raises(Invalid, match=retried.record.id):
        workflow.retry(settings, first.id, progress=Silent())
    with pytest.raises(Invalid, match="no rejects that can be retried"):
        workflow.retry(settings, retried.record.id, progress=Silent())
    assert audit_ok(settings)


def test_an_unterminated_quote_ends_the_run_and_leaves_the_old_table(tmp_path):
    """A quote that is never closed may have swallowed records: one error names its line, and nothing is replaced."""
    settings = house(tmp_path, f"{HEAD}\n{GOOD}\n{ALSO}\n".encode())
    received(settings)
    (tmp_path / "data" / "customers.csv").write_text(f'{HEAD}\n9,"broken,x@example.com,1,1990-01-01\n{ALSO}\n')
    with pytest.raises(Invalid, match="customers.csv:2"):
        workflow.run(settings, FLOW, progress=Silent())
    assert [row[1] for row in rows(tmp_path, Scenario("replace")) or []] == ["Ann", "Bob"]


def test_nul_characters_do_not_end_a_run(tmp_path):
    """A NUL is kept where the database holds it, or its record is rejected; the neighbours are there."""
    data = f"{HEAD}\n{GOOD}\n3,a\0b,x@example.com,1,1990-01-01\n{ALSO}\n"
    names, rejects = received(house(tmp_path, data.encode()))
    assert [name for name in names if name != "a\0b"] == ["Ann", "Bob"]
    assert len(names) + len(rejects) == 3


def test_jsonl_that_is_cut_in_a_record_rejects_that_record(tmp_path):
    """The last, cut line is a reject; the lines before it are rows, whatever the types of their values."""
    lines = [
        '{"id": 1, "name": "Ann", "email": "ann@example.com", "balance": 1.50, "born": "1990-01-01"}',
        '{"id": 2, "name": "Bob", "email": "bob@example.com", "balance": "2.50", "born": null}',
        '{"id": "x", "name": "Eve"}',
        "[1, 2]",
        "",
        '{"id": 3, "name": "Cy',
    ]
    names, rejects = received(house(tmp_path, "\n".join(lines).encode(), file="customers.jsonl"))
    assert names[:1] == ["Ann"]
    assert "customers.jsonl:6" in [place for place, _, _ in rejects]
    assert len(names) + len(rejects) == 5


def test_a_source_that_is_missing_leaves_the_old_table(tmp_path):
    """Replacing from nothing: an error that names the file, or a run of no rows; never a table that is half there."""
    settings = house(tmp_path, f"{HEAD}\n{GOOD}\n{ALSO}\n".encode())
    received(settings)
    (tmp_path / "data" / "customers.csv").unlink()
    with pytest.raises(SynclineError, match="customers"):
        workflow.run(settings, FLOW, progress=Silent())
    assert len(rows(tmp_path, Scenario("replace")) or []) == 2


# --- APIs ------------------------------------------------------------------------------------------------------------


class Api:
    """An API that is right at first, and then wrong in the way that its name says."""

    def __init__(self) -> None:
        self.wrong = ""

    def __call__(self, asked: Asked) -> Reply:
        first = "cursor" not in asked.query
        page = {
            "data": [{"id": n, "title": "t", "hours": 1} for n in ((1, 2) if first else (3, 4))],
            "next": "2" if first else None,
        }
        if first or not self.wrong:
            return Reply(page)
        match self.wrong:
            case "html":
                return Reply(b"<html>Please sign in</html>", content_type="text/html")
            case "html as json":
                return Reply(b"<html>Please sign in</html>")
            case "loop":
                return Reply({**page, "next": "2"})
            case "cut":
                return Reply(page, cut=20)
            case "truncated":
                return Reply(json.dumps(page).encode()[:-9])
            case _:
                return Reply({"error": "down"}, status=503)


@pytest.mark.parametrize("wrong", ["html", "html as json", "loop", "cut", "truncated", "down"])
@pytest.mark.parametrize("write", ["replace", "upsert"])
def test_an_api_that_goes_wrong_ends_the_run_and_leaves_the_table(tmp_path, wrong, write):
    """One clear error; in replace mode the old table is untouched; the next run, of an API that works, does the rest."""
    api = Api()
    with api_server(api) as server:
        settings = build(tmp_path, helpdesk(server.url, write=write))
        workflow.apply(settings)
        workflow.run(settings, TICKETS, progress=Silent())
        before = table(tmp_path)
        api.wrong = wrong
        with pytest.raises(SynclineError) as error:
            workflow.run(settings, TICKETS, progress=Silent())
        assert error.value.code.startswith("SYN4")
        assert table(tmp_path) == before
        stopped = Look(settings.state_url).runs()[0]
        assert stopped.state in {RunState.failed, RunState.interrupted}
        assert stopped.error_code == error.value.code
        api.wrong = ""
        done = workflow.run(settings, TICKETS, progress=Silent())
        assert done.record.counts.read == 4
        assert table(tmp_path) == before
        assert audit_ok(settings)


def _drifting(change):
    """An API whose second page has another schema than its first."""

    def api(asked: Asked) -> Reply:
        first = "cursor" not in asked.query
        records = [{"id": n, "title": "t", "hours": 1} for n in ((1, 2) if first else (3, 4))]
        return Reply({"data": records if first else [change(r) for r in records], "next": "2" if first else None})

    return api


def test_a_field_that_is_added_while_a_run_reads_changes_nothing(tmp_path):
    """What isn't declared isn't read: a run whose source gets another column goes on, with every row."""
    with api_server(_drifting(lambda r: {**r, "colour": "red"})) as server:
        settings = build(tmp_path, helpdesk(server.url, write="replace"))
        workflow.apply(settings)
        counts = workflow.run(settings, TICKETS, progress=Silent()).receipt.counts
    assert (counts.read, counts.written, counts.rejected) == (4, 4, 0)
    assert [row[0] for row in table(tmp_path)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "change",
    [
        lambda r: {**r, "id": str(r["id"])},
        lambda r: {"title": r["title"], "hours": r["hours"]},
        lambda r: {**r, "id": None},
        lambda r: {"key": r["id"], "title": r["title"], "hours": r["hours"]},
        lambda r: {**r, "title": {"text": "t"}},
    ],
    ids=["type", "removed", "null", "renamed", "shape"],
)
def test_a_schema_that_breaks_while_a_run_reads_stops_it_before_it_writes(tmp_path, change):
    """With a guard, a type, a null or a name that breaks the schema in the middle leaves the old table as it was."""
    api = {"now": _drifting(lambda r: r)}

    def answer(asked: Asked) -> Reply:
        return api["now"](asked)

    with api_server(answer) as server:
        texts = helpdesk(server.url, write="replace")
        texts["sync.yaml"] = texts["sync.yaml"].replace("write: replace}", "write: replace, guards: {maxRejects: 0}}")
        settings = build(tmp_path, texts)
        workflow.apply(settings)
        workflow.run(settings, TICKETS, progress=Silent())
        before = table(tmp_path)
        api["now"] = _drifting(change)
        with pytest.raises(SynclineError) as caught:
            workflow.run(settings, TICKETS, progress=Silent())
    assert caught.value.code == "SYN701"
    assert table(tmp_path) == before
    assert audit_ok(settings)


def test_a_page_that_comes_twice_is_no_second_row(tmp_path):
    """An API that repeats a page's records under another cursor: they are read, and there once in an upsert."""

    def api(asked: Asked) -> Reply:
        page = int(asked.query.get("cursor", 1))
        numbers = (1, 2) if page < 3 else (3, 4)
        return Reply({"data": [{"id": n, "title": "t"} for n in numbers], "next": str(page + 1) if page < 3 else None})

    with api_server(api) as server:
        settings = build(tmp_path, helpdesk(server.url))
        workflow.apply(settings)
        counts = workflow.run(settings, TICKETS, progress=Silent()).receipt.counts
    assert counts.read == counts.written + counts.rejected + counts.skipped
    assert [row[0] for row in table(tmp_path)] == [1, 2, 3, 4]


def test_an_api_that_hangs_is_given_up_and_gone_on_with(tmp_path):
    """A run whose API answers no more ends after its progress deadline, interrupted; the next one does the rest."""
    answering = threading.Event()

    def api(asked: Asked) -> Reply:
        if asked.query.get("cursor"):
            answering.wait(300)
            return Reply({"data": [{"id": 2, "title": "t"}], "next": None})
        return Reply({"data": [{"id": 1, "title": "t"}], "next": "2"})

    with api_server(api) as server:
        texts = helpdesk(server.url)
        settings = build(
            tmp_path,
            {name: text.replace("read: full", "progressDeadline: 5s, read: full") for name, text in texts.items()},
        )
        workflow.apply(settings)
        with pytest.raises(Again) as caught:
            workflow.run(settings, TICKETS, progress=Silent())
        assert caught.value.code == "SYN467"
        assert Look(settings.state_url).runs()[0].state is RunState.interrupted
        answering.set()
        workflow.run(settings, TICKETS, progress=Silent())
    assert [row[0] for row in table(tmp_path)] == [1, 2]
    assert audit_ok(settings)


def table(root: Path) -> list[tuple]:
    with closing(sqlite3.connect(root / "warehouse.db")) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'tickets'").fetchall():
            return []
        return connection.execute("SELECT * FROM tickets ORDER BY id").fetchall()
