"""Codes of findings about processes that follow each other (SYN68x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN680",
        "followed by a later run",
        "While this process was slow or cut off, another one took the flow over, and the destination refuses what the "
        "earlier one still had to write.",
        "Nothing is to be done: the later run goes on after the last commit.",
    ),
    Code(
        "SYN681",
        "destination is ahead of the state",
        "The destination has seen a later fencing token of this flow than the state gives: another process runs the "
        "flow, or the state was restored from a backup that is older than the data.",
        "If it was restored, look at what the flow has written since, and run it with --full-refresh.",
    ),
    Code(
        "SYN682",
        "the daemon stopped",
        "The daemon that had taken over a run of `syncline run` ended, or was ended, before the run did.",
        "Run it again: it goes on after its last commit.",
    ),
    Code(
        "SYN683",
        "the audit log is held",
        "Another process has held the audit log, or its journal, for much longer than writing to it takes: it is "
        "stopped or hangs. Nothing is done without evidence.",
        "Continue or end that process. On Linux, /proc/locks says which one it is.",
    ),
)
