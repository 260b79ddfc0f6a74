"""Exceptions stop counting at their end, wherever policy is asked: the last day (UTC) is over for all at once."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from syncline import validation, workflow
from syncline.editor import checking
from syncline.editor.repository import Repository
from syncline.executor import engine as engines
from syncline.executor.batches import watch
from syncline.executor.flows.opening import Opener
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.model.errors import Denied
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.reconciler import apply as applying
from tests.e2e.house import audit_events
from tests.repository import edited, write
from tests.unit.policy.decisions import with_policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from syncline.settings import Settings

FLOW = ObjectKey("acme", "Import", "customers")
ABROAD = edited("files.yaml", "region: eu-west, config: {path", "region: us-east, config: {path")


def excepted(until: dt.date) -> dict[str, str]:
    """Personal data goes abroad, by an exception until a day."""
    granted = f"{{rule: residency, objects: ['*'], owner: dpo, reason: a move, until: {until}}}"
    return with_policy(f"  exceptions:\n  - {granted}\n", ABROAD, shared=True)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A repository whose exception ends with today, with two files of a customer each."""
    made = write(tmp_path, excepted(dt.datetime.now(dt.UTC).date()))
    (tmp_path / "data").mkdir()
    for number in (1, 2):
        (tmp_path / "data" / f"customers-{number}.csv").write_text(f"id,name,email\n{number},A,a{number}@example.com\n")
    return made


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the next day begin, for all that ask for the time to judge by policy."""

    class Later(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return dt.datetime.now(tz) + dt.timedelta(days=1)

    def begins() -> None:
        for module in (validation, engines, watch, applying):
            monkeypatch.setattr(module, "dt", SimpleNamespace(**vars(dt) | {"datetime": Later}))

    return begins


def denied(ask: Callable[[], object]) -> bool:
    """Whether something is refused, by the rule that the exception suspends."""
    try:
        ask()
    except Denied as error:
        return "SYN501" in {found.code for found in error.diagnostics}
    return False


def at_editor(settings: Settings) -> bool:
    """Whether an editor shows the violation as an error."""
    said = [found for each in Repository(settings).check().findings.values() for found in each]
    return any(found.code == "SYN501" and found.severity == "error" for found in said)


def written(settings: Settings) -> int:
    path = settings.root / "warehouse.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE name = 'customers'").fetchall()
        return database.execute("SELECT count(*) FROM customers").fetchone()[0] if tables else 0


def test_what_is_declared_is_denied(settings, tomorrow):
    """At the editor, at validate, in a plan, and where the pull request's flow is tried."""

    def places():
        return (
            at_editor(settings),
            not validation.validate(settings).ok,
            denied(lambda: workflow.plan(settings)),
            denied(lambda: workflow.preview(settings, FLOW, limit=1)),
        )

    assert places() == (False, False, False, False)
    tomorrow()
    assert places() == (True, True, True, True)


def test_an_open_editor_is_told(settings, tomorrow, monkeypatch):
    """Nobody types and nothing is saved: the next day has begun."""

    async def watched():
        told, denied_there = list[str](), asyncio.Event()

        def publish(said):
            told.extend(str(found.code) for found in said.diagnostics)
            if "SYN501" in told:
                denied_there.set()

        client: Any = SimpleNamespace(
            workspace=SimpleNamespace(position_encoding="utf-16"), text_document_publish_diagnostics=publish
        )
        waits = iter((60.0, 0.01))  # before the first check, and after it until the next day

        def until_tomorrow():
            seconds = next(waits, 60.0)
            if seconds < 1:
                assert "SYN501" not in told
                tomorrow()
            return seconds

        monkeypatch.setattr(checking, "_until_tomorrow", until_tomorrow)
        checks = checking.Checking(client, Repository(settings), dict)
        checks.ask()
        await asyncio.wait_for(denied_there.wait(), 60)
        checks.stop()

    asyncio.run(watched())


@pytest.mark.parametrize("override", ["", "all of them approve"])
def test_a_plan_of_the_day_before_is_not_applied(settings, tomorrow, override):
    """Neither a plan that policy allowed when it was made, nor one that everybody approved."""
    made = workflow.plan(settings)
    tomorrow()
    assert denied(lambda: workflow.apply(settings, made, override=override))
    assert workflow.objects(settings) == ()


def test_a_saved_plan_of_the_day_before_is_not_applied(settings, tomorrow):
    """What the file says of policy allows nothing."""
    made = workflow.plan(settings)
    tomorrow()
    assert denied(lambda: workflow.apply(settings, made, saved=True))


def test_what_is_applied_runs_no_more(settings, tomorrow):
    """Also by a process that judged the flow on the day before, and kept that; the log has the decision."""
    workflow.apply(settings)
    with workflow.engine(settings) as engine:
        item = engine.applied().flow(FLOW)
        assert all(result.allowed for result in engine.decide(item, engine.applied()))
        tomorrow()
        assert denied(lambda: engine.run(Work(FLOW), Silent()))
    assert written(settings) == 0
    decided = [e["status_code"] for e in audit_events(settings) if e["metadata"]["event_code"] == "policy.decision"]
    assert decided[-1] == "denied"


def test_a_run_that_comes_to_the_end_is_ended(settings, monkeypatch):
    """What was written on the last day stays; no batch of the next day is; where the exception is renewed, it goes on."""
    (settings.root / "data" / "customers-3.csv").write_text(
        "id,name,email\n" + "".join(f"{n},A,a{n}@example.com\n" for n in range(3, 5000))
    )
    workflow.apply(settings)
    today = dt.datetime.now(dt.UTC).date()

    def day():
        return today + dt.timedelta(days=1) if written(settings) else today

    def small(item, applied, made, resolve, keep):
        return Opener(item, applied, made, resolve, keep, batch_bytes=300)

    monkeypatch.setattr(watch, "_today", day)
    with workflow.engine(settings) as engine, pytest.raises(Denied) as caught:
        replace(engine, opener=small).run(Work(FLOW), Silent())
    assert caught.value.code == "SYN516"
    assert f"by what it moves, as of {day()}: " in caught.value.message
    assert "renewed" in caught.value.help
    assert 0 < written(settings) < 4999
    (record,) = workflow.runs(settings, FLOW, 5)
    assert (record.state, record.error_code) == (RunState.failed, "SYN516")

    write(settings.root, excepted(today + dt.timedelta(days=7)))
    workflow.apply(settings)
    workflow.run(settings, FLOW, progress=Silent())
    assert written(settings) == 4999
