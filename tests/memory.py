"""
Where folders of tests lie: in memory, since making sure that what was written is on the disk takes longer than most tests,
and no test cuts the power, which alone would tell the difference. A process that is killed loses nothing of either.
"""

from __future__ import annotations

import os
from pathlib import Path

#: What is left of it by a run of all tests, a PostgreSQL server's data included, is far below.
ROOM = 2 * 1024**3


def in_memory(folder: Path = Path("/dev/shm")) -> Path | None:
    """The folder in memory; None where there is none, or where it is small, not ours to write to, or runs no programs."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    roomy = found.f_bavail * found.f_frsize >= ROOM
    runs = not found.f_flag & getattr(os, "ST_NOEXEC", 0)
    return folder if roomy and runs and os.access(folder, os.W_OK | os.X_OK) else None
