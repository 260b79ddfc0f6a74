"""Django REST framework, whose pages have numbers: one beyond the last is an error, and a size beyond the most is cut."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.install import python_environment
from tests.peers.process import free_port, running
from tests.peers.web import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("rest_framework_server.py")


@dataclass(frozen=True)
class RestFramework:
    """A running API with so many items at `/items/`, numbered from 1, of which it gives at most three a page."""

    url: str
    rows: int = 7


def install() -> Path:
    """The `bin` folder of its environment."""
    return python_environment("rest-framework", "django==5.2.8", "djangorestframework==3.16.1")


@contextmanager
def rest_framework(folder: Path) -> Iterator[RestFramework]:
    """An API on a free port."""
    python, port = install() / "python", free_port()
    system = RestFramework(f"http://127.0.0.1:{port}")
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"port": port, "database": str(folder / "items.db"), "rows": system.rows}))
    with running([python, "-P", SCRIPT, settings], folder, lambda: answers(f"{system.url}/items/")):
        yield system
