"""MLflow: a registry of models that registers webhooks by its API, and signs what it sends as Standard Webhooks does."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.peers.install import python_environment
from tests.peers.process import free_port, running
from tests.peers.web import answers, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

#: It keeps secrets under this key, refuses addresses that aren't public, and has a cache of webhooks.
ENVIRONMENT = {
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": base64.urlsafe_b64encode(b"a-key-for-tests!" * 2).decode(),
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    "MLFLOW_WEBHOOK_CACHE_TTL": "1",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True)
class Mlflow:
    """A running MLflow."""

    url: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a request; the path is below that of its API."""
        return ask(method, f"{self.url}/api/2.0/mlflow/{path}", body).ok()

    def webhooks(self) -> list[dict[str, Any]]:
        """The webhooks that are registered."""
        return list(self.ask("GET", "webhooks").get("webhooks", ()))

    def model(self, name: str) -> None:
        """Registers a model, which is an event."""
        self.ask("POST", "registered-models/create", {"name": name})


def install() -> Path:
    """The folder of its program."""
    return python_environment("mlflow", "mlflow==3.17.2")


@contextmanager
def mlflow(folder: Path) -> Iterator[Mlflow]:
    """An MLflow on a SQLite file, without models."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [install() / "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    with running(command, folder, lambda: answers(f"{url}/health"), env=ENVIRONMENT):
        yield Mlflow(url)
