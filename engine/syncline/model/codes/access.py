"""Codes of findings about how systems are reached: signatures of requests (SYN27x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN270",
        "component that a signature can't cover",
        "A message signature (RFC 9421) names a part that no request has, a parameter that it doesn't take, one twice, "
        "or `;sf` for a header whose structure isn't known.",
        "Name headers, or parts such as @method; say in `structures` what a header is.",
        bad="components: ['@status', 'x-trace;sf']",
        good="components: ['@method', 'x-trace;sf']\nstructures: {x-trace: dictionary}",
    ),
)
