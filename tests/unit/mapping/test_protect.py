"""Protection of values: what each way makes of them, that it hides what it should, and what it is refused for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.mapping.columns import bind
from syncline.mapping.compile import compile_mapping
from syncline.mapping.keyed import Preserving, Tokens, derived, keyed_hash, revealed
from syncline.mapping.records import frame_of
from syncline.mapping.tests import run_tests
from syncline.model.schema import STRING, Field, Schema
from tests.examples import examples
from tests.unit.mapping.manifests import manifest as mapping

KEY, OTHER = b"k" * 32, b"o" * 32


def protected(values: list[Any], protect: str, type_: str = "string", key: bytes | None = KEY) -> list[Any]:
    """What becomes of text values under a protection; `rejected` stands for records that are."""
    made = mapping(f"fields: [{{to: v, from: v, type: '{type_}', protect: {protect}}}]")
    source = Schema((Field("v", STRING),))
    compiled = compile_mapping(made, source)
    assert not compiled.diagnostics
    mapped = bind(compiled, source, key).apply(frame_of([{"v": value} for value in values], source))
    rows = mapped.rows.to_list() if mapped.rows is not None else range(len(values))
    found = dict(zip(rows, mapped.frame["v"].to_list(), strict=True))
    return [found.get(row, "rejected") for row in range(len(values))]


def refusal(protect: str, type_: str) -> str:
    """The finding about a protection of a field of that type."""
    found = compile_mapping(mapping(f"fields: [{{to: v, from: v, type: '{type_}', protect: {protect}}}]"), None)
    return "; ".join(f"{d.code} {d.message}" for d in found.diagnostics)


def test_a_token_is_stable_inside_a_tenant_and_read_with_its_key_only() -> None:
    """Equal values have equal tokens, other tenants others; null stays null; only the key turns them back."""
    first, again, empty, null = protected(["anna@example.com", "anna@example.com", "", None], "{tokenize: tenant}")
    (other,) = protected(["anna@example.com"], "{tokenize: tenant}", key=OTHER)

    assert (first == again, null) == (True, None)
    assert other != first
    assert "anna" not in first
    assert first.startswith("tok_")
    assert revealed(first, "token", KEY) == "anna@example.com"
    assert revealed(empty, "token", KEY) == ""
    with pytest.raises(ValueError, match="it isn't a token of this tenant's key"):
        revealed(first, "token", OTHER)


@pytest.mark.parametrize(
    "change", [lambda t: t[:-2] + ("AA" if t[-2:] != "AA" else "BB"), lambda t: t[4:], lambda _: "é"]
)
def test_a_changed_token_is_refused(change: Any) -> None:
    """A token is authentic or none."""
    with pytest.raises(ValueError, match="it isn't a token"):
        Tokens(KEY).reveal(change(Tokens(KEY).token("4111111111111111")))


def test_digits_keep_their_format() -> None:
    """Digits become others, everything else stays where it is; the key turns them back, another key doesn't."""
    card, phone, few, null = protected(["4111-1111-1111-1111", "+49 (0)30 901820", "12345", None], "{preserve: digits}")

    assert (len(card), card[4::5], card != "4111-1111-1111-1111") == (19, "---", True)
    assert card.replace("-", "").isdigit()
    assert (phone[0], phone[3:5], phone[6]) == ("+", " (", ")")
    assert (few, null) == ("rejected", None)
    assert revealed(card, "digits", KEY) == "4111-1111-1111-1111"
    assert revealed(card, "digits", OTHER) != "4111-1111-1111-1111"


def test_letters_and_digits_keep_their_format() -> None:
    """Letters and digits are encrypted among themselves; signs stay."""
    (found, few) = protected(["AB-12/€-xyz", "AB-1"], "{preserve: alphanumeric}")

    assert (found[2], found[5], found[6], found[7]) == ("-", "/", "€", "-")
    assert revealed(found, "alphanumeric", KEY) == "AB-12/€-xyz"
    assert few == "rejected"


@pytest.mark.parametrize(
    ("alphabet", "values"),
    [
        ("alphanumeric", ["Müller 1234", "Иван Петров abcd", "Zoe\u0308 1234", "٤١١١ abcd"]),
        ("digits", ["٤١١١ 123456", "１２３ 123456", "x² 123456"]),
    ],
)
def test_no_letter_or_digit_stays_in_the_clear_because_of_its_script(alphabet: str, values: list[str]) -> None:
    """A value whose letters or digits the alphabet doesn't have is rejected: they would stay as they are."""
    assert protected(values, f"{{preserve: {alphabet}}}") == ["rejected"] * len(values)


def test_a_value_that_cannot_be_encrypted_is_never_written_in_the_clear() -> None:
    """Too short and too long ones are rejects that say why."""
    made = mapping("fields: [{to: v, from: v, protect: {preserve: digits}}]")
    source = Schema((Field("v", STRING),))
    columns = bind(compile_mapping(made, source), source, KEY)
    mapped = columns.apply(frame_of([{"v": "123"}, {"v": "1" * 257}, {"v": "1" * 256}], source))

    assert mapped.frame.height == 1
    assert [(r.rule, r.message) for r in mapped.rejects] == [
        ("protect", "v has fewer than 6 digits, too few to encrypt in their format"),
        ("maxLength", "v has more than 256 characters, too many to encrypt in their format"),
    ]


@pytest.mark.parametrize(
    ("values", "how", "type_", "expected"),
    [
        (["1984-03-09", None], "{date: year}", "date", ["1984", None]),
        (["0084-03-09"], "{date: month}", "date", ["0084-03"]),
        (
            ["1936-12-31", "1937-01-01", "1984-03-09", None],
            "{date: year, bottom: 1937}",
            "date",
            ["1937", "1937", "1984", None],
        ),
        (["1984-12-31T23:30:00-02:00"], "{date: year}", "timestamp", ["1985"]),
        (["94110", "941", "", None], "{prefix: 3}", "string", ["941", "", "", None]),
        (["94110", "-5"], "{prefix: 1}", "integer", ["9", "-"]),
        (["39", "40", "-1", None], "{bucket: 10}", "integer", [30, 40, -10, None]),
        (["93", "17"], "{bucket: 10, top: 90}", "int32", [90, 10]),
        (["-9223372036854775808"], "{bucket: 10}", "integer", [-(2**63)]),
        (["19.99", "-0.01", None], "{bucket: 20}", "decimal(6,2)", [Decimal("0.00"), Decimal("-20.00"), None]),
        (["-99", "250"], "{bucket: 100, top: 200}", "decimal(3,0)", [Decimal(-100), Decimal(200)]),
        (["-99"], "{bucket: 100}", "decimal(2,0)", [Decimal(-99)]),
        (["19.5", "-0.5", "1e300"], "{bucket: 10}", "float", [10.0, -10.0, 1e300]),
    ],
)
def test_generalised_values_say_less(values: list[Any], how: str, type_: str, expected: list[Any]) -> None:
    """Dates keep their year or month, texts their beginning, numbers the lower bound of their bucket."""
    assert protected(values, f"{{generalize: {how}}}", type_, None) == expected


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20), st.integers(2, 10**9))
def test_a_bucket_holds_its_number(values: list[int], width: int) -> None:
    """The lower bound is at most the number, and less than a bucket away; but for the smallest of all buckets."""
    found = protected([str(value) for value in values], f"{{generalize: {{bucket: {width}}}}}", "integer", None)

    for value, lower in zip(values, found, strict=True):
        assert lower <= value < lower + width
        assert lower % width == 0 or lower == -(2**63)


@settings(max_examples=examples(200), deadline=None)
@given(st.decimals(-(10**12), 10**12, places=4), st.integers(2, 10**6))
def test_a_bucket_holds_its_decimal(value: Decimal, width: int) -> None:
    """The same of exact decimals."""
    (lower,) = protected([f"{value:f}"], f"{{generalize: {{bucket: {width}}}}}", "decimal(20,4)", None)

    assert lower <= value < lower + width
    assert lower % width == 0


@settings(max_examples=examples(200), deadline=None)
@given(st.text(max_size=80))
def test_every_text_has_a_token_that_is_turned_back(text: str) -> None:
    """Any text, of any script, empty ones included."""
    text = text.encode("utf-8", "ignore").decode()

    assert Tokens(KEY).reveal(Tokens(KEY).token(text)) == text


@settings(max_examples=examples(200), deadline=None)
@given(st.from_regex(r"\A[A-Za-z0-9 .-]{4,60}\Z").filter(lambda t: sum(c.isalnum() for c in t) >= 4))
def test_every_text_that_keeps_its_format_is_turned_back(text: str) -> None:
    """Whatever lies between its letters and digits; and no position changes its kind."""
    found = Preserving(KEY, "alphanumeric").preserve(text)

    assert [c.isalnum() for c in found] == [c.isalnum() for c in text]
    assert Preserving(KEY, "alphanumeric").restore(found) == text


@pytest.mark.parametrize(
    ("protect", "type_", "said"),
    [
        ("{preserve: digits}", "integer", "SYN810 v can't be protected so: preserve is about text"),
        ("{generalize: {date: year}}", "string", "date is about dates and timestamps, and the field is string"),
        ("{generalize: {bucket: 10}}", "date", "bucket is about numbers"),
        ("{generalize: {prefix: 3}}", "json", "prefix is about text and whole numbers"),
        ("{generalize: {date: year, prefix: 3}}", "date", "generalize has date and prefix, not exactly one"),
        ("{generalize: {top: 3}}", "integer", "generalize has none of date, prefix and bucket"),
        ("{generalize: {prefix: 3, top: 9}}", "string", "top goes with bucket"),
        ("{generalize: {date: month, bottom: 1937}}", "date", "bottom goes with date: year"),
    ],
)
def test_a_protection_that_does_not_fit_its_field_is_a_finding(protect: str, type_: str, said: str) -> None:
    """What has no meaning for a type is told before anything runs."""
    assert said in refusal(protect, type_)


def test_keys_for_different_purposes_have_nothing_to_do_with_each_other() -> None:
    """What a mapping can hash is never the key of its tokens, whatever it hashes."""
    assert derived(KEY, "token", 32) != derived(KEY, "preserve/digits", 32)
    assert derived(KEY, "token", 32).hex() not in {
        keyed_hash(t, KEY) for t in ("token", "syncline/protect/v1", "token\1")
    }


def test_own_tests_of_a_mapping_state_what_values_are_made_of() -> None:
    """A test may state the value before it is protected with a key, and the one after it is generalised."""
    made = mapping("""\
fields:
- {to: mail, from: mail, protect: {tokenize: tenant}}
- {to: card, from: card, protect: {preserve: digits}}
- {to: born, from: born, type: date, protect: {generalize: {date: year}}}
- {to: age, from: age, type: integer, protect: {generalize: {bucket: 10}}}
tests:
- given: {mail: a@b.example, card: "4111 1111", born: "1984-03-09", age: 39}
  expect: {mail: a@b.example, card: "4111 1111", born: "1984", age: 30}
- given: {mail: a@b.example, card: "4111 1111", born: "1984-03-09", age: 39}
  expect: {mail: x@b.example, card: "4111 1112", born: "1985", age: 39}
""")

    assert [d.message.split(": ")[1].split(" ")[0] for d in run_tests(made, None)] == [
        "mail",
        "card",
        "born",
        "age",
    ]


def test_large_columns_are_protected_by_distinct_values() -> None:
    """A million rows of a hundred values cost a hundred encryptions, not a million."""
    made: list[str] = []
    from syncline.mapping import protect

    values = pl.Series("v", [f"{n % 100:08d}" for n in range(1_000_000)])
    found = protect._each(values, lambda text: made.append(text) or text[::-1])  # type: ignore[func-returns-value]

    assert len(made) == 100
    assert found[99] == "99000000"


def test_dates_are_typed_as_text() -> None:
    """The column of a generalised date is text, of a bucket its own type: what tables are made with."""
    compiled = compile_mapping(
        mapping(
            "fields: [{to: d, from: d, type: date, protect: {generalize: {date: year}}}, "
            "{to: n, from: n, type: integer, protect: {generalize: {bucket: 5}}}]"
        ),
        None,
    )

    assert [str(field.type) for field in compiled.target.fields] == ["string", "integer"]
