"""What validation says about flows that read what a queue tells of, and about which hosts they contact."""

from __future__ import annotations

import pytest

from syncline.manifests.flow import flows
from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from syncline.planner.flow_effects import hosts
from tests.e2e.house import Scenario

QUEUE = "https://sqs.eu-west-1.amazonaws.com/1/exports"
BUCKET = f"""\
apiVersion: syncline/v1
kind: Integration
metadata: {{name: bucket, tenant: acme}}
spec:
  connector: s3@^1
  config: {{root: "s3://exports/crm", queue: "{QUEUE}"}}
  streams: {{customers: {{files: FILESSCHEMA}}}}
"""
SCHEMA = ", schema: {properties: {no: {type: string}}}"


def resolved(kind="Sync", write="upsert", more="", schema=SCHEMA, files='"*.csv"'):
    """What is declared, with a flow that reads the bucket."""
    texts = dict(Scenario(write, "sqlite", "crm", kind=kind).texts)
    flow = texts["sync.yaml"].replace(f"write: {write}", f"write: {write}{more}")
    source = flow.split("from: ", 1)[1].split(",", 1)[0].split("\n", 1)[0].strip()
    texts["sync.yaml"] = flow.replace(f"from: {source}", "from: bucket/customers")
    loaded = [load_text(text, name) for name, text in texts.items()]
    loaded.append(load_text(BUCKET.replace("SCHEMA", schema).replace("FILES", files), "bucket.yaml"))
    assert not [d for result in loaded for d in result.diagnostics if d.severity == "error"]
    return resolve([m for result in loaded for m in result.manifests])


def found(**how) -> list[tuple[str, str]]:
    """Code and message of each finding about the queue."""
    return [(d.code, d.message) for d in resolved(**how).diagnostics if d.code in {"SYN330", "SYN331"}]


def test_what_has_come_can_be_upserted_and_appended():
    """Neither needs more than the queue tells of."""
    assert found() == found(write="append") == []


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ({"write": "replace"}, "SYN330", "write: replace can't run: the queue of 'bucket'"),
        ({"more": ", absent: delete, guards: {maxDeletes: 5%}"}, "SYN330", "absent: delete can't run"),
        ({"kind": "Import"}, "SYN330", "validate: before-commit can't run"),
        ({"schema": ""}, "SYN331", "stream 'customers' of 'bucket' has no schema"),
    ],
    ids=["replace", "absent", "before-commit", "schema"],
)
def test_what_needs_everything_is_refused(how, code, words):
    """Each demand that a queue can't meet is one finding that names it."""
    (finding,) = found(**how)
    assert finding[0] == code
    assert words in finding[1]


def test_two_flows_of_one_queue_are_refused():
    """Each would miss what the other has read."""
    texts = dict(Scenario("upsert", "sqlite", "crm").texts)
    flow = texts["sync.yaml"].replace("write: upsert", "write: append")
    source = flow.split("from: ", 1)[1].split(",", 1)[0].split("\n", 1)[0].strip()
    texts["sync.yaml"] = flow.replace(f"from: {source}", "from: bucket/customers")
    texts["other.yaml"] = texts["sync.yaml"].replace("name: customers", "name: others")
    loaded = [load_text(text, name) for name, text in texts.items()]
    loaded.append(load_text(BUCKET.replace("SCHEMA", SCHEMA).replace("FILES", '"*.csv"'), "bucket.yaml"))
    diagnostics = resolve([m for result in loaded for m in result.manifests]).diagnostics
    (finding,) = [d for d in diagnostics if d.code == "SYN334"]
    assert "acme/Sync/customers reads '*.csv' by the same queue" in finding.message
    assert str(finding.subject) == "acme/Sync/others"


def test_a_format_must_be_known():
    """Where no pattern ends as one, it has to be declared."""
    assert [code for code, _ in found(files='"*"')] == ["SYN331"]


def test_both_hosts_are_told_of():
    """A plan names the host of the queue, and that of the bucket."""
    (flow,) = flows(resolved().desired)
    assert hosts(flow.source) == ("s3.us-east-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com")
