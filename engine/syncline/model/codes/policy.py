"""Codes of findings about policy and data flows (SYN5xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN500",
        "denied by policy",
        "A policy or a guard of the tenant refuses this.",
        "Change it, or have the policy's owner allow it.",
    ),
)
