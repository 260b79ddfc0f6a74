"""`syncline dev` as a process: it shows what a change means, and applies to its scratch state only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests import repository, warm
from tests.e2e.daemon import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def watching(root: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The process, and the lines that it has written so far."""
    command = [sys.executable, "-m", "syncline", "--root", str(root), "dev", *options]
    said: list[str] = []
    with warm.Popen(
        command, env={**os.environ, "NO_COLOR": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        listener = threading.Thread(target=said.extend, args=(iter(process.stdout.readline, ""),), daemon=True)
        listener.start()
        try:
            yield process, said
        finally:
            process.kill()
            listener.join()


def says(said: list[str], text: str) -> None:
    until(lambda: any(text in line for line in said), lambda: "".join(said))


@pytest.mark.slow
def test_each_change_shows_its_plan_or_its_findings(tmp_path):
    """The plan at first, the findings of a mistake, the plan again; the state isn't even made, and to be ended is no failure."""
    settings = repository.write(tmp_path, repository.CUSTOMERS)
    with watching(tmp_path) as (process, said):
        says(said, "to create")
        mapping = tmp_path / "mapping.yaml"
        kept = mapping.read_text()
        mapping.write_text(kept.replace("kind: Mapping", "kind: Maping"))
        says(said, "Maping")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not (settings.home / "state.db").exists()


@pytest.mark.slow
def test_apply_goes_to_the_scratch_state_only(tmp_path):
    """A good change is applied where nothing else looks, whatever the state of the repository is."""
    settings = repository.write(tmp_path, repository.CUSTOMERS)
    with watching(tmp_path, "--apply") as (_, said):
        says(said, "Applied to the scratch state")
        says(said, "serial")
    assert not (settings.home / "state.db").exists()
    assert (settings.home / "dev" / "state.db").exists()
