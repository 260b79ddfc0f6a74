"""Codes of findings about audit and evidence (SYN9xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN901",
        "audit key cannot be used",
        "The key that signs the audit log is missing, readable by others or damaged. Nothing is done without evidence.",
        "Set the file's mode to 600, or restore the key from a backup. Never make a new key for an old log.",
    ),
    Code(
        "SYN902",
        "audit log is damaged",
        "The end of the audit log does not agree with its signed checkpoint, so that nothing can be added to it.",
        "Run `syncline audit verify` to see the first bad file or entry, and restore the log from a backup.",
    ),
    Code(
        "SYN903",
        "audit event too long",
        "An event has more than 65,535 bytes, the most that an entry of the log can have.",
        "Report it: events hold names, counts and digests, and should never come near.",
    ),
    Code(
        "SYN904",
        "no such audit entry",
        "The audit log has no entry with this number.",
        "`syncline audit show` lists the entries with their numbers.",
    ),
    Code(
        "SYN905",
        "audit log cannot be written",
        "The disk refused to store evidence. What would have been recorded was not done, or is not acknowledged.",
        "Make room or repair the disk and run the command again: the log goes on from its last checkpoint.",
    ),
    Code(
        "SYN906",
        "witness policy cannot be used",
        "The file that says which witnesses have to cosign the audit log isn't there, or isn't a policy as C2SP "
        "tlog-policy has it.",
        "Correct the line that is named. `syncline witness key` prints the line of a witness.",
    ),
    Code(
        "SYN907",
        "a witness has seen another log",
        "A witness refuses to cosign: what it has seen of this log is longer, or isn't continued by what is here. The "
        "log was replaced, restored from a backup, or signed twice.",
        "Find out which copy is the true one before anything else is done. `syncline audit verify` looks at this one.",
    ),
    Code(
        "SYN908",
        "not cosigned by enough witnesses",
        "Fewer witnesses than the policy demands could be reached. What is recorded is signed, and not yet cosigned.",
        "Try again later; a daemon does so by itself.",
    ),
    Code(
        "SYN909",
        "audit log is older than the state",
        "The state has seen more of the audit log than there is, or another one: the log was restored from a backup, "
        "or replaced. Nothing is done on top of evidence that is missing.",
        "Restore the newest copy of the log. Where there is none, `syncline audit resume --reason` says so in the log.",
    ),
    Code(
        "SYN910",
        "log does not continue a checkpoint",
        "What was proved or checked isn't the continuation of an earlier checkpoint: the log went back, or was forked.",
        "Keep both checkpoints: together they show it to anybody who has the log's public key.",
    ),
    Code(
        "SYN911",
        "no evidence of such a run",
        "The audit log has no end of this run: it is under way, or was another log's.",
        "`syncline runs list` shows the runs; one is attested when it has ended.",
    ),
    Code(
        "SYN912",
        "no evidence of such a time",
        "What is asked for isn't a framework that is known, or a span of time.",
        "`syncline evidence frameworks` lists them; give --from and --to as days (2026-11-01), the earlier first.",
    ),
    Code(
        "SYN913",
        "records cannot be proved",
        "The rows of this run aren't noted, so that none can be proved to be among them, or the record isn't one of "
        "them.",
        "Declare evidence: records of the flow; it holds for runs from then on, into databases and files.",
    ),
    Code(
        "SYN999",
        "defect in Syncline",
        "A promise of Syncline's own code is broken.",
        "Report it with the message that came with it.",
    ),
)
