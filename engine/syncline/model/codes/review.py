"""Codes of findings about what a pull request shows and approves: snapshots, effects, approvals (SYN318 to SYN329)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN318",
        "snapshot isn't trusted",
        "A snapshot of the state is believed only when the key that is named as trusted has signed it. No key was "
        "named, it isn't a key, or another one signed.",
        "Give --snapshot-key, or SYNCLINE_SNAPSHOT_KEY, what `syncline snapshot key` prints where the state is.",
    ),
    Code(
        "SYN319",
        "not a snapshot",
        "The file is no snapshot of a state, or one of another version, with fields or kinds that this program doesn't "
        "know.",
        "Use the same version of Syncline where the snapshot is made and where it is read.",
    ),
    Code(
        "SYN320",
        "old snapshot",
        "What was applied after the snapshot was taken isn't in the plan, so the plan may show too much or too little. "
        "The daemon plans again, with the state itself, before it applies anything.",
        "See that the daemon is running and that its file gets to CI; --snapshot-max-age says what counts as old.",
    ),
    Code(
        "SYN321",
        "snapshot isn't published",
        "The snapshot can't be written, would be too large, or something applied looks like a credential.",
        "Do what the message says. Plans in CI go on with the last one that was published.",
    ),
    Code(
        "SYN322",
        "effect that can't be undone",
        "Applying the plan does something to data that a revert of the commit doesn't take back, such as a class of "
        "data that newly flows somewhere, or a position that is forgotten.",
        "See that it is meant. Where the plan is refused without it, approve it; else change what the line declares.",
    ),
    Code(
        "SYN323",
        "comment can't be written",
        "The comment on a pull request can't be written or updated: this is no job on one, its token is missing or may "
        "not, or the code host can't be reached.",
        "Give the job's token the right to comment. Pull requests from forks get no such token: the plan is in the "
        "job's summary.",
    ),
)
