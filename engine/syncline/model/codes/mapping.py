"""Codes of findings about mappings and expressions (SYN3xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = ()
