"""Finding classified data by its form: what is one, what only looks like one, and in which columns."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from syncline.kinds.tenant import Detect
from syncline.mapping.detect import found


def count(values: list[Any], **how: str) -> int:
    """How many values have what is looked for."""
    return found(pl.Series("v", values), Detect.model_validate({"class": "pii.x", **how}))


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "Card: 5500-0000-0000-0004.",
        "378282246310005 (amex)",
        "6011111111111117",
        "4111 1111 1111 1111 123",
        "4111111111111111 12/27",
        "22 4111 1111 1111 1111",
        "3782 822463 10005-0427",
        "4111.1111.1111.1111",
        "100234 4111111111111111 12 2027 999",
    ],
)
def test_card_numbers_are_found_wherever_they_are(text: str) -> None:
    """Numbers of schemes by ISO/IEC 7812, with and without separators, inside other text and beside other numbers."""
    assert count([text], form="card") == 1


@pytest.mark.parametrize(
    "text", ["4111111111111112", "1234567812345670", "411111111111", "2222222222222222", "x4111111111111111x", ""]
)
def test_other_numbers_are_no_card_numbers(text: str) -> None:
    """A wrong check digit, another beginning, too few digits, one digit throughout, part of a longer word."""
    assert count([text], form="card") == 0


def test_a_column_of_integers_may_hold_card_numbers() -> None:
    """Whoever keeps card numbers as numbers is found as well."""
    assert count([4111111111111111, 17, None], form="card") == 1


@pytest.mark.parametrize("number", [Decimal("4111111111111111.00"), 4111111111111111.0])
def test_so_may_columns_of_other_numbers(number: Decimal | float) -> None:
    """A decimal or a float that is a card number is one; what is no finite number is none."""
    more = [Decimal("17.25")] if isinstance(number, Decimal) else [17.25, math.nan, math.inf, 1e300]

    assert count([number, *more, None], form="card") == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DE89370400440532013000", 1),
        ("pay to GB82 WEST 1234 5698 7654 32 now", 1),
        ("DE89370400440532013000 BIC COBADEFFXXX", 1),
        ("DE89 3704 0044 0532 0130 00 EUR 12", 1),
        ("iban: de89370400440532013000", 1),
        ("DE89370400440532013001", 0),
        ("DE89370400440532013001 BIC COBADEFFXXX", 0),
        ("DE89", 0),
        ("DE41370400440532013", 0),
    ],
)
def test_ibans_are_found_by_their_check_digits(text: str, found: int) -> None:
    """ISO 13616, electronic and printed form, in capitals or not, and with other words behind it."""
    assert count([text], form="iban") == found


@pytest.mark.parametrize(("text", "found"), [("write to Anna.B@mail.example.com!", 1), ("a@b", 0), ("@home", 0)])
def test_addresses_are_found_inside_text(text: str, found: int) -> None:
    """An e-mail address in a note counts."""
    assert count([text, None], form="email") == found


@pytest.mark.parametrize(
    "text",
    [
        "jörg@example.com",  # RFC 6531: letters of any script before the @
        "Jos\u0065\u0301@example.com",  # a letter and its accent apart
        "kontakt: info@müller.example",
        "info@xn--mller-kva.example",  # RFC 5890: the same domain in ASCII
        "иван@почта.рф",
        "ivan@xn--80a1acny.xn--p1ai",
        "用户@例子.广告",
        "連絡先 花子@例え.テスト です",
        "उपयोगकर्ता@उदाहरण.कॉम",
        "مستخدم@مثال.إختبار",
        "θσερ@εχαμπλε.ψομ",
        '"john doe"@example.com',
        "o'brien+tag@sub-domain.example.co.uk",
        "a@b.museum",
    ],
)
def test_addresses_of_any_script_are_found(text: str) -> None:
    """RFC 6531 and internationalised domains, in letters and in ASCII; RFC 6532's own examples among them."""
    assert count([text, None], form="email") == 1


@pytest.mark.parametrize(
    "text",
    [
        "left-pad@1.3.0",
        "syncline@^1.2",
        "5 pieces @ 3.50 each",
        "3@4.5",
        "@müller on the board",
        "müller@büro",
        "見て@誰か。ありがとう",
        "price@100.円",
        "user@host..com",
        "user@.com",
        "user@-x.com",
        "user@example.c",
        "mailto:@example.com",
        "a@b@",
        "x @example.com",
        "10.0.0.1",
        "grüße.an.alle",
    ],
)
def test_what_only_looks_like_an_address_is_none(text: str) -> None:
    """Versions, prices, mentions, names without a dot, sentences of Japanese, and broken domains."""
    assert count([text], form="email") == 0


def test_a_pattern_matches_whole_values() -> None:
    """A tenant's own form of identifiers."""
    assert count(["E123456", "xE123456", "E12345"], pattern="E[0-9]{6}") == 1
