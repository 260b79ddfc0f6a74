"""Patterns of manifests on text that was made to keep engines busy that try one way after another."""

from __future__ import annotations

import polars as pl
import pytest

from syncline.manifests.demands.config import _matches
from syncline.mapping.regex import BadPattern, columnar
from syncline.policy.cel import Condition
from syncline.secrets import sops

#: Python's own engine needs longer than anybody lives for one of these. Where a test ends at all, it wasn't used.
PATTERNS = ["(a+)+$", "(a|aa)+$", "(a|a?)+$", "(?:a*)*$", "(.*a){12}$", "([a-z]+)*[0-9]$"]
TEXT = "a" * 5_000 + "!"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_hangs(pattern: str):
    """Checks of fields, settings of connectors, conditions in CEL and rules of SOPS files take a pattern's time, not its
    ways; a text that fits fits.
    """
    fits = "a" * 4_999 + ("1" if pattern.endswith("[0-9]$") else "a")
    assert pl.Series([TEXT, fits]).str.contains(columnar(pattern)).to_list() == [False, True]
    assert (_matches(pattern, TEXT), _matches(pattern, fits)) == (False, True)
    condition = Condition(f"text.matches('^{pattern}')")
    assert (condition({"text": TEXT}), condition({"text": fits})) == (False, True)
    assert bool(sops._regex(f"^{pattern}")(TEXT)) is False


@pytest.mark.parametrize("pattern", ["(a+)\\1", "a(?=b)", "(?<!a)b", "a{1001}", "(a{1000}){1000}"])
def test_what_needs_another_engine_is_refused(pattern: str):
    """References back, looks around, and counts that would fill the memory are no patterns."""
    with pytest.raises(BadPattern):
        columnar(pattern)
