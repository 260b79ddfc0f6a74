"""A CSV stream that says `auto`: what was found out is shown before a run, kept in its receipt, and refused where it isn't sure."""

from __future__ import annotations

import json

from syncline.cli.main import main
from tests.e2e.house import Scenario, build

ROWS = "id;name;email;balance;born\n" + "".join(
    f"{n};Zoë Müller {n};z{n}@example.com;{n}.50;1990-01-0{n % 9 + 1}\n" for n in range(1, 20)
)


def told(*args, out):
    """What a command says, as data."""
    code = main([*args, "-o", "json"])
    shown = out.readouterr()
    assert shown.out, shown.err
    return code, json.loads(shown.out)


def test_what_was_found_out_is_told_everywhere(tmp_path, capsys, monkeypatch):
    """Sample, discovery, rehearsal and receipt tell the same; the rows are right."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "customers.csv").write_bytes(ROWS.encode("windows-1252"))
    texts = Scenario("upsert").texts
    auto = '{files: "customers*.csv", csv: {delimiter: auto, encoding: auto}, key: [id]}'
    changed = {name: text.replace('{files: "customers*.csv", key: [id]}', auto) for name, text in texts.items()}
    assert changed != texts
    settings = build(tmp_path, changed)
    monkeypatch.chdir(settings.root)
    note = "detected in customers.csv: encoding windows-1252 (97% sure), delimiter ';' (99% sure)"

    assert told("connector", "sample", "crm", "customers", "--tenant", "acme", out=capsys)[1]["notes"] == [note]
    assert told("connector", "discover", "crm", "customers", "--tenant", "acme", out=capsys)[1]["streams"][0][
        "notes"
    ] == [note]
    assert main(["apply", "--yes"]) == 0
    capsys.readouterr()
    assert note in told("rehearse", "acme/Sync/customers", out=capsys)[1]["notes"]
    code, receipt = told("run", "acme/Sync/customers", out=capsys)
    assert (code, receipt["counts"]["inserted"]) == (0, 19)
    assert note in receipt["notes"]

    (tmp_path / "data" / "customers.csv").write_bytes(ROWS.partition("\n3;")[0].encode("windows-1252"))
    assert main(["run", "acme/Sync/customers"]) != 0
    error = capsys.readouterr().err
    assert "SYN562" in error
    assert "csv.encoding: windows-1252" in error
