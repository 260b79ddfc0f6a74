"""Codes of findings about the Git repository that a daemon follows (SYN66x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN660",
        "not a source",
        "The URL, the branch, tag or commit, or the folder of a source is none that can be followed.",
        "Give an https or ssh URL or an absolute path, a plain name, and a folder below the repository's root.",
    ),
    Code(
        "SYN661",
        "source out of reach",
        "The repository can't be fetched: the server doesn't answer, refuses, or is too slow.",
        "What was applied keeps running, and the daemon tries again. Look at the address and the credentials.",
    ),
    Code(
        "SYN662",
        "nothing to follow",
        "The repository has no branch, tag or commit of that name.",
        "Name one that is there. What was applied keeps running.",
    ),
    Code(
        "SYN663",
        "history rewritten",
        "The commit that is applied is not an ancestor of the newest one: history was rewritten, as by a force-push.",
        "Push a commit on top of the one that is applied, or apply the new history once by hand.",
    ),
    Code(
        "SYN664",
        "not signed as demanded",
        "The daemon applies only commits that somebody in its list of allowed signers signed.",
        "Sign the commit with an allowed key, or add the key to the list.",
    ),
    Code(
        "SYN665",
        "refused tree",
        "A commit holds what is not taken out of a repository: links, submodules, names that could reach elsewhere or "
        "that are the same where case doesn't count, or too much.",
        "Remove it, or follow a folder without it. Nothing of the commit is applied.",
    ),
    Code(
        "SYN666",
        "nothing to listen at",
        "An address that the daemon is to answer at can't be bound, or the secret of its webhook is too short to "
        "protect anything.",
        "Give HOST:PORT with a free port, and a random secret of at least 16 characters.",
    ),
    Code(
        "SYN667",
        "not the server it should be",
        "The Git server shows an SSH key that isn't in known_hosts, or a certificate that nobody vouches for. Somebody "
        "may stand between.",
        "Compare the key with what the server's operator publishes before you add it.",
    ),
    Code(
        "SYN668",
        "source lets nobody in",
        "The Git server refuses the credentials, or has no such repository, which it also says to who may not read it.",
        "Renew the credentials, or let them read the repository. What was applied keeps running.",
    ),
    Code(
        "SYN669",
        "source has moved",
        "The Git server sends us to another address, where we don't go: the credentials would go along.",
        "Give the new address as the source.",
    ),
)
