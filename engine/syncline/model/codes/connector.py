"""Codes of findings about connectors, sources and destinations (SYN4xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = ()
