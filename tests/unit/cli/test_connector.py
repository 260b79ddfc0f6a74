"""`syncline connector` against a real server: what is reached, what records look like, and what is left as evidence."""

from __future__ import annotations

import json
import sys

import pytest

from syncline.model.event import from_ocsf
from tests.api_server import Reply, api_server

MANIFESTS = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {title: Acme}
---
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: token, tenant: acme}
spec: {type: bearer, token: {secretRef: {provider: env, key: DESK_TOKEN}}}
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: helpdesk}
spec:
  version: 1.0.0
  auth: [bearer]
  config: {properties: {url: {format: uri}}, required: [url]}
  http: {url: "{{ config.url }}"}
  check: {get: /me, identity: email}
  streams:
    tickets:
      get: /tickets
      records: data
      key: [id]
      page: {cursor: next, into: query.cursor}
      schema:
        properties:
          id: {type: integer}
          subject: {type: string}
          requester: {type: object, properties: {email: {type: string, x-class: pii.email}}}
    raw: {get: /tickets, records: data}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: desk, tenant: acme}
spec: {connector: helpdesk, auth: token, config: {url: "URL"}}
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: files}
spec: {version: 1.0.0, runtime: file, config: {properties: {root: {format: path}}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: inbox, tenant: acme}
spec: {connector: files, config: {root: data}, streams: {people: {files: people.csv}, logs: {files: logs.jsonl}}}
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: sqlite}
spec: {version: 1.0.0, runtime: sql, config: {properties: {path: {format: path}}, required: [path]}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: sqlite, config: {path: warehouse/acme.db}}
"""
CANARY = "t0k3n-canary"


def answering(asked):
    """A helpdesk with five tickets, which says who asks and that it is deprecated."""
    if asked.headers.get("authorization") != f"Bearer {CANARY}":
        return Reply({"error": "no"}, status=401)
    if asked.path == "/me":
        return Reply(
            {"email": "bot@example.com"}, headers={"X-RateLimit-Remaining": "97", "Deprecation": "@1688169599"}
        )
    tickets = [
        {"id": i, "subject": f"Ticket {i}", "price": 1.5, "requester": {"email": f"u{i}@example.com"}}
        for i in range(1, 6)
    ]
    return Reply({"data": tickets, "next": None})


@pytest.fixture
def desk(tmp_path, monkeypatch, shell):
    """A repository whose helpdesk answers; nothing is applied."""
    with api_server(answering) as api:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "people.csv").write_text("id,e_mail\n1,a@example.com\n2,b@example.com\n", encoding="utf-8")
        (tmp_path / "data" / "logs.jsonl").write_text('{"at": "2026-01-01"}\n{"at": 1}\n', encoding="utf-8")
        (tmp_path / "all.yaml").write_text(MANIFESTS.replace("URL", api.url), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("DESK_TOKEN", CANARY)
        monkeypatch.setenv("SYNCLINE_EGRESS_PRIVATE", "127.0.0.1")
        api.folder = tmp_path  # type: ignore[attr-defined]  # for tests that change it
        yield api


def actions(shell):
    """Actions of the audit log, with their outcome and details."""
    lines = shell("audit", "show", "-o", "json", "--limit", "100").out.splitlines()
    events = [from_ocsf(json.loads(line)) for line in lines]
    return [(str(event.action), str(event.outcome), dict(event.details)) for event in events]


def test_check(desk, shell):
    """What was reached, as whom, and what its headers announce."""
    ended = shell("connector", "check", "desk")

    assert ended.code == 0
    first, *rest = ended.out.splitlines()
    assert first.startswith("OK: acme/Integration/desk answered in ")
    assert rest == [
        f"  reached  GET /me at {desk.url}, status 200",
        "  as       bot@example.com, with acme/AuthConfig/token (bearer)",
        "  tls      none",
        "  limit    X-RateLimit: 97 left",
        "warning: the API says that what answered is deprecated since 2023-06-30",
    ]


def test_check_leaves_evidence_and_no_secret(desk, shell):
    """The use of the secret is in the log, by its name; its value is nowhere."""
    ended = shell("connector", "check", "desk", "-o", "json")

    assert json.loads(ended.out)["ok"] is True
    found = actions(shell)
    assert [(a, o) for a, o, _ in found][-2:] == [("secret.use", "success"), ("connector.check", "success")]
    assert found[-2][2] == {"secret": "env:DESK_TOKEN"}
    everything = ended.out + "".join(
        p.read_text(encoding="utf-8", errors="replace") for p in desk.folder.rglob("*") if p.is_file()
    )
    assert CANARY not in everything


@pytest.mark.parametrize("form", ["text", "json"])
def test_check_that_fails(desk, shell, monkeypatch, form):
    """Refused credentials are 1, a system that is down is 5; in JSON the error is on standard output."""
    monkeypatch.setenv("DESK_TOKEN", "wrong")
    refused = shell("connector", "check", "desk", "-o", form)
    path = desk.folder / "all.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(desk.url, "http://127.0.0.1:9"), encoding="utf-8")
    down = shell("connector", "check", "desk", "-o", form)

    assert (refused.code, down.code) == (1, 5)
    for ended, code in ((refused, "SYN401"), (down, "SYN402")):
        shown = json.loads(ended.out)["error"]["code"] if form == "json" else ended.err
        assert code in shown
    assert [o for a, o, _ in actions(shell) if a == "connector.check"] == ["failure", "failure"]


def test_policy_denies_it_here_too(desk, shell):
    """What a run would be denied for is denied here, before anything is asked."""
    path = desk.folder / "all.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(desk.url, "http://desk.example.com"), encoding="utf-8")

    for command in (("check", "desk"), ("discover", "desk"), ("sample", "desk", "tickets")):
        ended = shell("connector", *command)
        assert (ended.code, "SYN505" in ended.err) == (3, True)
    assert desk.asked == []


def test_mistakes_elsewhere_dont_keep_it_from_being_tried(desk, shell):
    """A broken mapping is no reason not to look at a system; a broken integration is."""
    (desk.folder / "m.yaml").write_text("apiVersion: syncline/v1\nkind: Mapping\nmetadata: {name: m}\nspec: {}\n")
    assert shell("connector", "check", "desk").code == 0

    path = desk.folder / "all.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("auth: token, config", "aut: token, config"))
    ended = shell("connector", "check", "desk")
    assert (ended.code, "SYN201" in ended.err, "SYN650" in ended.err) == (1, True, True)


def test_check_of_files_and_databases(desk, shell):
    """Every runtime has a check; a database file is not made by it."""
    inbox, warehouse = shell("connector", "check", "inbox"), shell("connector", "check", "warehouse")

    assert inbox.code == warehouse.code == 0
    assert f"  reached  {desk.folder / 'data'}: readable and writable" in inbox.out
    assert "acme.db: not there yet; the first run makes it" in warehouse.out
    assert not (desk.folder / "warehouse").exists()
    assert not (desk.folder / ".syncline").exists()


def test_discover(desk, shell):
    """Fields as seen and as declared, what differs, and YAML that makes the difference go away when it is pasted."""
    ended = shell("connector", "discover", "desk", "tickets")

    assert ended.code == 0
    assert ended.out == (
        "desk/tickets: 5 records, 5 fields\n"
        "\n"
        "FIELD            TYPE     FORMAT  NULL   DECLARED\n"
        "id               integer          never  integer\n"
        "subject          string           never  string\n"
        "price            number           never  -\n"
        "requester        object           never  object\n"
        "requester.email  string   email   never  string, pii.email\n"
        "\n"
        "! price: not declared: number, in 5 of 5 records\n"
        "\n"
        "# streams.tickets.schema: {properties: …}\n"
        "price: {type: number}\n"
    )
    path = desk.folder / "all.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace(
            "          subject: {type: string}", "          subject: {type: string}\n          price: {type: number}"
        ),
        encoding="utf-8",
    )
    assert shell("connector", "discover", "desk", "tickets", "--exit-code").code == 0


def test_discover_of_what_is_read_for_parents(desk, shell):
    """A parent beside a record is no field of it: nothing is said of it, and no schema that would be refused is shown."""
    path = desk.folder / "all.yaml"
    text = path.read_text(encoding="utf-8")
    child = (
        '    notes:\n      for: {each: tickets, as: ticket, only: "id == `1`"}\n      get: "/tickets/{{ ticket.id }}/notes"\n'
        "      records: data[]\n      schema: {properties: {id: {type: integer}}}\n"
    )
    assert "  streams:\n" in text
    path.write_text(text.replace("  streams:\n", f"  streams:\n{child}", 1), encoding="utf-8")

    ended = shell("connector", "discover", "desk", "notes")

    assert ended.code == 0
    assert "ticket" not in ended.out.replace("tickets", "")
    assert "price: not declared" in ended.out


def test_discover_all_streams_as_json(desk, shell):
    """Without a name every stream is read; a difference is 10 when it is asked for. No value is shown."""
    ended = shell("connector", "discover", "desk", "-o", "json", "--exit-code")

    assert ended.code == 10
    found = json.loads(ended.out)
    assert [(s["stream"], s["records"]) for s in found["streams"]] == [("tickets", 5), ("raw", 5)]
    assert found["streams"][1]["add"]["requester"]["properties"]["email"]["x-class"] == "pii.email"
    assert "u1@example.com" not in ended.out


def test_discover_files(desk, shell):
    """Files are discovered as APIs are: CSV by its columns, JSON Lines by whole records."""
    ended = shell("connector", "discover", "inbox")

    assert ended.code == 0
    assert "! e_mail: looks like pii.email\n" in ended.out
    assert "at     integer or string          never  -\n" in ended.out


def test_sample_masks(desk, shell):
    """Classified values are masked unless it is asked for, and asking is evidence before anything is shown."""
    masked = shell("connector", "sample", "desk", "tickets", "--limit", "2", "-o", "jsonl")
    clear = shell("connector", "sample", "desk", "tickets", "--limit", "2", "-o", "jsonl", "--show-classified")

    assert [json.loads(line)["requester"] for line in masked.out.splitlines()] == [{"email": "***"}] * 2
    assert [json.loads(line)["requester"]["email"] for line in clear.out.splitlines()] == [
        "u1@example.com",
        "u2@example.com",
    ]
    reads = [details for action, _, details in actions(shell) if action == "connector.read"]
    assert [d["clear"] for d in reads] == [False, True, True]
    assert "u1@example.com" not in json.dumps(reads)


def test_sample_table(desk, shell):
    """A table for people says what is masked."""
    ended = shell("connector", "sample", "desk", "tickets", "--limit", "1")

    assert ended.out == (
        "desk/tickets: 1 record; masked: requester.email (pii.email)\n"
        "\n"
        "id  subject   requester\n"
        ' 1  Ticket 1  {"email": "***"}\n'
    )


def test_sample_of_what_isnt_declared(desk, shell):
    """A stream that there isn't is a mistake with a suggestion; so is a table."""
    assert "did you mean tickets?" in shell("connector", "sample", "desk", "tikets").err
    ended = shell("connector", "sample", "warehouse", "tasks")
    assert (ended.code, "SYN224" in ended.err) == (1, True)
    assert shell("connector", "check", "dusk").err.startswith("error[SYN650]: there is no Integration 'dusk'")


def test_helps_start_fast(shell):
    """The group's help imports nothing heavy: neither columns nor models."""
    import subprocess

    code = (
        "import sys; from syncline.cli.main import main; main(['connector', '--help']); "
        "print(sorted({'polars', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_receipt_tells_that_an_api_ends(desk, shell):
    """What headers of a run's answers announce is a note of its receipt, once."""
    (desk.folder / "flow.yaml").write_text(
        "apiVersion: syncline/v1\nkind: Mapping\nmetadata: {name: m, tenant: acme}\n"
        "spec: {key: [id], fields: [{to: id, from: id, type: integer}]}\n---\n"
        "apiVersion: syncline/v1\nkind: Sync\nmetadata: {name: s, tenant: acme}\n"
        "spec: {from: desk/me, mapping: m, to: warehouse/t, write: replace}\n",
        encoding="utf-8",
    )
    path = desk.folder / "all.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "    raw: {", "    me: {get: /me, fields: {add: {id: '`1`'}}}\n    raw: {"
    )
    path.write_text(text, encoding="utf-8")

    assert shell("apply", "--yes").code == 0
    ended = shell("run", "Sync/s", "-o", "json")

    assert json.loads(ended.out)["notes"] == [
        "127.0.0.1: the API says that what answered is deprecated since 2023-06-30"
    ]
