"""Codes of findings about asking a source, and whoever hands a run to the daemon (SYN74x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN740",
        "source is slow to answer",
        "The Git server was asked, and hasn't answered yet. The daemon waits for it beside its other work: runs, "
        "schedules, webhooks and probes go on.",
        "Nothing, if it passes. Else look at the server, the network between, and --fetch-timeout.",
    ),
    Code(
        "SYN741",
        "password in a URL",
        "The URL of a source has a password in it. Whoever may list processes or read units and manifests has it, too.",
        "Consider the password known, and replace it. Give the URL without it and name a secret: --password env:NAME.",
    ),
    Code(
        "SYN742",
        "secret for another protocol",
        "A secret is given that this source never asks for: passwords are for https URLs, keys for SSH.",
        "Give the URL that the secret is for, or leave the secret out.",
    ),
    Code(
        "SYN743",
        "the daemon doesn't answer",
        "The daemon of this folder has taken a request for a run and says nothing any more, not even that it is alive: "
        "its process is stopped, or hangs.",
        "Continue or end that process, then run it again. Data is as the last commit left it.",
    ),
)
