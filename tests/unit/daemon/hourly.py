"""An import that a schedule starts each hour, and its starts."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncline import workflow
from syncline.executor.engine import Engine
from syncline.model.key import ObjectKey
from tests import repository

SCHEDULE = """\
apiVersion: syncline/v1
kind: Schedule
metadata: {name: hourly, tenant: acme}
spec: {every: 1h, run: [Import/customers]}
"""
HOURLY = ObjectKey("acme", "Schedule", "hourly")
IMPORT = ObjectKey("acme", "Import", "customers")


@contextmanager
def hourly_engine(root: Path) -> Iterator[Engine]:
    """An engine over a repository whose import is to start each hour."""
    settings = repository.write(root, {**repository.CUSTOMERS, "schedule.yaml": SCHEDULE})
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "customers.csv").write_text("id,name,email\n1,Ann,ann@example.com\n")
    workflow.apply(settings)
    with workflow.engine(settings) as made:
        yield made


def hour(engine, number):
    """The start of a full hour after the schedule was applied."""
    applied = dt.datetime.fromisoformat(engine.applied().objects[HOURLY].applied)
    return applied.replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=number)


def ticked_until(starter, now, there):
    """Ticks until something is so."""
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end
        starter.tick(now)
        time.sleep(0.01)
