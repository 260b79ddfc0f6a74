"""Redmine's attachments: files that records name, behind the same key, plain and packed by gzip, zstd and zip."""

from __future__ import annotations

import gzip
import io
import zipfile

import pyarrow as pa

from tests.peers.house import Flow, house
from tests.peers.test_redmine import AUTH
from tests.peers.web import ask

CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: attached}
spec:
  version: 1.0.0
  auth: [api_key]
  config: {properties: {url: {type: string, format: uri}, issue: {type: integer}}, required: [url, issue]}
  http: {url: "{{ config.url }}"}
  streams:
    attachments:
      get: "/issues/{{ config.issue }}.json"
      query: {include: attachments}
      records: issue.attachments[]
      key: [id]
      schema: {properties: {id: {type: integer}, filename: {type: string}, content_url: {type: string}}}
    readings:
      for: {each: attachments, as: attachment, only: "contains(filename, '.csv')"}
      file: {url: "{{ attachment.content_url }}"}
      decode: csv
      key: [attachment.filename, id]
      schema: {properties: {id: {type: integer}, value: {type: number}}}
"""
FIELDS = (
    "to: file, from: attachment.filename, required: true",
    "to: id, from: id, type: integer, required: true",
    "to: value, from: value, type: 'decimal(9,2)'",
)


def _zipped(*texts: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, text in enumerate(texts):
            archive.writestr(f"part/{number}.csv", text)
    return made.getvalue()


def test_files_that_records_name_are_read_as_they_are_packed(tmp_path, redmine):
    """Each attachment is downloaded from the URL in its record, with the key, and unpacked by its first bytes."""
    rows = b"id,value\n1,1.10\n2,2.20\n"
    files = {
        "plain.csv": rows,
        "one.csv.gz": gzip.compress(rows),
        "one.csv.zst": pa.compress(rows, codec="zstd", asbytes=True),
        "two.csv.zip": _zipped(rows, b"id,value\n3,3.30\n"),
        "other.txt": b"no table",
    }
    uploads = []
    for name, data in files.items():
        headers = {"X-Redmine-API-Key": redmine.key, "Content-Type": "application/octet-stream"}
        sent = ask("POST", f"{redmine.url}/uploads.json?filename={name}", data, headers=headers).ok()
        uploads.append({"token": sent["upload"]["token"], "filename": name})
    issue = redmine.issue("Readings", uploads=uploads)
    flow = Flow("readings", FIELDS, key="file, id")
    config, secrets = {"url": redmine.url, "issue": issue}, {"REDMINE_KEY": redmine.key}
    made = house(tmp_path, CONNECTOR, config, flow, auth=AUTH, secrets=secrets, quick=True)

    assert made.run("readings")["inserted"] == 9
    assert made.rows("SELECT file, count(*) FROM readings GROUP BY file ORDER BY file") == [
        ("one.csv.gz", 2),
        ("one.csv.zst", 2),
        ("plain.csv", 2),
        ("two.csv.zip", 3),
    ]
    assert made.run("readings")["unchanged"] == 9
    made.proved()
