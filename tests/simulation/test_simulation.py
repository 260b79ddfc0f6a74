"""A few simulations; `make simulate` runs hundreds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def simulations(*options: str) -> str:
    """What `python -m tests.simulation` says; it must find nothing wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    return done.stdout


@pytest.mark.slow
def test_worlds_with_faults_in_them_come_to_what_is_declared():
    """Daemons that die, stop and lose answers lose and double no row and no start, and end as declared."""
    assert "0 failed" in simulations("--seeds", "0:8", "--steps", "300")


@pytest.mark.slow
def test_a_seed_gives_the_same_world_again():
    """What happens in a simulation is its seed's and nobody else's, so that a failure can be looked at again."""
    first, second = (simulations("--seeds", "3", "--steps", "120", "--trace") for _ in range(2))
    assert first.splitlines()[:-1] == second.splitlines()[:-1]
    assert len(first.splitlines()) > 50
