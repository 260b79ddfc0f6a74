"""Deaths at a chosen system call: whoever writes to a disk is stopped before each of them, and halfway a write."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_CALLS = ("fsync", "fdatasync", "rename", "mkdir", "unlink", "rmdir", "ftruncate")


class Dies(Exception):
    """The stand-in for a crash."""


def dying(patch: pytest.MonkeyPatch, calls: list[int], die_at: int | None) -> None:
    """Make the `die_at`-th chance to die raise: before each system call that changes a disk, and halfway a write."""

    def guard(function, *, cut=False):
        def wrapped(*args, **kwargs):
            for half in (False, True) if cut else (False,):
                calls[0] += 1
                if calls[0] == die_at:
                    if half:
                        function(args[0], bytes(args[1])[: len(args[1]) // 2])
                    raise Dies
            return function(*args, **kwargs)

        return wrapped

    patch.setattr(os, "write", guard(os.write, cut=True))
    for name in _CALLS:
        patch.setattr(os, name, guard(getattr(os, name)))
