"""Codes of how objects stand, of what happened and of going back (SYN670 to SYN679)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN670",
        "nothing known of it",
        "The object isn't applied, and no commit that was looked at declares it.",
        "`syncline status` lists what there is, and says of the source why its newest commit isn't applied.",
    ),
)
