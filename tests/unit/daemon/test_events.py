"""Tests of starts by events: each end of a run, and each apply, is followed by a start, also over kills."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, cast

import pytest
from msgspec.structs import replace

from syncline import workflow
from syncline.daemon.events import Look, applied, finished
from syncline.daemon.starts import Starter
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.kinds.schedule import OnEvent
from syncline.model.event import rfc3339
from syncline.model.key import ObjectKey
from syncline.model.run import RunState
from syncline.model.trigger import EXAMPLES
from syncline.state.empty import EmptyState
from syncline.state.store import RunRecord
from tests import repository

if TYPE_CHECKING:
    from syncline.state.store import StateStore

AFTER = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: after, tenant: acme}
spec: {on: {event: run.finish, of: [Import/customers]FILTER}, run: [Import/copies]MORE}
"""
HOUR = dt.timedelta(hours=1)
SCHEDULE = ObjectKey("acme", "Schedule", "after")
IMPORT, COPY = (ObjectKey("acme", "Import", name) for name in ("customers", "copies"))


def house(folder, schedule):
    """A repository with an import, another one of the same, and a schedule."""
    (flow,) = (text for text in repository.CUSTOMERS.values() if "kind: Import" in text)
    copies = next(part for part in flow.split("---\n") if "kind: Import" in part)
    copies = copies.replace("name: customers,", "name: copies,").replace("warehouse/customers", "warehouse/copies")
    settings = repository.write(folder, {**repository.CUSTOMERS, "copies.yaml": copies, "schedule.yaml": schedule})
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "customers.csv").write_text("id,name,email\n1,Ann,ann@example.com\n")
    workflow.apply(settings)
    return settings


@pytest.fixture
def begin(tmp_path, request):
    """An engine over such a repository."""

    def make(filter_="", more=""):
        text = AFTER.replace("FILTER", f", filter: {filter_}" if filter_ else "").replace("MORE", more)
        context = workflow.engine(house(tmp_path, text))
        request.addfinalizer(lambda: context.__exit__(None, None, None))
        return context.__enter__()

    return make


def now():
    return dt.datetime.now(dt.UTC)


def starter_of(engine, at_once=1):
    said: list[str] = []
    return Starter(engine, now(), at_once, said.append)


def copied(engine):
    """The runs of the second import, oldest first."""
    return engine.facilities.store.runs(COPY)[::-1]


def ticked(engine, starter, count):
    """Ticks until so many runs of the second import have ended, and their schedule's cursor is kept."""
    end = time.monotonic() + 60
    starter.tick(now())
    while starter._open.get(SCHEDULE) or sum(run.receipt is not None for run in copied(engine)) < count:
        assert time.monotonic() < end
        starter.tick(now())
        time.sleep(0.01)


def test_the_end_of_a_run_starts_the_next(begin):
    """Each end of a run of a flow in `of` is followed by one start, with `event` in its record; others start nothing."""
    engine = begin()
    starter = starter_of(engine)
    starter.tick(now())
    assert not copied(engine)
    for count in (1, 2):
        engine.run(Work(IMPORT), Silent())
        ticked(engine, starter, count)
        starter.tick(now())
    assert [run.trigger for run in copied(engine)] == ["event", "event"]


def test_what_comes_while_it_is_under_way_is_followed_by_one_start(begin):
    """Of several ends during a run none is lost, and one start after it answers for all of them."""
    engine = begin()
    idle = starter_of(engine, at_once=0)  # nobody does the work: as if it took for ever
    engine.run(Work(IMPORT), Silent())
    idle.tick(now())
    assert idle._workers.busy(COPY)
    for _ in range(3):
        engine.run(Work(IMPORT), Silent())
        idle.tick(now())
    assert engine.facilities.store.cursor(SCHEDULE) is None

    starter = starter_of(engine)
    ticked(engine, starter, 1)
    for _ in range(3):
        starter.tick(now())
    assert len(copied(engine)) == 1


def test_one_that_is_killed_before_its_start_ended_starts_it_again(begin):
    """The cursor moves when the run has ended: the next daemon starts it, and then nothing any more."""
    engine = begin()
    engine.run(Work(IMPORT), Silent())
    starter_of(engine, at_once=0).tick(now())  # and dies
    assert engine.facilities.store.cursor(SCHEDULE) is None

    ticked(engine, starter_of(engine), 1)
    starter_of(engine).tick(now())
    assert len(copied(engine)) == 1


def test_a_filter_decides(begin):
    """Only events for which the condition is true start something; what it passed over is dealt with."""
    engine = begin("event.outcome == 'failure'")
    starter = starter_of(engine)
    engine.run(Work(IMPORT), Silent())
    starter.tick(now())
    cursor = engine.facilities.store.cursor(SCHEDULE)
    assert cursor
    assert not starter._workers.busy(COPY)

    data = engine.facilities.settings.root / "data" / "customers.csv"
    kept = data.read_text()
    data.unlink()
    with pytest.raises(Exception, match="customers"):
        engine.run(Work(IMPORT), Silent())
    data.write_text(kept)
    ticked(engine, starter, 1)
    end = time.monotonic() + 60
    while engine.facilities.store.cursor(SCHEDULE) == cursor:  # it is kept in a tick after the run has ended
        assert time.monotonic() < end
        starter.tick(now())
        time.sleep(0.01)


def test_a_suspended_schedule_passes_events_over(begin):
    """What happens while it is suspended starts nothing, then or later."""
    engine = begin(more=", suspend: {reason: a freeze}")
    starter = starter_of(engine)
    engine.run(Work(IMPORT), Silent())
    starter.tick(now())
    assert engine.facilities.store.cursor(SCHEDULE)
    assert not starter._workers.busy(COPY)


def test_closed_windows_put_a_start_off(begin):
    """Outside of its windows an event waits: it is still to be dealt with."""
    engine = begin(more=", windows: {deny: [{start: '00:00', end: '23:59'}, {start: '23:59', end: '00:00'}]}")
    starter = starter_of(engine)
    engine.run(Work(IMPORT), Silent())
    starter.tick(now())
    assert engine.facilities.store.cursor(SCHEDULE) is None
    assert not starter._workers.busy(COPY)


def test_an_apply_that_changed_something_starts_runs(tmp_path):
    """After an apply by whomever, its runs start; an apply that changes nothing is none."""
    text = AFTER.replace("event: run.finish, of: [Import/customers]FILTER", "event: apply.finish").replace("MORE", "")
    settings = house(tmp_path, text)
    with workflow.engine(settings) as engine:
        starter = starter_of(engine)
        ticked(engine, starter, 1)
        workflow.apply(settings)
        starter.tick(now())
        assert not starter._workers.busy(COPY)
        (tmp_path / "schedule.yaml").write_text(text.replace("run:", "timeZone: Europe/Berlin, run:"))
        workflow.apply(settings)
        ticked(engine, starter, 2)


def test_events_have_the_fields_of_their_examples(begin):
    """What `validate` tries a filter on has the same fields and types as what happens."""
    engine = begin()
    result = engine.run(Work(IMPORT), Silent())
    for event in (finished(result.record), applied(SCHEDULE, "a" * 40, 3)):
        example = EXAMPLES[event["type"]]
        assert {name: type(value) for name, value in event.items()} == {n: type(v) for n, v in example.items()}


def test_a_run_that_is_resumed_ends_after_later_ones():
    """A run that went on after another one of its flow had failed is an end of its own, though it began earlier."""
    began = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    first = RunRecord("run-1", IMPORT, RunState.interrupted, "manual", "", "", rfc3339(began))
    failed = RunRecord("run-2", IMPORT, RunState.failed, "manual", "", "", rfc3339(began), rfc3339(began + HOUR))
    resumed = replace(first, state=RunState.succeeded, finished=rfc3339(began + 2 * HOUR))
    on = OnEvent(event="run.finish", of=("Import/customers",))

    before = Look(cast("StateStore", Runs(failed, first)), SCHEDULE, on, began, began + 3 * HOUR).after(None)
    after = Look(cast("StateStore", Runs(failed, resumed)), SCHEDULE, on, began, began + 3 * HOUR).after(before.cursor)

    assert before.times == (began + HOUR,)
    assert after.times == (began + 2 * HOUR,)
    assert (
        Look(cast("StateStore", Runs(failed, resumed)), SCHEDULE, on, began, began + 3 * HOUR).after(after.cursor).times
        == ()
    )


class Runs(EmptyState):
    """A state that has these runs, newest first."""

    def __init__(self, *runs: RunRecord) -> None:
        self._runs = runs

    def runs(self, key: ObjectKey | None = None, limit: int = 50) -> tuple[RunRecord, ...]:
        return self._runs
