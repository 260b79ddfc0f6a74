"""Classes of data that a field probably has, by its name and by what its values look like.

A guess for a person to confirm, never taken by policy. It leans to saying too much: a class that isn't needed is
deleted in a second; personal data that nobody declared flows on.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from syncline.manifests.infer import Seen, formats_of

_MOST: Final = 0.8  # of the values that must look so


def likely_class(name: str, seen: Seen) -> str:
    """
    The class, or '' when nothing speaks for one.

    >>> likely_class("customerEmail", Seen()), likely_class("subject", Seen())
    ('pii.email', '')
    """
    if seen.kinds and not {"string", "integer", "number"} & set(seen.kinds):
        return ""
    by_value = _by_values(seen.samples)
    if by_value:
        return by_value
    words = _words(name)
    for pattern, found in _NAMES:
        if pattern.search(words):
            return "" if found.startswith("pii.name") and set(seen.kinds) - {"string"} else found
    return ""


def _words(name: str) -> str:
    """`customerEmail`, `customer_email` and `Customer-Email` as ` customer email `."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return " " + re.sub(r"[^A-Za-z0-9]+", " ", split).strip().lower() + " "


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf" ({words}) ")


#: Names, the more telling first. Words, as `_words` writes them.
_NAMES: Final = (
    (_pattern("password|passwd|secret|api key|apikey|access token|refresh token|private key|client secret"), "secret"),
    (_pattern("e ?mail|e ?mails|email address|mail"), "pii.email"),
    (_pattern("phone|phone number|mobile|telephone|tel|fax|cell|msisdn"), "pii.phone"),
    (_pattern("(first|last|full|middle|given|family) name|surname|firstname|lastname|fullname"), "pii.name"),
    (_pattern("(display|real|contact|customer|requester|assignee) name"), "pii.name"),
    (_pattern(r"street|address|address line \d|address\d|postal code|postcode|zip|zip code|zipcode"), "pii.address"),
    (_pattern("birth|birthday|birth date|date of birth|birthdate|dob"), "pii.birth_date"),
    (_pattern("ssn|social security number|national id|passport|passport number|tax id|tin"), "pii.national_id"),
    (_pattern("iban|bank account|account number|routing number|sort code"), "pii.bank_account"),
    (_pattern("card number|credit card|pan"), "pci.pan"),
    (_pattern("cvv|cvc|card code"), "pci.cvv"),
    (_pattern("ip|ip address|remote addr|client ip|ipaddress"), "pii.ip_address"),
    (_pattern("latitude|longitude|geolocation|lat|lng"), "pii.location"),
    (_pattern("gender|sex|ethnicity|religion|nationality"), "pii.special"),
    (_pattern("diagnosis|diagnoses|icd|icd10|medication|blood type|patient|allergies"), "phi.health"),
)


def _by_values(samples: Sequence[str]) -> str:
    if len(samples) < 2:
        return ""
    for check, found in _VALUES:
        if sum(map(check, samples)) >= _MOST * len(samples):
            return found
    return ""


def _is_email(text: str) -> bool:
    return "email" in formats_of(text)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_card(text: str) -> bool:
    """A card's number: 13 to 19 digits with the check digit of ISO/IEC 7812 (Luhn)."""
    digits = [int(c) for c in re.sub(r"[ -]", "", text) if c.isdigit()]
    if not 13 <= len(digits) <= 19 or not re.fullmatch(r"[\d -]+", text):
        return False
    total = sum(d if i % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(reversed(digits)))
    return total % 10 == 0


def _is_iban(text: str) -> bool:
    """An IBAN with its check digits (ISO 13616)."""
    plain = text.replace(" ", "").upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}", plain):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _is_phone(text: str) -> bool:
    return bool(re.fullmatch(r"\+\d[\d ().-]{6,20}", text))


_VALUES: Final = (
    (_is_email, "pii.email"),
    (_is_address, "pii.ip_address"),
    (_is_card, "pci.pan"),
    (_is_iban, "pii.bank_account"),
    (_is_phone, "pii.phone"),
)
