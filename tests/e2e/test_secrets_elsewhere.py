"""The canary beyond commands: in what auditors are handed, undone imports, a daemon's lines and answers, messages, editors."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
import sqlite3
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types

from tests import repository
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import TICKETS, helpdesk
from tests.e2e.daemon import delivered, probed, serving, until
from tests.e2e.house import settings_of
from tests.e2e.test_at_rest import CANARY as VALUE
from tests.e2e.test_at_rest import columns
from tests.e2e.test_secrets import AUTHS, CANARY, Echo, found_in, leaks, shell
from tests.editor import editing
from tests.look import Look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: A key of Standard Webhooks, which is a secret as well, and its digits alone.
HOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FRAMEWORKS = ("soc2", "iso27001", "gdpr", "ccpa", "hipaa")


def shown(text: str | bytes) -> list[str]:
    """The secrets that are in a text, in any form that they are sent in."""
    data = text.encode() if isinstance(text, str) else text
    return [*leaks(data), *([HOOK] if HOOK[6:].encode() in data else [])]


def unpacked(data: bytes, name: str = "") -> Iterator[tuple[str, bytes]]:
    """A file, and the files in it where it is a zip, whatever is in these."""
    yield name, data
    if zipfile.is_zipfile(BytesIO(data)):
        with zipfile.ZipFile(BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from unpacked(archive.read(member), f"{name}/{member}")


@pytest.fixture
def echo() -> Iterator[tuple[Echo, str]]:
    """An API that sends back what it was asked, running, and its URL."""
    service = Echo()
    with api_server(service) as server:
        yield service, server.url


@pytest.mark.parametrize("auth", ["basic", "query"])
def test_what_auditors_are_handed_has_no_secret(tmp_path, monkeypatch, echo, auth):
    """Bundles, proofs, attestations, packs for every framework and reports, of runs that failed and one that did not."""
    service, url = echo
    root, out = tmp_path / "repo", tmp_path / "out"
    out.mkdir()
    for name, value in {"CANARY": CANARY, "SYNCLINE_DEBUG": "1", "SYNCLINE_ACTOR": "tests"}.items():
        monkeypatch.setenv(name, value)
    repository.write(root, helpdesk(url, auth=AUTHS[auth]))
    monkeypatch.chdir(root)
    assert shell("apply", "--yes")[0] == 0
    for mode in ("unauthorized", "broken", "html", "cut", "right"):
        service.mode = mode
        shell("run", TICKETS)
    last, *failed = Look(settings_of(root).state_url).runs()
    assert last.receipt is not None
    assert failed
    today = f"{datetime.now(UTC):%Y-%m-%d}"

    said = [
        shell("audit", "export", "--out", f"{out}/bundle.zip", "--prove", "0"),
        shell("audit", "prove", "0", "--out", f"{out}/entry.tlog-proof"),
        shell("audit", "attest", last.id, "--out", f"{out}/run.sigstore.json"),
        shell("audit", "attest", last.id, "--output", "dsse"),
        shell("audit", "show", "--output", "json", "--limit", "1000"),
        shell("audit", "verify"),
        shell("runs", "report", last.id, "--out", f"{out}/report.html"),
        shell("runs", "report", last.id, "--values", "--output", "json", "--out", f"{out}/report.json"),
        shell("runs", "rejects", last.id, "--output", "json"),
        shell("snapshot", "export", "--out", f"{out}/snapshot.json"),
        shell("tenant", "certify", "acme", "--out", f"{out}/certified.sigstore.json"),
        shell("status", "--output", "json"),
        shell("events", "--output", "json"),
        shell("keys", "list", "--output", "json"),
        shell("secrets", "check", "--output", "json"),
    ]
    said += [shell("runs", "rejects", run.id, "--output", "json") for run in failed]
    said += [shell("runs", "report", run.id, "--values", "--output", "json") for run in failed]
    for framework in FRAMEWORKS:
        pack = ("--framework", framework, "--from", today, "--to", today, "--out", f"{out}/{framework}.zip")
        said.append(shell("evidence", "export", *pack, "--report", f"{out}/{framework}.html"))

    assert {code for code, _ in said} <= {0, 1}, said
    assert {path.name for path in out.iterdir()} >= {
        "bundle.zip", "entry.tlog-proof", "run.sigstore.json", "report.html", "report.json", "snapshot.json",
        *(f"{framework}.{form}" for framework in FRAMEWORKS for form in ("zip", "html")),
    }  # fmt: skip
    assert leaks(repr([(dict(a.headers), dict(a.query)) for a in service.seen]))
    members = [one for path in sorted(out.iterdir()) for one in unpacked(path.read_bytes(), path.name)]
    assert len(members) > 50
    assert [name for name, data in members if shown(data)] == []
    assert [text for _, text in said if shown(text)] == []
    assert found_in(root) == []


IMPORT = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: crm, tenant: acme}
spec:
  connector: file@^1
  config: {root: data}
  streams: {customers: {files: "customers*.csv", key: [email]}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: sqlite@^1, config: {path: warehouse.db}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: customer, tenant: acme}
spec:
  key: [email]
  fields: [{to: email, from: email, required: true}, {to: name, from: name, check: {maxLength: 40}}]
---
apiVersion: syncline/v1
kind: Import
metadata: {name: customers, tenant: acme}
spec:
  from: crm/customers
  mapping: customer
  to: warehouse/customers
  write: upsert
  guards: {maxRejects: 100%}
  rollback: {window: 7d}
"""


def test_nothing_of_an_undone_import_is_kept_in_the_clear(tmp_path, monkeypatch):
    """Before-images, rejects, state, log and what commands say: no value, while rows can be undone and after they were."""
    monkeypatch.setenv("SYNCLINE_ACTOR", "tests")
    tenant = "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {}\n"
    settings = repository.write(tmp_path, {"tenant.yaml": tenant, "import.yaml": IMPORT})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert shell("apply", "--yes")[0] == 0

    def ran(generation: int) -> tuple[int, str]:
        rows = [["email", "name"], *([f"{VALUE}{n}@example.com", f"{VALUE} {generation}"] for n in range(20))]
        with (tmp_path / "data" / "customers.csv").open("w", newline="") as file:
            csv.writer(file).writerows([*rows, [f"{VALUE}-bad", VALUE * 9]])
        return shell("run", "acme/Import/customers")

    def kept() -> list[str]:
        """Where a value is in the clear: files of ours, columns of the state, what is kept beside the rows."""
        ours = [str(p) for p in settings.home.rglob("*") if p.is_file() and VALUE.encode() in p.read_bytes()]
        with closing(sqlite3.connect(tmp_path / "warehouse.db")) as warehouse:
            names = [n for (n,) in warehouse.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            beside = [
                n
                for n in names
                if n != "customers" and VALUE in repr(warehouse.execute(f'SELECT * FROM "{n}"').fetchall())
            ]
            assert len(names) > 2
        return [*ours, *columns(settings.state_url), *beside]

    said = [ran(1), ran(2)]
    assert [code for code, _ in said] == [4, 4], said
    assert kept() == []
    second, first = Look(settings.state_url).runs()
    said += [shell("runs", "rollback", second.id)]
    said += [shell("runs", "rollback", run.id, "--yes", "--output", "json") for run in (second, first)]
    said += [shell("runs", "list"), shell("runs", "show", second.id), shell("audit", "show", "--output", "json")]

    assert {code for code, _ in said[2:]} == {0}, said
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as warehouse:
        assert warehouse.execute("SELECT count(*) FROM customers").fetchone() == (0,)
    assert kept() == []
    assert [text for _, text in said if VALUE in text] == []


SUBSCRIPTION = """\
apiVersion: syncline/v1
kind: Subscription
metadata: {name: ops, tenant: acme}
spec:
  on: [incident, run.finish, apply.finish]
  wait: 1s
  do: {webhook: {url: "URL/hook", secret: {secretRef: {provider: env, key: HOOK_SECRET}}}}
"""
SCHEDULE = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: often, tenant: acme}
spec: {every: 1s, run: [Sync/tickets]}
"""


def asked_since(service: Echo, before: int) -> bool:
    """Whether the API was asked twice since then, so that something became of the first time."""
    return len(service.seen) > before + 1


@pytest.mark.slow
@pytest.mark.parametrize("auth", ["basic", "query"])
def test_a_daemon_and_its_messages_say_no_secret(tmp_path, remote, echo, auth):
    """Lines, probes, answers to deliveries and texts of messages, while the API sends its credential back in every way."""
    service, url = echo
    root = tmp_path / "home"
    root.mkdir()
    came: list[bytes] = []

    def receive(asked: Asked) -> Reply:
        came.append(asked.body)
        return Reply({})

    service.mode = "unauthorized"
    environ = {"CANARY": CANARY, "HOOK_SECRET": HOOK, "SYNCLINE_DEBUG": "1"}
    options = ("--health", "127.0.0.1:0", "--hook", "127.0.0.1:0", "--hook-secret", "env:HOOK_SECRET")
    answers: list[object] = []
    with api_server(receive) as receiver:
        texts = helpdesk(url, auth=AUTHS[auth])
        more = {"schedule.yaml": SCHEDULE, "ops.yaml": SUBSCRIPTION.replace("URL", receiver.url)}
        commit = remote.push(texts | more)
        with serving(root, remote, *options, environ=environ) as daemon:
            port = int(daemon.says("probes at").split("127.0.0.1:")[1].split("/")[0])
            hook = int(daemon.says("push webhooks at").split("127.0.0.1:")[1].split("/")[0])
            daemon.says(f"{commit[:12]} is applied")
            for mode in ("unauthorized", "broken", "html", "cut", "right"):
                service.mode = mode
                until(partial(asked_since, service, len(service.seen)), lambda: "\n".join(daemon.said))
                answers += [probed(port, path) for path in ("/healthz", "/readyz", f"/metrics?key={mode}")]
            answers.append(delivered(hook, commit, "not " + HOOK))
            bad = remote.push({**texts, **more, "bad.yaml": SCHEDULE.replace("often", f'"{mode}!"')})
            daemon.says(f"{bad[:12]} isn't applied")
            until(lambda: any(b"run.finish" in body for body in came), lambda: "\n".join(daemon.said))
            until(lambda: any(b"incident.open" in body for body in came), lambda: "\n".join(daemon.said))
            answers.append(probed(port, "/readyz"))
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(30) == 0

    assert any(leaks(repr([dict(a.headers), dict(a.query)])) for a in service.seen)
    assert [line for line in daemon.said if shown(line)] == []
    assert [body for body in came if shown(body)] == []
    assert not shown(json.dumps(answers))
    assert found_in(root) == []
    assert columns(settings_of(root).state_url) == []


def test_an_editor_is_shown_no_secret(tmp_path):
    """Findings, hovers, completions, definitions and fixes at every place of a file that has a credential in plain text."""
    word = "q8Zr2LmX0vTy" + "7KdP4wNb"
    texts = helpdesk("http://127.0.0.1:1", auth="{type: bearer, token: SECRET, tokn: SECRET}".replace("SECRET", word))
    texts["tenant.yaml"] += f"# {word}\n"
    repository.write(tmp_path, texts)
    lines = texts["auth.yaml"].splitlines()
    assert any(word in line for line in lines)

    async def look() -> Sequence[object]:
        async with editing(tmp_path, environ={"CANARY": CANARY}) as editor:
            for name in texts:
                editor.open(name)
            await editor.settled("auth.yaml", 1)
            document = types.TextDocumentIdentifier(editor.uri("auth.yaml"))
            found: list[object] = [editor.shown, editor.messages]
            for number, line in enumerate(lines):
                for character in range(0, len(line) + 1, 3):
                    here = types.Position(number, character)
                    found.append(await editor.text_document_hover_async(types.HoverParams(document, here)))
                    found.append(await editor.text_document_completion_async(types.CompletionParams(document, here)))
                    found.append(await editor.text_document_definition_async(types.DefinitionParams(document, here)))
                    asked = types.CodeActionParams(document, types.Range(here, here), types.CodeActionContext([]))
                    found.append(await editor.text_document_code_action_async(asked))
            assert any("SYN210" in codes for codes in [editor.codes("auth.yaml")])
            return found

    said = repr(asyncio.run(look()))
    assert "SYN210" in said
    assert word not in said
    assert not leaks(said)
