"""Memory of a process that runs for weeks: what the C library holds without using it goes back to the system.

glibc keeps a pool of memory for each of many threads and gives back the end of a pool only. A daemon has a dozen
threads and needs much for a moment, when a large repository is applied. With another C library nothing is done.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, Final

#: `mallopt`'s name for the most pools (`malloc.h`), and how many are enough under Python's lock.
_ARENA_MAX: Final = -8
_POOLS: Final = 2


@cache
def _glibc() -> Any:
    """The C library of this process where it is glibc, else None."""
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "gnu_get_libc_version") else None
    except (OSError, TypeError):  # there is no such thing on this system
        return None


def few_pools() -> None:
    """Has the threads that begin from now on share their pools."""
    if (library := _glibc()) is not None:
        library.mallopt(_ARENA_MAX, _POOLS)


def give_back() -> None:
    """Gives back what is free; takes some milliseconds."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)
