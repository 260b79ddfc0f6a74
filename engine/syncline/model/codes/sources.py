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
    Code(
        "SYN744",
        "declared by another source",
        "An object has one owner: the source that it was first applied from keeps it, and another one that declares it "
        "is refused.",
        "Leave it out. To move it, say so in spec.transfers of the Source, in the first repository.",
    ),
    Code(
        "SYN745",
        "not this source's to declare",
        "A source declares what its Source in the first repository lets it: objects of its tenants, of its kinds.",
        "Have spec.declares extended there, or declare the object where it belongs.",
    ),
    Code(
        "SYN747",
        "objects without a source",
        "A Source is no longer declared, and objects that came from it are applied. Nothing retires them.",
        "Remove them in that source first, or let another source declare them: it gets them.",
    ),
)
