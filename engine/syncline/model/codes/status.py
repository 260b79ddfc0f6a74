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
    Code(
        "SYN671",
        "not a commit to go back to",
        "The commit to roll back to doesn't come before the one that is checked out.",
        "Check out the branch that is applied, and give one of the commits before it: `syncline history`.",
    ),
    Code(
        "SYN672",
        "nothing to roll back",
        "The configuration is what it was at that commit.",
        "Give an earlier commit.",
    ),
    Code(
        "SYN673",
        "not a free branch",
        "The commit of a rollback is made on a new branch, and the name is taken or none that Git takes.",
        "Give another name by --branch.",
    ),
    Code(
        "SYN674",
        "Git refuses",
        "Git couldn't make the commit, for the reason that it gave: often no name and address are configured.",
        "Do what the message says, such as `git config user.email`, and try again. Nothing was changed.",
    ),
)
