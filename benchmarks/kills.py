"""An import into PostgreSQL that is killed at random times: small ones 200 times, and a few of full size.

    python benchmarks/kills.py POSTGRES_URL [POINTS [POINTS_OF_A_MILLION]]

Prints of each size how often it was killed, the most that a kill had read again beside what one batch has, what all
attempts together read and took beside an unbroken run, and whether what came of it was the same. Points are told by
`tests/e2e/bulk_kills.py`, a line of JSON each, to the standard error. It ends with 1 where a resumption left another
table, other counts, rejects or digests than an unbroken run, or a kill had more than a batch read again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

#: Records, bytes of a part, and what is added to each record: 32 and 112 parts, of which the larger are as always.
SIZES = ((40_000, 256 << 10, 150), (1_000_000, 2 << 20, 150))


def main(url: str, *points: str) -> int:
    """Kills imports of both sizes, unless it is to be at no point."""
    wrong = 0
    asked = (*points, *("200", "10")[len(points) :])
    for (rows, batch, width), many in zip(SIZES, asked, strict=True):
        if not int(many):
            continue
        command = [sys.executable, "-m", "tests.e2e.bulk_kills", url, "--rows", str(rows), "--batch", str(batch)]
        command += ["--width", str(width), "--points", many, "--most", "1"]
        last = ""
        with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True) as killing:
            assert killing.stdout is not None
            for line in killing.stdout:
                last = line
                sys.stderr.write(line)
        told = json.loads(last or "{}")
        if "kills" not in told:
            return killing.returncode or 1
        sys.stdout.write(report(rows, told))
        sys.stdout.flush()
        wrong |= killing.returncode
    return wrong


def report(rows: int, told: dict[str, Any]) -> str:
    """The figures of one size, for people."""
    again, batch, whole = told["again"], told["batch"], told["whole"]
    within = "at most one batch" if again["bytes"] <= batch["bytes"] else "MORE THAN ONE BATCH"
    same = told["points"] - told["wrong"]
    return (
        f"{rows:,} records, {whole['bytes'] / 2**20:.1f} MiB in {whole['parts']} parts\n"
        f"  kills              {told['kills']} in {told['points']} imports\n"
        f"  read again, most   {again['bytes'] / 2**20:.2f} MiB of a batch's {batch['bytes'] / 2**20:.2f},"
        f" {again['rows']:,} rows of {batch['rows']:,}, {again['parts']} parts of {batch['parts']}: {within}\n"
        f"  all attempts       bytes {told['read'][0]:.3f} of an unbroken run's on average, {told['read'][1]:.3f} at"
        f" most; seconds {told['longer'][0]:.2f} on average, {told['longer'][1]:.2f} at most\n"
        f"  table and receipt  the same as an unbroken run's in {same} of {told['points']}\n"
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
