"""How many examples properties are tried with: a fifth of what each asks for, all of them with `SYNCLINE_TEST_EXAMPLES=1`,
ten times as many with 10.

`make test-slow` runs properties with all of them. Examples are the same in every run, so that what fails fails again.
"""

from __future__ import annotations

import os

#: What a property asks for that says no number.
USUAL = 100
#: Of fewer than these, none is left out.
FEW = 10
TIMES = float(os.environ.get("SYNCLINE_TEST_EXAMPLES", "0.2"))


def examples(number: int = USUAL) -> int:
    """The most examples that a property which asks for `number` is tried with."""
    return max(round(number * TIMES), min(number, FEW))
