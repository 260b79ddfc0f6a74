"""Codes of findings about secrets and keys (SYN8xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = ()
