"""Prometheus, which refuses a range of more than 11,000 points: what is asked for has to be split. It answers in gzip."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.peers.install import debian, program
from tests.peers.process import free_port, running
from tests.peers.web import answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGES = ("prometheus",)
#: A point each minute, from half a day ago until some time from now.
BEFORE, POINTS = 12 * 3600, 15 * 60


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus with the series `load`, whose points count from `begin` on; `url` ends in `/api/v1`."""

    url: str
    begin: int


def install() -> None:
    """Its Debian package."""
    debian(*PACKAGES)


@contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes nothing; its series was loaded from a file."""
    install()
    begin = int(time.time()) // 60 * 60 - BEFORE
    lines = [f'load{{host="a"}} {number}.5 {begin + 60 * number}' for number in range(POINTS)]
    (folder / "load.txt").write_text("\n".join(["# TYPE load gauge", *lines, "# EOF\n"]))
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    made = [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", "load.txt", "data"]
    subprocess.run(made, cwd=folder, check=True, capture_output=True)
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"),
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
    ]
    with running(command, folder, lambda: answers(f"http://{address}/-/ready")):
        yield Prometheus(f"http://{address}/api/v1", begin)
