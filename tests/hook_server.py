"""A code host of the tests: the webhooks of one repository, as Gitea's API has them. Its secrets are never shown."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Hooks on a page.
PAGE = 2
TOKEN = "t0ken-of-the-code-host"

CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: forge}
spec:
  version: 1.0.0
  auth: [bearer]
  config: {properties: {url: {format: uri}, owner: {}, repository: {}}, required: [url, owner, repository]}
  http:
    url: "{{ config.url }}/api/v1"
    retry: {on: [5xx, timeout, connection], attempts: 1}
  check: {get: /version}
  webhooks:
    stream: hooks
    url: config.url
    events: events
    active: active
    create:
      post: "/repos/{{ config.owner }}/{{ config.repository }}/hooks"
      body:
        type: gitea
        active: true
        events: "{{ webhook.events }}"
        config: {url: "{{ webhook.url }}", content_type: json, secret: "{{ webhook.secret }}"}
    update:
      patch: "/repos/{{ config.owner }}/{{ config.repository }}/hooks/{{ webhook.id }}"
      body:
        active: true
        events: "{{ webhook.events }}"
        config: {url: "{{ webhook.url }}", content_type: json, secret: "{{ webhook.secret }}"}
    delete: {delete: "/repos/{{ config.owner }}/{{ config.repository }}/hooks/{{ webhook.id }}"}
  streams:
    hooks:
      get: "/repos/{{ config.owner }}/{{ config.repository }}/hooks"
      records: "[]"
      key: [id]
      page: {link: next}
"""


@dataclass
class Forge:
    """What the code host has, and what it was asked."""

    port: int = 0
    hooks: dict[int, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[int, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refuses: str = ""
    says: Callable[[str], str] = str  # how a refusal repeats the secret
    dies_after: str = ""  # the request of this method is carried out, and its answer is lost
    forbids: str = ""  # requests of this method are refused
    keeps: int = 0  # this hook isn't deleted
    token: str = TOKEN
    last: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, document: dict[str, Any]) -> int:
        """A new hook; its id."""
        self.last += 1
        self.hooks[self.last] = {"id": self.last}
        self.change(self.last, document)
        return self.last

    def change(self, number: int, document: dict[str, Any]) -> None:
        """Changes a hook as PATCH does."""
        config = dict(document.get("config") or {})
        if "secret" in config:
            self.secrets[number] = config.pop("secret")
        self.hooks[number] |= {**document, "config": config or self.hooks[number].get("config", {})}

    def changes(self) -> list[str]:
        """The requests that changed something."""
        return [line for line in self.asked if not line.startswith("GET")]


@contextmanager
def forge() -> Iterator[Forge]:
    """A code host on a free port."""
    state = Forge()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else {}
            with lock:
                state.asked.append(f"{self.command} {path}")
                status, document, headers = self._found(path, query, body)
            if self.command == state.dies_after:
                self.close_connection = True
                return
            data = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json", "Content-Length": len(data)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(data if status != 204 else b"")

        def _found(self, path: str, query: str, body: dict[str, Any]) -> tuple[int, Any, dict[str, Any]]:
            if self.headers.get("Authorization") != f"Bearer {state.token}":
                return 401, {"message": "token is required"}, {}
            base = "/api/v1/repos/acme/flows/hooks"
            number = int(path.removeprefix(f"{base}/") or 0) if path != base else 0
            if number and number not in state.hooks:
                return 404, {"message": "no such hook"}, {}
            match self.command:
                case "GET":
                    page = int(dict(part.split("=") for part in query.split("&") if part).get("page", 1))
                    found = list(state.hooks.values())[(page - 1) * PAGE : page * PAGE]
                    more = len(state.hooks) > page * PAGE
                    link = {"Link": f'<{state.url}{base}?page={page + 1}>; rel="next"'} if more else {}
                    return 200, found, link
                case "POST" | "PATCH" if state.refuses:
                    return 422, {"message": f"{state.refuses}: {state.says(body['config']['secret'])}"}, {}
                case state.forbids:
                    return 403, {"message": "not by this token"}, {}
                case "DELETE" if number == state.keeps:
                    return 409, {"message": "it is locked"}, {}
                case "POST":
                    return 201, state.hooks[state.add(body)], {}
                case "PATCH":
                    state.change(number, body)
                    return 200, state.hooks[number], {}
                case _:
                    del state.hooks[number]
                    return 204, {}, {}

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def manifests(forge: Forge, webhooks: str, tenant: str = "") -> dict[str, str]:
    """A tenant whose integration with the code host declares these webhooks, and what the tenant says of drift."""
    drift = f", drift: {tenant}" if tenant else ""
    head = "apiVersion: syncline/v1\nkind: "
    return {
        "connector.yaml": CONNECTOR,
        "tenant.yaml": f"{head}Tenant\nmetadata: {{name: acme}}\nspec: {{egress: {{private: [127.0.0.1]}}{drift}}}\n",
        "auth.yaml": f"{head}AuthConfig\nmetadata: {{name: forge, tenant: acme}}\n"
        "spec: {type: bearer, token: {secretRef: {provider: env, key: FORGE_TOKEN}}}\n",
        "forge.yaml": f"{head}Integration\nmetadata: {{name: forge, tenant: acme}}\nspec:\n  connector: forge@^1\n"
        f"  auth: forge\n  config: {{url: '{forge.url}', owner: acme, repository: flows}}\n"
        f"  webhooks: {webhooks}\n",
    }
