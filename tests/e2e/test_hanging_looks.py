"""Systems that hang while a flow is only looked at: the look is given up after the flow's progress deadline."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.errors import Again
from syncline.model.key import ObjectKey
from tests.api_server import Reply, api_server
from tests.e2e.api import TICKETS, helpdesk
from tests.e2e.house import FLOW, Scenario, build, customers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from syncline.settings import Settings
    from tests.api_server import Asked

LOOKS: dict[str, Callable[[Settings, ObjectKey], object]] = {
    "preview": lambda settings, key: workflow.preview(settings, key, limit=1_000),
    "rehearse": lambda settings, key: workflow.rehearse(settings, key, progress=Silent()),
    "compare": lambda settings, key: workflow.compare(settings, key, progress=Silent()),
}


@contextmanager
def helpdesk_that_hangs(root: Path) -> Iterator[Settings]:
    """A repository that is applied and has run, whose API answers nothing more until the block ends."""
    hangs, over = threading.Event(), threading.Event()

    def answer(asked: Asked) -> Reply:
        del asked
        if hangs.is_set():
            over.wait(120)
        return Reply({"data": [{"id": 1, "title": "printer", "hours": 1}]})

    with api_server(answer) as server:
        settings = build(root, impatient(helpdesk(server.url)))
        workflow.apply(settings)
        workflow.run(settings, ObjectKey.parse(TICKETS), progress=Silent())
        hangs.set()
        try:
            yield settings
        finally:
            over.set()


def impatient(texts: dict[str, str]) -> dict[str, str]:
    """The files of a repository, whose flow waits for two seconds."""
    return {name: text.replace("read: ", "progressDeadline: 2s, read: ", 1) for name, text in texts.items()}


@pytest.mark.parametrize("look", LOOKS)
def test_a_source_that_hangs_is_given_up(tmp_path: Path, look: str):
    """A preview, a rehearsal and a comparison wait for an API that doesn't answer as long as a run would."""
    with helpdesk_that_hangs(tmp_path) as settings:
        began = time.monotonic()
        with pytest.raises(Again, match="source made no progress for 2 s") as caught:
            LOOKS[look](settings, ObjectKey.parse(TICKETS))
    assert caught.value.code == "SYN467"
    assert time.monotonic() - began < 60  # and not the minutes for which the API would be asked again


def test_a_forecast_says_that_a_source_hangs(tmp_path: Path):
    """A plan with data is made although an API doesn't answer, and says so."""
    with helpdesk_that_hangs(tmp_path) as settings:
        sync = tmp_path / "sync.yaml"
        sync.write_text(sync.read_text().replace("from: title", "from: 'upper(title)'"))
        (forecast,) = workflow.plan(settings, data=100).data
    assert forecast.problem.startswith("SYN467 the source made no progress for 2 s")


def test_a_destination_that_hangs_is_given_up(tmp_path: Path, postgres_url: str):
    """A comparison that waits for a lock in a database is given up, and works once the lock is gone."""
    scenario = Scenario("upsert", destination=postgres_url, schema="hangs_in_looks")
    settings = build(tmp_path, impatient(dict(scenario.texts)))
    customers(tmp_path, 20)
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE hangs_in_looks.customers IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Again, match="destination made no progress for 2 s") as caught:
            LOOKS["compare"](settings, FLOW)
        assert caught.value.code == "SYN467"
        rehearsal = workflow.rehearse(settings, FLOW, progress=Silent())
        assert rehearsal.note.startswith("SYN467 the destination made no progress")
    assert workflow.compare(settings, FLOW, progress=Silent()).equal
