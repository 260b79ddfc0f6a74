"""What validation says about writing to APIs: each mistake once, at its place."""

from __future__ import annotations

import pytest

from syncline.manifests.load import load_text
from syncline.manifests.resolve import resolve
from syncline.model.diagnostic import Severity

CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: crm}
spec:
  version: 1.0.0
  config: {properties: {url: {type: string}}, required: [url]}
  http: {url: "{{ config.url }}"}
  streams:
    people: {get: /people}
    contacts:
      get: /contacts
      write: WRITE
      schema: {properties: {id: {type: integer}, name: {type: string}, born: {type: string}}}
"""

FLOW = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: files, tenant: acme}
spec: {connector: file@^1, config: {root: data}, streams: {people: {files: "*.csv", key: [id]}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: crm, tenant: acme}
spec: {connector: crm@^1, config: {url: "https://crm.example.com"}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: person, tenant: acme}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer}
  - {to: name, from: name}
  - FIELD
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: people, tenant: acme}
spec: {from: files/people, mapping: person, to: crm/STREAM, read: full, write: MODE}
"""

GOOD = "{id: body.id, create: {post: /c, headers: {Idempotency-Key: '{{ idempotency_key }}'}}, update: {put: '/c/{{ id }}'}}"
BORN = "{to: born, from: born, type: date}"


def findings(write: str = GOOD, *, mode: str = "upsert", stream: str = "contacts", field: str = BORN) -> list[str]:
    """`CODE severity path message` of every finding."""
    texts = {
        "connector.yaml": CONNECTOR.replace("WRITE", write),
        "flow.yaml": FLOW.replace("FIELD", field).replace("STREAM", stream).replace("MODE", mode),
    }
    loaded = [load_text(text, name) for name, text in texts.items()]
    found = [d for result in loaded for d in result.diagnostics]
    if not found:
        found = list(resolve([m for result in loaded for m in result.manifests]).diagnostics)
    assert all(d.place is not None for d in found)
    return [f"{d.code}{'' if d.severity is Severity.error else ' (warning)'} {d.message}" for d in found]


def test_a_flow_that_can_run():
    """A stream with requests for the mode and fields for the columns gives no finding."""
    assert findings() == []


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"mode": "replace"}, "SYN520 the stream 'contacts' can't be written so: an API has no write: replace"),
        ({"write": "{create: {post: /c}}"}, "SYN520 the stream 'contacts' can't be written so: write: upsert needs"),
        ({"stream": "people"}, "SYN520 the stream 'people' of 'crm' declares no `write`"),
        ({"stream": "contact"}, "SYN520 the stream 'contact' of 'crm' isn't declared"),
        ({"field": "{to: age, from: age}"}, "SYN521 the stream 'contacts' has no field 'age'"),
        ({"field": "{to: born, from: born, type: json}"}, "SYN521 the field 'born' of the stream 'contacts' is string"),
        (
            {"write": "{id: body.id, create: {post: /c}, update: {put: '/c/{{ id }}'}}"},
            "SYN524 (warning) a record of 'contacts' may be created twice",
        ),
        ({"write": "{create: {post: /c}, update: {put: '/c/{{ id }}'}}"}, "SYN202 what is created can't be updated"),
        ({"write": "{read: {get: /c}}"}, "SYN202 a stream that is written to needs one of create"),
        ({"write": "{upsert: {put: /c}, conflicts: reject}"}, "SYN202 conflicts: reject needs the field 'read'"),
        ({"write": "{upsert: {put: /c, post: /c}}"}, "SYN211 a request can have only one of"),
        (
            {"write": "{upsert: {post: /c, batch: {size: 2, match: id}}}"},
            "SYN202 results are told apart by 'match' and 'key' together",
        ),
    ],
)
def test_findings(how: dict[str, str], expected: str):
    """Each mistake is one finding, that says what is wrong."""
    (found,) = findings(**how)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        ("{upsert: {put: /c}}", []),
        ("{create: {post: /c}, find: {get: /c, id: 'body[].id'}, update: {put: '/c/{{ id }}'}}", []),
        ("{create: {put: '/c/{{ record.id }}'}, update: {put: '/c/{{ record.id }}'}}", []),
        ("{id: body.id, create: {post: /c, body: {key: '{{ idempotency_key }}'}}, update: {put: '/c/{{ id }}'}}", []),
    ],
)
def test_what_has_one_effect_is_no_warning(write: str, expected: list[str]):
    """PUT, a search, and an idempotency key anywhere in a request are enough."""
    assert findings(write) == expected


def test_append_needs_no_id():
    """A stream that is only appended to needs no id, and no update."""
    assert findings("{create: {post: /c, headers: {K: '{{ idempotency_key }}'}}}", mode="append") == []
