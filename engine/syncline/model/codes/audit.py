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
        "SYN999",
        "defect in Syncline",
        "A promise of Syncline's own code is broken.",
        "Report it with the message that came with it.",
    ),
)
