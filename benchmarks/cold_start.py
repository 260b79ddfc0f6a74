"""How long a command takes from nothing: `--help`, and `validate` of the repository of `init`, in milliseconds."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 9
LIMITS = {"help": 150.0, "validate": 400.0}


def measure(*args: str) -> float:
    """The median time of a command, in milliseconds."""
    times = []
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "syncline", *args], check=True, stdout=subprocess.DEVNULL, env=environment
        )
        times.append((time.perf_counter() - start) * 1_000)
    return statistics.median(times)


def main() -> None:
    """Prints a line of JSON for each command."""
    with tempfile.TemporaryDirectory() as folder:
        root = str(Path(folder) / "config")
        measure("--help")  # writes compiled modules, which an installed program has
        subprocess.run([sys.executable, "-m", "syncline", "init", root], check=True, capture_output=True)
        found = {"help": measure("--help"), "validate": measure("validate", root)}
    for name, took in found.items():
        print(json.dumps({"workload": f"cold {name}", "ms": round(took, 1), "limit_ms": LIMITS[name]}))


if __name__ == "__main__":
    main()
