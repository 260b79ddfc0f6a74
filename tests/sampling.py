"""How many of the points of a kill test are tried: a sample by default, all that it has with `SYNCLINE_TEST_ALL=1`.

`make test-kills` runs these tests with all of them. Samples are the same in every run, so that what fails fails again.
"""

from __future__ import annotations

import os

#: Whether every point is asked for.
ALL = os.environ.get("SYNCLINE_TEST_ALL") == "1"


def stride(sample: int, whole: int = 1) -> int:
    """Every how many-th point is tried: `sample` by default, `whole` where all are asked for."""
    return whole if ALL else sample
