"""Codes of what a tenant's quotas allow (SYN846 to SYN849), and of its life and access (SYN860 to SYN869)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN846",
        "no turn yet",
        "As many runs of the tenant are under way as its quota allows (spec.quotas.concurrentRuns). A daemon starts it "
        "when one of them has ended.",
        "Wait, or raise the quota.",
    ),
    Code(
        "SYN847",
        "the rows of today are written",
        "Runs of the tenant have written as many rows today (UTC) as its quota allows (spec.quotas.rowsPerDay). The "
        "run was stopped after a commit, and goes on from there tomorrow.",
        "Wait, or raise the quota.",
    ),
    Code(
        "SYN860",
        "no such tenant",
        "A command names a tenant that isn't declared, or a name that no tenant can have.",
        "Correct the name, or declare the tenant: `syncline tenant scaffold` writes a manifest to begin with.",
    ),
    Code(
        "SYN861",
        "a tenant that can't be taken out",
        "Only a tenant that Git no longer declares, and of which nothing is applied any more, is taken out; and only "
        "one of which something is left.",
        "Remove its manifests by a commit, let that be applied, and run the command again.",
    ),
    Code(
        "SYN862",
        "the tenant's manifests aren't found",
        "Which destinations a retired tenant wrote to is read from the newest applied commit that declared it, and no "
        "commit that Git has here does.",
        "Name the last commit that declared it (--from), in a clone with its whole history.",
    ),
    Code(
        "SYN863",
        "no recipient",
        "An archive is sealed for public keys of age (X25519), which begin with age1.",
        "Give a key as `age-keygen -y` prints it.",
    ),
    Code(
        "SYN864",
        "no disk left of the quota",
        "The rejects that are kept of the tenant's runs take as much disk as its quota allows (spec.quotas.spool), or "
        "a packed file would unpack to more. The run was stopped after a commit, and goes on from there.",
        "Find out why so much is rejected, or raise the quota.",
    ),
    Code(
        "SYN865",
        "not this person's to do",
        "The tenant declares who may do what by commands (spec.access.roles), and who acts has no role that may do "
        "this. The refusal is in the audit log.",
        "Ask somebody with the role that the message names, or have the role given by a commit.",
    ),
    Code(
        "SYN866",
        "no month that is over",
        "Figures over all tenants are told of whole months that are over: from two figures of parts of one, what ran "
        "in between would follow.",
        "Name a month that is over, such as 2026-10, or leave it out for the last one.",
    ),
)
