"""Expressions over columns against the `jmespath` package over records: the same language, evaluated another way."""

from __future__ import annotations

import json

import jmespath
import polars as pl
import pytest
import re2
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from syncline.mapping.records import frame_of
from syncline.mapping.regex import BadPattern, columnar
from syncline.model.schema import DataType, Field, Schema
from tests.examples import examples
from tests.unit.mapping.manifests import columns, through

STRING, INTEGER, BOOLEAN, JSON = map(DataType, ("string", "integer", "boolean", "json"))
SCHEMA = Schema(
    (
        Field("a", STRING),
        Field("b", STRING),
        Field("n", INTEGER),
        Field("m", INTEGER),
        Field("ok", BOOLEAN),
        Field("o", JSON, fields=(Field("x", STRING), Field("p", JSON, fields=(Field("q", INTEGER),)))),
        Field("tags", STRING, repeated=True),
        Field("nums", INTEGER, repeated=True),
        Field(
            "lines", JSON, repeated=True, fields=(Field("sku", STRING), Field("qty", INTEGER), Field("gift", BOOLEAN))
        ),
    )
)

text = st.one_of(st.sampled_from(["", "a", "x", "Ä", 'é"\\', "VIP", " "]), st.text(max_size=4))
small = st.integers(-5, 20)


def optional(strategy):
    return st.one_of(st.none(), strategy)


record = st.fixed_dictionaries(
    {
        "a": optional(text),
        "b": optional(text),
        "n": optional(small),
        "m": optional(small),
        "ok": optional(st.booleans()),
        "o": optional(
            st.fixed_dictionaries({"x": optional(text), "p": optional(st.fixed_dictionaries({"q": optional(small)}))})
        ),
        "tags": optional(st.lists(text, max_size=4)),
        "nums": optional(st.lists(small, max_size=4)),
        "lines": optional(
            st.lists(
                st.fixed_dictionaries({"sku": optional(text), "qty": optional(small), "gift": optional(st.booleans())}),
                max_size=4,
            )
        ),
    }
)

EXPRESSIONS = [
    "a", "o.x", "o.p.q", "n", "ok", "tags", "tags[0]", "tags[-1]", "tags[5]", "lines[0].sku", "lines[-1].qty",
    "lines[].sku", "lines[*].qty", "lines[*].sku | [0]", "lines[?qty > `3`].sku", "lines[?qty > `3`].sku | [0]",
    "lines[?gift].qty", "lines[?!gift].sku", "lines[?sku == 'a' || qty >= `10`].qty", "lines[?sku != 'a' && gift].qty",
    "tags[1:3]", "tags[:2]", "tags[-2:]", "nums[1:]", "tags[?@ == 'x']", "tags[?@ != 'x']", "nums[?@ > `3`]",
    "a || b", "a || b || 'none'", "ok || `true`", "n || `7`", 'tags || `["z"]`', "o.x || a",
    "ok && ok", "a && b", "n == m", "n != m", "n < m", "n <= `3`", "n > `3`", "n >= m", "a == b", "a == 'x'", "a != `null`", "a == `null`",
    "ok == `true`", "!ok", "!a", "!tags", "!(n > `3`)", "n > `1` && n < `5` || ok", "length(tags)", "length(a)", "length(lines)",
    "contains(tags, 'x')", "contains(a, 'x')", "contains(nums, `3`)", "starts_with(a, 'x')", "ends_with(a, 'x')", "starts_with(a, b)",
    "join(',', tags)", "join('-', lines[?sku].sku)", "max(nums)", "min(nums)", "max(tags)", "abs(n)", "ceil(n)", "floor(n)", "reverse(tags)",
    "not_null(a, b)", "not_null(n, m, `0`)", "to_string(n)", "to_string(a)", "to_string(ok)", "to_number(a)", "sum(nums)",
    "length(lines[?qty > `3`])", "lines[?qty == `3`] | length(@)", "[a, b]", "'x'", "`1.50`", "`[1, 2]`",
]  # fmt: skip

FIELDS = [{"to": f"t{n}", "from": expression, "type": "json"} for n, expression in enumerate(EXPRESSIONS)]
BOUND = columns({"fields": FIELDS}, SCHEMA)


def departs(expression: str, expected: object) -> bool:
    """Where we say null on purpose: to_string() of null, join() of nothing, to_number() of what Python alone reads."""
    match expression.split("(", maxsplit=1)[0]:
        case "to_string":
            return expected == "null"
        case "join":
            return expected == ""
        case "to_number":
            return True
        case _:
            return False


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", "5"), ("+5", "5"), ("-007.50", "-7.50"), (".5", "0.5"), ("-.5", "-0.5"), ("5.", "5"), ("5.e3", "5e3"), ("00", "0"),
     ("12345678901234567890.123456789", "12345678901234567890.123456789"), ("x", None), ("", None), ("1 ", None), ("INF", None), ("1_0", None)],
)  # fmt: skip
def test_to_number_keeps_digits_and_writes_json(text, number):
    """to_number() gives the digits of a text as JSON writes them, and null for what is no number."""
    assert through([text], "string", **{"from": "to_number(v)", "type": "json"}) == [number]


# Not shrunk: the message names one record and one expression already, and each try evaluates all of them.
@settings(max_examples=examples(12), phases=[Phase.generate])
@given(st.lists(record, min_size=25, max_size=40))
def test_columns_say_what_jmespath_says(records):
    """For every expression and record of which the package gives a value, the column form gives the same one."""
    mapped = BOUND.apply(frame_of(records, SCHEMA))

    assert not mapped.rejects
    for number, expression in enumerate(EXPRESSIONS):
        parsed = jmespath.compile(expression)
        for source, result in zip(records, mapped.frame[f"t{number}"].to_list(), strict=True):
            try:
                expected = parsed.search(source)
            except JMESPathError:
                continue
            actual = None if result is None else json.loads(result)
            if actual is None and departs(expression, expected):
                continue
            assert actual == expected, (expression, source)


pieces = st.sampled_from(["a", "b", "é", ".", r"\d", r"\w", r"\s", r"\D", r"[a-c]", r"[^\d]", r"[\w-]", "[[]", "[&&]", "[~~a]", "[]a]", "[^]a]", r"[[:alpha:]]",
                          r"[\S\d]", r"\b", "(a|b)", "(?i)A", "x*", "a+?", "b{1,2}", r"\.", r"\x41", r"\pL", "$", "^", r"\\", "[a\\]b]", "-"])  # fmt: skip


@settings(max_examples=examples(250))
@given(
    st.lists(pieces, min_size=1, max_size=5).map("".join),
    st.lists(st.text("ab1_ é٣\u00a0A-.[]&~\\", max_size=5), min_size=1, max_size=10),
)
def test_patterns_mean_what_re2_means(pattern, texts):
    """A pattern matches a whole value exactly when RE2's full match does."""
    try:
        rewritten = columnar(pattern)
    except BadPattern:
        return
    results = pl.Series(texts).str.contains(rewritten).to_list()
    assert results == [re2.fullmatch(pattern, text) is not None for text in texts], (pattern, rewritten)
