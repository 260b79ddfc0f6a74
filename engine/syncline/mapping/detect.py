"""Finding classified data by its form: e-mail addresses, card numbers, IBANs, and what a tenant's patterns describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from syncline.kinds.tenant import Detect
from syncline.mapping.checks import PATTERNS
from syncline.mapping.regex import columnar


@dataclass(frozen=True, slots=True)
class _Form:
    """Where in a text something may be, and whether it really is one; no check where the pattern says it all."""

    pattern: str
    check: Callable[[str], bool] | None = None


def _card(text: str) -> bool:
    """ISO/IEC 7812-1: 13 to 19 digits, the last of which is a check digit (Luhn)."""
    digits = [int(c) for c in text if c.isdigit()]
    doubled = [d if i % 2 == 0 else 2 * d - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and sum(doubled) % 10 == 0 and len(set(digits)) > 1


def _iban(text: str) -> bool:
    """ISO 13616: the check digits, modulo 97."""
    compact = text.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


_FORMS: Final[Mapping[str, _Form]] = {
    "email": _Form(PATTERNS["email"]),
    "card": _Form(r"\b[2-6][0-9](?:[ -]?[0-9]){11,17}\b", _card),
    "iban": _Form(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}\b", _iban),
}


def found(values: pl.Series, detect: Detect) -> int:
    """
    How many values of a text or integer column have what is looked for; of a tenant's own pattern, are it as a whole.

    BadPattern where that isn't a pattern.
    """
    texts = values if values.dtype == pl.String else values.cast(pl.String)
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
