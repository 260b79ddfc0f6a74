"""Codes of findings about the protection of fields (SYN810 to SYN819)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN810",
        "protection that doesn't fit the field",
        "A field is protected in a way that has no meaning for its type: a number has no digits to keep the format of, "
        "a text no year; or generalize doesn't say exactly one thing.",
        "Give the field another type, or protect it in another way.",
        bad="- {to: born, from: born, protect: {generalize: {date: year}}}",
        good="- {to: born, from: born, type: date, protect: {generalize: {date: year}}}",
    ),
    Code(
        "SYN811",
        "value that can't be turned back",
        "A value isn't a token of the tenant's key, or can't be one that kept its format; or the tenant has no key. A "
        "hash and a mask are never turned back.",
        "Give the value as it was written, with --as digits or alphanumeric for `protect: {preserve: …}`.",
    ),
)
