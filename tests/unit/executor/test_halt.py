"""Tests of ending a run early: what it committed stays, its record says why, and the next run goes on or starts over."""

from __future__ import annotations

import threading

import pytest

from syncline import workflow
from syncline.executor.batches.halt import Halt
from syncline.executor.flows.opening import Opener
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from syncline.model.errors import Stalled
from syncline.model.key import ObjectKey
from tests import repository

IMPORT = ObjectKey("acme", "Import", "customers")


class Endless:
    """A source that asks for the halt once its first batch is on its way, and then says nothing more."""

    def __init__(self, source, halt, silent):
        self._source = source
        self._halt = halt
        self._silent = silent
        self.schema = source.schema

    def read(self, start):
        yield from self._source.read(start)
        self._halt.ask("the start at noon takes its place")
        self._silent.wait(60)

    def close(self):
        self._silent.set()
        self._source.close()


def test_a_halted_run_keeps_what_it_committed_and_the_next_one_is_whole(tmp_path):
    """It has failed with its reason, its counts are those of its commits, and what follows accounts for every record."""
    settings = repository.write(tmp_path, repository.CUSTOMERS)
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "customers.csv").write_text("id,name,email\n1,Ann,ann@example.com\n2,Bo,bo@example.com\n")
    workflow.apply(settings)
    halt, silent = Halt(), threading.Event()
    work = Work(IMPORT, trigger="schedule", halt=halt)
    endless = Work(IMPORT, open_source=lambda opener: Endless(Opener.source(opener), halt, silent), halt=halt)
    with workflow.engine(settings) as engine:
        with pytest.raises(Stalled, match="noon"):
            engine.run(endless, Silent())
        (first,) = engine.facilities.store.runs()
        assert (str(first.state), first.error_code) == ("Failed", "SYN698")
        assert first.counts.balanced()
        with pytest.raises(Stalled, match="noon"):
            engine.run(work, Silent())  # one that was halted before it began reads nothing
        result = engine.run(Work(IMPORT), Silent())
    assert (result.record.counts.read, result.record.counts.written) == (2, 2)
    assert result.record.id != first.id
