"""Alertmanager: alerts are posted as a list, and read back with a fingerprint; it sends webhooks of its own."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.install import debian, program
from tests.peers.process import free_port, running
from tests.peers.web import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("prometheus-alertmanager",)
SETTINGS = """\
route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}
receivers:
- name: hook
  webhook_configs: [HOOKS]
"""


@dataclass(frozen=True)
class Alertmanager:
    """A running Alertmanager; `url` ends in `/api/v2`."""

    url: str


def install() -> None:
    """Its Debian package."""
    debian(*PACKAGES)


@contextmanager
def alertmanager(folder: Path, hook: str = "") -> Iterator[Alertmanager]:
    """An Alertmanager with an empty store, which notifies the URL `hook`."""
    install()
    settings = folder / "alertmanager.yml"
    settings.write_text(SETTINGS.replace("HOOKS", f"{{url: '{hook}'}}" if hook else ""))
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus-alertmanager"),
        f"--config.file={settings}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with running(command, folder, lambda: answers(f"http://{address}/-/ready")):
        yield Alertmanager(f"http://{address}/api/v2")
