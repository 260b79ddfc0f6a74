"""Codes of findings about audit and evidence (SYN9xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN999",
        "defect in Syncline",
        "A promise of Syncline's own code is broken.",
        "Report it with the message that came with it.",
    ),
)
