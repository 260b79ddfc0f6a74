"""Finding classified data by its form: e-mail addresses, card numbers, IBANs, and what a tenant's patterns describe."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import polars as pl
from msgspec import Struct

from syncline.kinds.tenant import Detect
from syncline.mapping.regex import columnar


class _Form(Struct, frozen=True):
    """Where in a text something may be, and whether it really is one; no check where the pattern says it all."""

    pattern: str
    check: Callable[[str], bool] | None = None


def _card(text: str) -> bool:
    """
    ISO/IEC 7812-1: 13 to 19 digits, the last of which is a check digit (Luhn). Whole, or some of its groups: beside a
    number may stand its month of expiry, its CVV or another number.
    """
    groups = _DIGITS.findall(text)
    return _luhn("".join(groups)) or any(
        _luhn("".join(groups[first:last]))
        for first in range(len(groups))
        for last in range(first + 1, min(len(groups), first + _GROUPS) + 1)
        if all(len(group) >= _SHORTEST for group in groups[first : last - 1])
    )


def _luhn(text: str) -> bool:
    if not 13 <= len(text) <= 19 or text[0] not in "23456" or len(set(text)) == 1:
        return False
    digits = [int(c) for c in text]
    doubled = [d if i % 2 == 0 else 2 * d - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    """ISO 13616: the check digits, modulo 97. Whole, or its first words: others may follow it."""
    words = text.upper().split(" ")
    return any(_mod_97("".join(words[:count])) for count in range(1, len(words) + 1))


def _mod_97(compact: str) -> bool:
    if len(compact) != _LENGTHS.get(compact[:2]):
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


#: Characters of an IBAN, by its country (ISO 13616 registry).
_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
#: Card numbers are printed in up to five groups, of which none but the last has fewer than four digits.
_DIGITS: Final = re.compile("[0-9]+")
_GROUPS: Final = 5
_SHORTEST: Final = 4

#: Addresses as people may have them: letters of any script on both sides (RFC 6531), domains of such labels or of
#: their ASCII form (RFC 5890: `xn--…`), quoted local parts. The last label has two letters or more: `left-pad@1.3.0` is
#: none.
_LOCAL: Final = r"""(?:"[^"\x00-\x1f]{1,64}"|[^\s@\x00-\x1f,;:<>()\[\]\\"]+)"""
_LABEL: Final = r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?"
_LAST: Final = r"(?:\p{L}[\p{L}\p{M}]+|(?i:xn--)[0-9A-Za-z-]+)"
_EMAIL: Final = rf"{_LOCAL}@(?:{_LABEL}\.)+{_LAST}"

_FORMS: Final[Mapping[str, _Form]] = {
    "email": _Form(_EMAIL),
    "card": _Form(r"\b[0-9](?:[ .-]?[0-9]){12,40}\b", _card),
    "iban": _Form(r"(?i)\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,45}\b", _iban),
}


def found(values: pl.Series, detect: Detect) -> int:
    """
    How many values of a column of texts or numbers have what is looked for; of a tenant's own pattern, are it wholly.
    Of numbers that aren't whole, their whole part is looked at.

    BadPattern where that isn't a pattern.
    """
    whole = values.cast(pl.Int128, strict=False) if values.dtype.is_float() or values.dtype.is_decimal() else values
    texts = whole if whole.dtype == pl.String else whole.cast(pl.String)
    if detect.pattern is not None:
        return int(texts.str.contains(columnar(detect.pattern)).sum() or 0)
    form = _FORMS[detect.form or ""]
    if form.check is None:
        return int(texts.str.contains(form.pattern).sum() or 0)
    candidates = texts.drop_nulls().str.extract_all(form.pattern)
    distinct = candidates.explode().drop_nulls().unique().to_list()
    sound = [text for text in distinct if form.check(text)]
    if not sound:
        return 0
    return int(candidates.list.eval(pl.element().is_in(sound)).list.any().sum() or 0)
