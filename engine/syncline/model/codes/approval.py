"""Codes of findings about approvals of what a plan does (SYN72x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN720",
        "waits for approval",
        "Such a change is applied only when its effects are approved, and no approval of them is in the tree. "
        "Nothing of the change, and of what has to do with it, is applied; everything else is.",
        "Have somebody who may, and who isn't an author of the change, run `syncline approve` on the branch and push "
        "what it writes. `syncline apply` takes who may as --approvers.",
    ),
    Code(
        "SYN721",
        "more than was approved",
        "The plan does something that the approval doesn't cover: the commit or the state has changed since, or "
        "the approval is of another change.",
        "Look at the difference in the message, and have the plan approved as it is now; or revert what was added.",
    ),
    Code(
        "SYN722",
        "approval doesn't count",
        "There is an approval of these effects, but not enough people signed it who may and who aren't authors of the "
        "change, or it has expired, was used already, or is of another state or environment, or what is applied isn't "
        "committed.",
        "Do what the message says: have somebody else sign, or approve anew with `syncline approve --renew`.",
    ),
    Code(
        "SYN723",
        "can't sign",
        "ssh-keygen doesn't sign with that key: the file isn't an SSH key, its passphrase was wrong, or the agent "
        "doesn't have it.",
        "Give --key the file of a private SSH key, or of a public one whose private part the agent has.",
    ),
    Code(
        "SYN724",
        "approvals can't be checked",
        "Signatures or authors can't be found out on this machine: the file of approvers can't be read, OpenSSH is "
        "missing, or the history is too long. Nothing is applied meanwhile.",
        "Do what the message says on the daemon's machine.",
    ),
)
