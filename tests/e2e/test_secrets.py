"""A canary: a secret that is used everywhere and must be found nowhere, in none of the forms that it is sent in."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlsplit

import pytest
from click.testing import CliRunner

from syncline import workflow
from syncline.cli.main import main
from tests import repository
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import TICKETS, helpdesk, syncline
from tests.e2e.house import Scenario, audit_events, customers, settings_of
from tests.look import Look

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = 'c4n4ry-7f3a/+=&%"$-9b1c'
USER = "robot"
FORMS = tuple(
    {
        CANARY,
        quote(CANARY),
        quote(CANARY, safe=""),
        quote_plus(CANARY),
        json.dumps(CANARY)[1:-1],
        *(
            code(text.encode()).decode().rstrip("=")
            for code in (base64.b64encode, base64.urlsafe_b64encode, base64.b16encode)
            for text in (CANARY, f"{USER}:{CANARY}")
        ),
    }
)

AUTHS = {
    "bearer": "{type: bearer, token: {secretRef: {provider: env, key: CANARY}}}",
    "basic": f"{{type: basic, username: {USER}, password: {{secretRef: {{provider: env, key: CANARY}}}}}}",
    "query": "{type: api_key, in: query, name: key, value: {secretRef: {provider: env, key: CANARY}}}",
    "header": "{type: api_key, in: header, name: X-Key, value: {secretRef: {provider: env, key: CANARY}}}",
}


def leaks(text: str | bytes) -> list[str]:
    """The forms of the canary that are in a text."""
    data = text.encode() if isinstance(text, str) else text
    return [form for form in FORMS if form.encode() in data]


def found_in(root: Path) -> list[str]:
    """Files under a folder that have the canary in them."""
    return [str(path) for path in sorted(root.rglob("*")) if path.is_file() and leaks(path.read_bytes())]


class Echo:
    """An API that sends back what it was asked: in errors, pages of HTML, cursors, and broken records."""

    def __init__(self) -> None:
        self.mode = "right"
        self.seen: list[Asked] = []

    def __call__(self, asked: Asked) -> Reply:
        self.seen.append(asked)
        sent = f"{CANARY} {quote(CANARY, safe='')} {dict(asked.headers)} {asked.path} {dict(asked.query)}"  # cut at its end
        match self.mode:
            case "unauthorized":
                return Reply({"error": sent}, status=401, headers={"WWW-Authenticate": f'Bearer realm="{quote(sent)}"'})
            case "broken":
                return Reply({"error": sent}, status=500)
            case "html":
                return Reply(f"<html>{sent}</html>".encode(), content_type="text/html")
            case "cut":
                return Reply({"data": [{"id": 1, "title": sent}]}, cut=40)
            case _:
                return Reply({"data": [{"id": 1, "title": "t" * 200}, {"id": 2, "title": "good"}], "next": None})


@pytest.fixture
def echo() -> Iterator[tuple[Echo, str]]:
    """The API, running, and its URL."""
    service = Echo()
    with api_server(service) as server:
        yield service, server.url


def shell(*args: str) -> tuple[int, str]:
    """A command line in this process: its exit code, and everything that it said."""
    with CliRunner().isolation() as (out, err, _):
        code = main(list(args))
        return code, out.getvalue().decode() + err.getvalue().decode()


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("debug", ["", "1"])
def test_a_secret_is_used_and_found_nowhere(tmp_path, monkeypatch, echo, auth, debug):
    """Validate, plan, apply, runs that succeed and fail in every way: no output and no file has the secret."""
    service, url = echo
    for name, value in {"CANARY": CANARY, "SYNCLINE_DEBUG": debug, "SYNCLINE_ACTOR": "tests"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    repository.write(tmp_path, helpdesk(url, auth=AUTHS[auth]))
    said = [
        shell("validate"),
        shell("plan", "--out", "plan.json"),
        shell("plan", "-o", "json"),
        shell("apply", "plan.json", "--yes"),
    ]
    assert [code for code, _ in said] == [0, 0, 0, 0], said
    for mode in ("unauthorized", "broken", "html", "cut"):
        service.mode = mode
        code, text = shell("run", TICKETS)
        assert code in {1, 5}, (mode, text)
        said.append((code, text))
    service.mode = "right"
    code, text = shell("run", TICKETS, "-o", "json")
    assert code == 4, text
    run = json.loads(text[text.index("{\n") :].rpartition("}")[0] + "}")["run"]
    said += [
        (code, text),
        shell("runs", "list"),
        shell("runs", "show", run, "-o", "json"),
        shell("runs", "rejects", run),
    ]
    said += [shell("run", TICKETS, "--dry-run"), shell("audit", "show"), shell("doctor")]

    assert any(leaks(repr([dict(a.headers), dict(a.query)])) for a in service.seen)  # it was sent
    for _, text in said:
        assert not leaks(text), text
    settings = settings_of(tmp_path)
    assert not leaks(json.dumps([str(r) for r in Look(settings.state_url).runs()]))
    assert not leaks(json.dumps([r.record for r in workflow.rejects(settings, run)]))
    assert not leaks(json.dumps(audit_events(settings)))
    assert any(e["metadata"]["event_code"] == "secret.use" for e in audit_events(settings))
    assert found_in(tmp_path) == []


@pytest.mark.slow
def test_a_process_says_no_secret_with_its_tracebacks(tmp_path, echo):
    """The same as a process of its own, with tracebacks asked for."""
    service, url = echo
    repository.write(tmp_path, helpdesk(url, auth=AUTHS["query"]))
    extra = {"CANARY": CANARY, "SYNCLINE_DEBUG": "1", "PYTHONDEVMODE": "1"}
    service.mode = "html"
    for args in (("apply", "--yes"), ("run", TICKETS)):
        done = syncline(tmp_path, *args, extra=extra)
        assert not leaks(done.stdout + done.stderr), done.stderr
        assert done.returncode in {0, 1}, done.stderr
    assert service.seen
    assert found_in(tmp_path) == []


def test_a_database_password_is_found_nowhere(tmp_path, monkeypatch, postgres_url):
    """A password that works, a database that isn't there, a port that nobody answers, and a state that can't be had."""
    for name, value in {"WAREHOUSE_PASSWORD": CANARY, "SYNCLINE_DEBUG": "1", "SYNCLINE_ACTOR": "tests"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    customers(tmp_path, 10)
    parts = urlsplit(postgres_url)
    server = f"postgresql://{parts.username}@{parts.hostname}"
    said = []
    for database, codes in (
        (f"{server}:{parts.port or 5432}{parts.path}", {1, 4}),  # 1 where the server does check passwords
        (f"{server}:{parts.port or 5432}/nowhere", {1}),
        (f"{server}:1/nowhere", {5}),
    ):
        repository.write(tmp_path, Scenario("upsert", database, "canary").texts)
        assert shell("apply", "--yes")[0] == 0
        code, text = shell("run", "acme/Sync/customers")
        assert code in codes, text
        said.append(text)
    monkeypatch.setenv("SYNCLINE_STATE", f"postgresql://postgres:{quote(CANARY, safe='')}@127.0.0.1:1/nowhere")
    said += [shell("plan")[1], shell("apply", "--yes")[1], shell("doctor")[1]]
    for text in said:
        assert not leaks(text), text
    assert found_in(tmp_path) == []
