"""A run that a signal ends while its destination is being opened."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from syncline import workflow
from syncline.executor.batches import threads
from syncline.executor.flows.opening import Opener
from syncline.executor.progress import Silent
from syncline.executor.work import Work
from tests.e2e.house import FLOW, Scenario, build


def test_a_destination_that_was_being_opened_is_closed_by_the_thread_that_opens_it(tmp_path):
    """Once it is open, and before anybody else may have that thread, who could keep it for as long as it likes."""
    settings, told = build(tmp_path, Scenario("upsert").texts), list[bool]()
    workflow.apply(settings)

    class Slow(Opener):
        """Is interrupted before it has opened the destination."""

        def destination(self):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            time.sleep(0.5)
            found: Any = super().destination()
            here, close = threading.current_thread(), found.close

            def closing():
                told.append(here is threading.current_thread() and here not in [t._thread for t in threads._idle])
                close()

            found.close = closing
            return found

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with workflow.engine(settings) as engine, pytest.raises(KeyboardInterrupt):
            replace(engine, opener=Slow).run(Work(FLOW), Silent())
    finally:
        signal.signal(signal.SIGINT, before)

    assert told == [True]
