"""Codes of findings about loading YAML (SYN1xx) and schema or references (SYN2xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN200",
        "invalid declaration",
        "Something that was declared or asked for is wrong.",
        "Fix each finding that is listed with it.",
    ),
)
