"""Python's search for cycles of unused objects, while data moves."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: New containers after which the young ones are searched, and how often that is before older ones are searched too.
#: Records of JSON are containers by the hundred thousand and never in cycles. The command line asks for fewer still.
THRESHOLDS = (50_000, 20, 20)


@contextmanager
def rarely_searched() -> Iterator[None]:
    """Has the whole process search more rarely; never more often than it did, nor at all where it didn't.

    >>> import gc
    >>> with rarely_searched():
    ...     gc.get_threshold() >= THRESHOLDS or gc.get_threshold()[0] == 0
    True
    """
    before = gc.get_threshold()
    if 0 < before[0] < THRESHOLDS[0]:
        gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
