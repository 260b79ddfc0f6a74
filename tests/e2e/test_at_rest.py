"""What lies on the disk: no value of a record, and no secret, is in the clear in what Syncline keeps."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from syncline import drift, privacy, workflow
from syncline.executor.progress import Silent
from syncline.model.errors import SynclineError
from syncline.model.key import ObjectKey
from syncline.model.subject import Subject
from syncline.planner.serialize import dumps
from syncline.state import tables
from syncline.state.database import open_postgresql, open_sqlite_reader
from syncline.state.open import open_store
from tests.api_server import Reply, api_server
from tests.e2e import house
from tests.hook_server import TOKEN, forge
from tests.hook_server import manifests as hooks
from tests.look import copy_of
from tests.servers import postgres_database

#: In each value of the sources, and in what their systems answer.
CANARY = "kvzqxhwj"
#: Every secret.
SECRET = "wqgzkxvb-of-a-system"
#: All flows; of `broken` and `garbled` the API answers otherwise than is declared.
FLOWS = ("people", "aged", "notes", "changes", "broken", "garbled", "orders", "contacts", "customers")
HEAD = "apiVersion: syncline/v1\nkind: "

CONNECTOR = (
    HEAD
    + """Connector
metadata: {name: desk}
spec:
  version: 1.0.0
  auth: [bearer]
  config: {properties: {url: {format: uri}}, required: [url]}
  http:
    url: "{{ config.url }}"
    retry: {on: [5xx, timeout, connection], attempts: 1}
    errors: [{when: "status == `409`", do: fail, message: "{{ body.message }}"}]
  check: {get: /people}
  streams:
    people:
      get: /people
      records: data[]
      key: [email]
      page: {cursor: next, into: query.cursor}
      cursor: {field: email, type: string, start: '', into: {query.since: start}}
      schema: {properties: {email: {type: string}, name: {type: string}, age: {type: integer}}}
    notes:
      for: {each: people, as: person}
      get: "/people/{{ person.email }}/notes"
      records: data[]
      key: [person.email, id]
      cursor: {field: at, type: string, start: '', into: {query.since: start}}
      schema: {properties: {id: {type: string}, at: {type: string}, text: {type: string}}}
    changes:
      get: /changes
      records: data[]
      key: [id]
      cursor: {marker: marker, into: {query.sync: start}}
      schema: {properties: {id: {type: string}, text: {type: string}}}
    broken:
      get: /broken
      records: data[]
      key: [id]
      schema: {properties: {id: {type: string}}}
    garbled:
      get: /garbled
      records: data[]
      key: [id]
      schema: {properties: {id: {type: string}}}
    contacts:
      get: /contacts
      records: data[]
      key: [email]
      write:
        id: body.ref
        version: headers.etag
        create: {post: /contacts, headers: {Idempotency-Key: "{{ idempotency_key }}"}}
        update: {patch: "/contacts/{{ id }}", headers: {If-Match: "{{ version }}"}}
      schema: {properties: {email: {type: string}, name: {type: string}}}
"""
)

OBJECTS = """\
kind: AuthConfig
metadata: {name: desk, tenant: acme}
spec: {type: bearer, token: {secretRef: {provider: env, key: DESK_TOKEN}}}
---
kind: Integration
metadata: {name: desk, tenant: acme}
spec: {connector: desk@^1, auth: desk, config: {url: "URL"}}
---
kind: Integration
metadata: {name: shop, tenant: acme}
spec:
  connector: sqlite@^1
  config: {path: shop.db}
  tables: {orders: {table: orders, cursor: {field: buyer}}}
---
kind: Integration
metadata: {name: crm, tenant: acme}
spec:
  connector: file@^1
  config: {root: data}
  streams: {customers: {files: "customers*.csv", key: [id]}}
---
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: sqlite@^1, config: {path: warehouse.db}}
---
kind: Mapping
metadata: {name: person, tenant: acme}
spec:
  key: [email]
  subject: {customer: email}
  fields:
  - {to: email, from: email, type: string, required: true}
  - {to: name, from: name, check: {maxLength: 40}}
---
kind: Mapping
metadata: {name: aged, tenant: acme}
spec: {key: [email], fields: [{to: email, from: email}, {to: age, from: name, type: integer}]}
---
kind: Mapping
metadata: {name: note, tenant: acme}
spec: {key: [id], fields: [{to: id, from: id}, {to: text, from: text}]}
---
kind: Mapping
metadata: {name: just-id, tenant: acme}
spec: {key: [id], fields: [{to: id, from: id}]}
---
kind: Mapping
metadata: {name: order, tenant: acme}
spec: {key: [buyer], fields: [{to: buyer, from: buyer}, {to: total, from: total, type: integer}]}
---
kind: Sync
metadata: {name: people, tenant: acme}
spec: {from: desk/people, mapping: person, to: warehouse/people, read: incremental, write: upsert}
---
kind: Sync
metadata: {name: aged, tenant: acme}
spec: {from: desk/people, mapping: aged, to: warehouse/aged, read: full, write: upsert, guards: {maxRejects: 100%}}
---
kind: Sync
metadata: {name: notes, tenant: acme}
spec: {from: desk/notes, mapping: note, to: warehouse/notes, read: incremental, write: upsert}
---
kind: Sync
metadata: {name: changes, tenant: acme}
spec: {from: desk/changes, mapping: note, to: warehouse/changes, read: incremental, write: upsert}
---
kind: Sync
metadata: {name: broken, tenant: acme}
spec: {from: desk/broken, mapping: just-id, to: warehouse/broken, read: full, write: upsert}
---
kind: Sync
metadata: {name: garbled, tenant: acme}
spec: {from: desk/garbled, mapping: just-id, to: warehouse/garbled, read: full, write: upsert}
---
kind: Sync
metadata: {name: orders, tenant: acme}
spec: {from: shop/orders, mapping: order, to: warehouse/orders, read: incremental, write: upsert}
---
kind: Sync
metadata: {name: contacts, tenant: acme}
spec: {from: desk/people, mapping: person, to: desk/contacts, read: incremental, write: upsert}
---
kind: Import
metadata: {name: customers, tenant: acme}
spec: {from: crm/customers, mapping: person, to: warehouse/customers, validate: before-commit, write: upsert, guards: {maxRejects: 100%}}
"""

PEOPLE = [{"email": f"{CANARY}{n}@example.com", "name": f"{CANARY} of {n}", "age": n} for n in range(1, 5)]


def desk(asked):
    """An API whose every value has the canary: records, page tokens, markers, ids and messages."""
    path = asked.path.split("/")[1:]
    match asked.method, path:
        case "GET", ["people"]:
            start = int(asked.query.get("cursor", f"{CANARY}0").removeprefix(CANARY))
            more = start + 2 < len(PEOPLE)
            return Reply({"data": PEOPLE[start : start + 2], "next": f"{CANARY}{start + 2}" if more else None})
        case "GET", ["people", person, "notes"]:
            return Reply(
                {"data": [{"id": f"{person}-1", "at": f"2026-01-0{len(person) % 9} {CANARY}", "text": CANARY}]}
            )
        case "GET", ["changes"]:
            return Reply({"data": [{"id": f"{CANARY}-1", "text": CANARY}], "marker": f"{CANARY}-token"})
        case "GET", ["broken"]:
            return Reply({"message": f"{CANARY}@example.com is locked", "who": CANARY}, status=409)
        case "GET", ["garbled"]:
            return Reply(f"<html>{CANARY}</html>".encode())
        case "POST", ["contacts"]:
            sent = json.loads(asked.body)
            if sent["email"].startswith(f"{CANARY}1"):
                return Reply({"error": f"{sent['email']} is blocked"}, status=422)
            return Reply({"ref": f"ref-{sent['email']}"}, status=201, headers={"ETag": f'"{CANARY}"'})
        case "PATCH", ["contacts", name]:
            return Reply({"ref": name}, headers={"ETag": f'"{CANARY}2"'})
        case _:
            return Reply({"data": []})


def lived_in(root, url, host, state):
    """A house with all these flows, and data for them."""
    flows = "".join(f"---\napiVersion: syncline/v1\n{one}" for one in OBJECTS.replace("URL", url).split("---\n"))
    hook = "{push: {url: 'https://syncline.example.com/hook', events: [push], secret: HOOK}}".replace(
        "HOOK", "{secretRef: {provider: env, key: HOOK_SECRET}}"
    )
    texts = hooks(host, hook) | {"desk.yaml": CONNECTOR, "flows.yaml": flows.removeprefix("---\n")}
    settings = house.build(root, texts)
    environ = {**settings.environ, "FORGE_TOKEN": TOKEN, "HOOK_SECRET": SECRET, "DESK_TOKEN": SECRET}
    settings = replace(settings, environ=environ, state_url=state or settings.state_url)
    (root / "data").mkdir()
    lines = [f"{n},{CANARY}{n}@example.com,{CANARY * (n + 1)}" for n in range(1, 9)]
    lines += [f"{CANARY},too,many,{CANARY}"]
    (root / "data" / "customers.csv").write_text("\n".join(["id,email,name", *lines]) + "\n")
    with closing(sqlite3.connect(root / "shop.db")) as shop:
        shop.execute("CREATE TABLE orders (buyer TEXT PRIMARY KEY NOT NULL, total INTEGER)")
        shop.executemany("INSERT INTO orders VALUES (?, ?)", [(f"{CANARY}-{n}", n) for n in range(5)])
        shop.commit()
    workflow.apply(settings)
    return settings


def run(settings, name):
    """A run, however it ends."""
    kind = "Import" if name == "customers" else "Sync"
    with suppress(SynclineError):
        return workflow.run(settings, ObjectKey("acme", kind, name), progress=Silent()).record
    return None


def files(home):
    """Files below a folder that have a canary."""
    found = {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    return sorted(name for name, data in found.items() if any(word.encode() in data for word in (CANARY, SECRET)))


def columns(url):
    """Columns of the state that have a canary, in any row."""
    found = set()
    database = open_postgresql(url, "syncline") if url.startswith("postgresql") else open_sqlite_reader(Path(url[10:]))
    with closing(database), database.read() as connection:
        for table in tables.metadata.sorted_tables:
            for row in connection.execute(table.select()).mappings():
                for name, value in row.items():
                    text = (
                        value.decode("latin-1") if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False)
                    )
                    if CANARY in text or SECRET in text:
                        found.add(f"{table.name}.{name}")
    return sorted(found)


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request):
    """URL of a state's database; '' for a file below the home folder."""
    if request.param == "sqlite":
        yield ""
        return
    with postgres_database(request.getfixturevalue("postgres_server_url")) as url:
        yield url


@pytest.fixture
def busy(tmp_path, state):
    """A house in which everything was done that there is to do with records and secrets."""
    with forge() as host, api_server(desk) as api:
        settings = lived_in(tmp_path / "repo", api.url, host, state)
        for _ in range(2):
            for name in FLOWS:
                run(settings, name)
            drift.look(settings, [ObjectKey("acme", "Integration", "forge")], heal=True)
            workflow.apply(settings)
        yield settings


def test_nothing_that_is_kept_has_a_value_or_a_secret(busy):
    """After runs, rejects, failures, webhooks, trials, comparisons and requests of people: no canary, in no file or column."""
    ended = {record.key.name: record for record in workflow.runs(busy, None, 50)}
    assert {name for name, record in ended.items() if record.finished} == set(FLOWS)
    assert ended["broken"].error_code == "SYN440"
    assert ended["contacts"].receipt is not None
    for name in ("people", "orders", "customers"):
        key = ObjectKey("acme", "Import" if name == "customers" else "Sync", name)
        workflow.preview(busy, key, limit=3)
        workflow.rehearse(busy, key, progress=Silent())
        workflow.compare(busy, key, progress=Silent())
    assert CANARY not in str(dumps(workflow.plan(busy, data=10)))
    subject = Subject("customer", f"{CANARY}2@example.com")
    assert privacy.export(busy, "acme", subject)
    privacy.erase(busy, "acme", subject, lambda _: None)
    for name in ("people", "customers"):
        run(busy, name)  # who was erased is kept away
    assert columns(busy.state_url) == []
    assert files(busy.home) == []


def test_who_may_see_values_is_told_them(busy):
    """What is sealed opens for who may read records: positions on receipts, and what an API said when a run failed."""
    by_name = {record.key.name: record for record in reversed(workflow.runs(busy, None, 50))}
    assert CANARY in str(workflow.find_run(busy, by_name["orders"].id).receipt["cursor_after"])
    assert by_name["orders"].receipt["cursor_after"] == "sealed"
    broken = by_name["broken"]
    assert broken.error == "GET /broken: …"
    (said,) = workflow.rejects(busy, broken.id)
    assert f"{CANARY}@example.com is locked" in said.message


def test_a_state_of_before_is_read_and_sealed_as_it_is_written(tmp_path, state):
    """Positions in the clear count: a run, a rehearsal and a look go on from them, and the next position is sealed."""
    with forge() as host, api_server(desk) as api:
        settings = lived_in(tmp_path / "repo", api.url, host, state)
        key = ObjectKey("acme", "Sync", "orders")
        first = run(settings, "orders")
        with closing(open_store(settings.state_url)) as store:
            store.put_cursor(key, copy_of(settings, key) or "")
            store.put_run(workflow.find_run(settings, first.id))
        assert {"cursors.checkpoint", "runs.receipt"} <= set(columns(settings.state_url))
        shutil.rmtree(settings.keys / "tenants")  # there was nothing to seal yet

        (found,) = drift.look(settings, [key])
        assert (found.unknown, found.drifted) == ("", False)
        assert workflow.rehearse(settings, key, progress=Silent()).counts.read == 0
        assert workflow.find_run(settings, first.id).receipt["cursor_after"] == first.receipt["cursor_after"]
        with closing(sqlite3.connect(tmp_path / "repo" / "shop.db")) as shop:
            shop.execute("INSERT INTO orders VALUES (?, ?)", (f"{CANARY}-9", 9))
            shop.commit()
        assert run(settings, "orders").counts.read == 1
        assert "cursors.checkpoint" not in columns(settings.state_url)
