"""MLflow: webhooks are registered there as they are declared, what it sends is signed with the declared secret, and drift heals."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from syncline import drift, workflow
from syncline.executor.drift.webhook_steps import registered
from syncline.model.key import ObjectKey
from tests.e2e.daemon import Remote, serving, until
from tests.e2e.house import audit_ok, build, settings_of
from tests.look import Look
from tests.peers.house import CONNECTORS

MODELS = ObjectKey("acme", "Integration", "models")
SECRET = "mlflow-canary-4711"
EVENT = "REGISTERED_MODEL.CREATED"


@contextmanager
def receiver():
    """Where webhooks are sent to: its URL, and what came, as headers and body."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append((self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/events", came
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def mlflow_alone(mlflow):
    """MLflow without webhooks."""
    for webhook in mlflow.webhooks():
        mlflow.ask("DELETE", f"webhooks/{webhook['webhook_id']}")
    return mlflow


def manifests(mlflow, url, *, reaction="report", every="1h"):
    """An integration that wants to be told of new models at a URL."""
    head = "apiVersion: syncline/v1\nkind: "
    webhook = f"{{url: '{url}', events: [{EVENT}], secret: {{secretRef: {{provider: env, key: HOOK_SECRET}}}}}}"
    return {
        "connector.yaml": (CONNECTORS / "mlflow.yaml").read_text(),
        "tenant.yaml": f"{head}Tenant\nmetadata: {{name: acme}}\n"
        f"spec: {{egress: {{private: [127.0.0.1]}}, drift: {{every: {every}, webhooks: {reaction}}}}}\n",
        "models.yaml": f"{head}Integration\nmetadata: {{name: models, tenant: acme}}\n"
        f"spec: {{connector: mlflow@^1, config: {{url: '{mlflow.url}'}}, webhooks: {{new-models: {webhook}}}}}\n",
    }


def genuine(headers, body):
    """Whether a delivery is signed with the secret, as MLflow documents it."""
    signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.".encode() + body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    return headers["X-MLflow-Signature"] == f"v1,{base64.b64encode(digest).decode()}"


def applied(root, texts):
    """The settings of a repository that is applied, whose commands know the secret."""
    settings = build(root, texts)
    settings = replace(settings, environ={**settings.environ, "HOOK_SECRET": SECRET})
    workflow.apply(settings, allow_deletes=True)
    return settings


def found(settings, *, heal=False):
    """What a look finds, as cause and message, besides others' webhooks."""
    (one,) = drift.look(settings, [MODELS], heal=heal)
    assert not one.unknown
    return [(finding.cause, finding.message) for finding in one.findings if finding.cause != "noise"]


def test_what_is_registered_is_sent_signed_and_what_is_changed_there_is_told_and_healed(tmp_path, mlflow_alone):
    """
    Once registered, a new model is told with the declared secret's signature. Disabled, sent elsewhere, of other events,
    deleted: each is seen and brought back, beside others' webhooks over two pages, which stay; left out, it is gone.
    """
    mlflow = mlflow_alone
    others = [
        mlflow.ask("POST", "webhooks", {"name": f"other-{n}", "url": "http://127.0.0.1:9/", "events": [VERSIONS]})
        for n in range(3)
    ]
    with receiver() as (url, came):
        settings = applied(tmp_path, manifests(mlflow, url))
        assert found(settings) == [("intent", "it isn't registered yet")]
        assert found(settings, heal=True) == []

        mlflow.model("first")
        [(headers, body)] = until(lambda: came)
        assert genuine(headers, body)
        assert json.loads(body)["data"]["name"] == "first"

        for change, message in CHANGES.items():
            ours = only(mlflow, url)
            mlflow.ask("PATCH", f"webhooks/{ours}", json.loads(change))
            assert found(settings) == [("actor", message)]
            assert found(settings, heal=True) == []
            assert only(mlflow, url) == ours
        mlflow.ask("DELETE", f"webhooks/{only(mlflow, url)}")
        assert ("actor", "it was deleted") in found(settings)
        assert found(settings, heal=True) == []

        came.clear()
        mlflow.model("second")
        assert genuine(*until(lambda: came)[0])

    texts = manifests(mlflow, url)
    texts["models.yaml"] = texts["models.yaml"].partition(", webhooks:")[0] + "}\n"
    settings = applied(tmp_path, texts)
    found(settings, heal=True)
    assert sorted(w["webhook_id"] for w in mlflow.webhooks()) == sorted(o["webhook"]["webhook_id"] for o in others)
    assert audit_ok(settings)
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert kept == []


#: Versions of models are what others are told of.
VERSIONS = {"entity": "MODEL_VERSION", "action": "CREATED"}
#: What somebody does to a webhook there, and how that is told.
CHANGES = {
    json.dumps({"status": "DISABLED"}): "it is disabled",
    json.dumps({"url": "http://127.0.0.1:9/elsewhere"}): "it is sent to another URL, at 127.0.0.1",
    json.dumps({"events": [VERSIONS]}): f"it is sent MODEL_VERSION.CREATED instead of {EVENT}",
}


def only(mlflow, url):
    """The id of the one webhook that is sent to a URL, enabled."""
    [one] = [w for w in mlflow.webhooks() if w["url"] == url and w["status"] == "ACTIVE"]
    return one["webhook_id"]


def known_id(root):
    """The id under which the state of a daemon knows the webhook."""
    known = registered(Look(settings_of(root).state_url).cursor(MODELS)).get("new-models")
    return known.id if known else ""


def test_a_daemon_registers_it_and_brings_it_back(tmp_path, mlflow_alone, monkeypatch):
    """A commit registers it; deleted there, it is registered again and a new model is told, with nobody doing anything."""
    mlflow = mlflow_alone
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    remote, root = Remote(tmp_path), Path(tmp_path / "home")
    root.mkdir()
    with receiver() as (url, came):
        commit = remote.push(manifests(mlflow, url, reaction="heal", every="1s"))
        with serving(root, remote) as daemon:
            daemon.says(f"{commit[:12]} is applied")
            [first] = until(mlflow.webhooks, lambda: "\n".join(daemon.said))
            # Deleted before the daemon has found it in the list, it would wait for a person.
            until(lambda: known_id(root) == first["webhook_id"], lambda: "\n".join(daemon.said))
            mlflow.ask("DELETE", f"webhooks/{first['webhook_id']}")
            [second] = until(mlflow.webhooks, lambda: "\n".join(daemon.said))
            mlflow.model("third")
            assert genuine(*until(lambda: came)[0])
    assert second["webhook_id"] != first["webhook_id"]
