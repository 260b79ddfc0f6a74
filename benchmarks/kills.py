"""An import into PostgreSQL that is killed at random times, 200 times at first and then a few times at full size.

    python benchmarks/kills.py POSTGRES_URL [POINTS [POINTS_OF_A_MILLION]]

Each line of JSON is told by `tests/e2e/bulk_kills.py`; what counts is the last one of each size. It ends with 1 where a
resumption left another table, other counts, rejects or digests than an unbroken run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: Records, bytes of a part, and what is added to each record: 32 and 112 parts, of which the larger are as always.
SIZES = ((40_000, 256 << 10, 150), (1_000_000, 2 << 20, 150))


def main(url: str, *points: str) -> int:
    """Kills imports of both sizes."""
    wrong = 0
    for (rows, batch, width), many in zip(SIZES, (*points, "200", "10")[: len(SIZES)], strict=True):
        command = [sys.executable, "-m", "tests.e2e.bulk_kills", url, "--rows", str(rows), "--batch", str(batch)]
        command += ["--width", str(width), "--points", many, "--most", "1"]
        wrong |= subprocess.run(command, cwd=Path(__file__).parents[1], check=False).returncode
    return wrong


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
