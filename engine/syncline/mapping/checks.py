"""Checks of target values: what a manifest asks for, compiled to rules that columns can be tested against."""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec import Struct

from syncline.kinds.mapping import Check
from syncline.mapping import exact
from syncline.mapping.exact import Target, Unfit
from syncline.mapping.regex import BadPattern, columnar
from syncline.mapping.types import literal_type
from syncline.mapping.vocabularies import COUNTRIES, CURRENCIES

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_H = "[0-9A-Fa-f]{1,4}"
_IPV6 = "|".join(
    (
        rf"(?:{_H}:){{7}}{_H}",
        *(rf"(?:{_H}:){{1,{7 - n}}}(?::{_H}){{1,{n}}}" for n in range(1, 7)),
        rf":(?::{_H}){{1,7}}",
        rf"(?:{_H}:){{1,7}}:",
        "::",
        rf"(?:{_H}:){{6}}{_IPV4}",
        rf"::(?:{_H}:){{0,5}}{_IPV4}",
        *(rf"(?:{_H}:){{1,{6 - n}}}(?::{_H}){{0,{n - 1}}}:{_IPV4}" for n in range(1, 6)),
    )
)

#: A label of a domain in its own script: the letters, marks and digits of IDNA 2008 (RFC 5892), and within it what
#: scripts need between them: joiners, the middle dots of Catalan and Japanese, the signs of Greek and Hebrew.
_LETTER = r"\p{L}\p{Mn}\p{Mc}\p{Nd}"
_WITHIN = r"\x{200C}\x{200D}\x{B7}\x{375}\x{5F3}\x{5F4}\x{30FB}"
_U_LABEL = rf"[\p{{L}}\p{{Nd}}](?:[{_LETTER}{_WITHIN}-]*[{_LETTER}\x{{5F3}}\x{{5F4}}\x{{200D}}])?"

#: Formats as patterns over the whole value. E-mail: HTML's definition (https://html.spec.whatwg.org, "valid e-mail
#: address") with a dotted domain, and letters of any script on both sides (RFC 6531). Phone: E.164 with separators.
PATTERNS = {
    "email": rf"[^\s@\x00-\x1f,;:<>()\[\]\\\x22]{{1,64}}@(?:{_U_LABEL}\.)+{_U_LABEL}",
    "url": r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#]+[^\s]*",
    "uuid": "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "hostname": rf"(?:{_LABEL}\.)*{_LABEL}",
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    "phone": r"\+?[0-9](?:[ .()/-]{0,2}[0-9]){6,14}",
}
#: What values of a format never have. Letters of any script, up to 63 times in a pattern, are a machine of so many
#: states that it took 40 ms to make and 30 times as long to run: the length of labels is a pattern of its own.
NEVER = {"email": r"[^@.]{64}(?:\.|$)"}
_SETS = {"country": COUNTRIES, "currency": CURRENCIES}

ORDERED = frozenset({"integer", "int32", "decimal", "float", "date", "time", "timestamp", "datetime"})


class Rule(Struct, frozen=True):
    """
    One thing that a value must satisfy. `argument` is typed as the target is; of a pattern, the column library's.

    `never` is a pattern that no part of a value may match.
    """

    name: str
    argument: Any
    message: str
    never: str = ""


class BadCheck(Exception):
    """A check that has no meaning for its field: which part of it, and why."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part
        self.message = message


def rules(check: Check | None, target: Target) -> tuple[Rule, ...]:
    """The rules of a check, in the order in which they are tried. BadCheck for what can't be checked."""
    if check is None:
        return ()
    name = target.type.name
    found: list[Rule] = []
    texts = {
        "format": check.format,
        "pattern": check.pattern,
        "minLength": check.min_length,
        "maxLength": check.max_length,
    }
    for part, what in texts.items():
        if what is not None and name != "string":
            raise BadCheck(part, f"{part} is about text, and the field is {target.type}")
    if check.format is not None:
        found.append(_format(check.format))
    for part, bound, words in (("min", check.min, "less than"), ("max", check.max, "more than")):
        if bound is None:
            continue
        if name not in ORDERED:
            raise BadCheck(part, f"{part} is about numbers, dates and times, and the field is {target.type}")
        found.append(Rule(part, typed(bound, target, part), f"is {words} {bound}"))
    if check.min_length is not None:
        found.append(Rule("minLength", check.min_length, f"has less than {check.min_length} characters"))
    if check.max_length is not None:
        found.append(Rule("maxLength", check.max_length, f"has more than {check.max_length} characters"))
    if check.pattern is not None:
        try:
            found.append(Rule("pattern", columnar(check.pattern), f"does not match {check.pattern}"))
        except BadPattern as bad:
            raise BadCheck("pattern", str(bad)) from None
    if check.enum:
        values = tuple(typed(value, target, "enum") for value in check.enum)
        shown = ", ".join(map(str, check.enum[:8])) + (", …" if len(check.enum) > 8 else "")
        found.append(Rule("enum", values, f"is none of {shown}"))
    return tuple(found)


def typed(value: Any, target: Target, part: str) -> Any:
    """A value of a manifest as the target's type; dates and times are always ISO 8601 there."""
    iso = Target(target.type, zone=target.zone) if isinstance(value, str) else target
    source = literal_type(exact_number(value)).type.name
    why = exact.refusal(source, iso)
    if why:
        raise BadCheck(part, f"{value!r} is no {target.type}: {why}")
    try:
        return exact.caster(source, iso)(exact_number(value))
    except Unfit as unfit:
        raise BadCheck(part, f"{value!r} {unfit}") from None


def exact_number(value: Any) -> Any:
    """A YAML float as the decimal digits that were written (its shortest form), everything else as it is."""
    return repr(value) if isinstance(value, float) and not isinstance(value, bool) else value


@cache
def _format(name: str) -> Rule:
    message = f"is not written as {'an' if name[0] in 'aeiou' else 'a'} {name}"
    if name in _SETS:
        return Rule("format", tuple(sorted(_SETS[name])), message)
    return Rule("format", f"^(?:{PATTERNS[name]})$", message, NEVER.get(name, ""))
