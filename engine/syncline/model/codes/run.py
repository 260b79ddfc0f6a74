"""Codes of findings about runs and rejects (SYN7xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN700",
        "temporary failure",
        "It failed in a way that may pass by itself.",
        "Run it again; a run resumes from its last commit.",
    ),
)
