"""Codes of findings about plan, apply and state (SYN6xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN601",
        "waiting for another",
        "Something else must happen first, such as another writer's lease ending.",
        "Wait for it, or look at what it names.",
    ),
)
