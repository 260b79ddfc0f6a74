"""A stream whose records a job of the API prepares, in whole runs: positions, counts, and the job's end."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from contextlib import closing

import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Again
from syncline.model.key import ObjectKey
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import helpdesk
from tests.e2e.house import build

KEY = ObjectKey("acme", "Sync", "tickets")
STREAM = """    tickets:
      decode: csv
      compression: zip
      filter: "state != 'spam'"
      key: [id]
      job:
        create: {post: /exports}
        id: body.id
        poll: {get: "/exports/{{ job.id }}", every: 10ms, done: "body.done"}
        download: {url: body.file}
        delete: {delete: "/exports/{{ job.id }}"}
      schema:
        required: [id]
        properties: {id: {type: integer}, title: {type: string}, hours: {type: number}, state: {type: string}}
"""


class Exports:
    """An API whose export isn't there until `ready`, and whose file has a record that is wrong and one that is spam."""

    def __init__(self) -> None:
        self.ready = False
        self.log: list[str] = []

    def __call__(self, asked: Asked) -> Reply:
        self.log.append(f"{asked.method} {asked.path}")
        if asked.method == "POST":
            return Reply({"id": f"e{self.log.count('POST /exports')}"}, status=202)
        if asked.method == "DELETE":
            return Reply(b"", status=204)
        if asked.path == "/file.zip":
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("1.csv", "id,title,hours,state\n1,a,1.10,new\n2,b,2,spam\n")
                archive.writestr("2.csv", "id,title,hours,state\n3,c,x,new\n4,d,,new\n")
            return Reply(packed.getvalue(), content_type="application/zip")
        if not self.ready:
            return Reply({"error": "busy"}, status=500)
        return Reply({"done": True, "file": "/file.zip"})


def test_a_run_that_stops_while_it_polls_goes_on_with_its_job(tmp_path):
    """The next run asks for the same job; its records are read, rejected and skipped as counted, and it is deleted."""
    api = Exports()
    with api_server(api) as server:
        texts = helpdesk(server.url)
        before, _, _ = texts["connector.yaml"].partition("    tickets:\n")
        settings = build(tmp_path, {**texts, "connector.yaml": before + STREAM})
        workflow.apply(settings)
        with pytest.raises(Again):
            workflow.run(settings, KEY, progress=Silent())
        api.ready = True
        found = workflow.run(settings, KEY, progress=Silent())

    counts = found.record.counts
    assert (counts.read, counts.written, counts.rejected, counts.skipped) == (4, 2, 1, 1)
    assert api.log.count("POST /exports") == 1
    assert api.log[-2:] == ["GET /file.zip", "DELETE /exports/e1"]
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        assert connection.execute("SELECT id, title FROM tickets ORDER BY id").fetchall() == [(1, "a"), (4, "d")]
