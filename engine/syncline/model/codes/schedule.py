"""Codes of findings about what starts runs (SYN338, SYN695 to SYN699)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN338",
        "schedule that never starts",
        "No instant of the schedule lies in a window that is allowed, and in none that is denied: it starts nothing.",
        "Change the times or the windows, which are read in the schedule's `timeZone`; to stop it on purpose, use "
        "`suspend`, which has a reason.",
        bad='cron: "0 9 * * sat"\nwindows: {allow: [{days: [mon], start: "08:00", end: "18:00"}]}',
        good='cron: "0 9 * * mon"\nwindows: {allow: [{days: [mon], start: "08:00", end: "18:00"}]}',
    ),
    Code(
        "SYN695",
        "runs that start each other",
        "Schedules by event lead from a flow back to itself: each run would start the next, without end.",
        "Take one of the flows out of `on.of` or `run`, or start one of them by time.",
        bad="kind: Schedule … spec: {on: {event: run.finish, of: [Sync/a]}, run: [Sync/a]}",
        good="kind: Schedule … spec: {on: {event: run.finish, of: [Sync/a]}, run: [Sync/b]}",
    ),
    Code(
        "SYN696",
        "filter that no event fits",
        "The filter of an event isn't a CEL condition, or names something that the event doesn't have.",
        "Use the fields that the finding lists; compare texts with `==` and put them in quotes.",
        bad="filter: event.outcom == 'success'",
        good="filter: event.outcome == 'success'",
    ),
    Code(
        "SYN698",
        "replaced by another start",
        "A schedule with `concurrency: replace` had another start while the run was going. What it had committed "
        "stays.",
        "Nothing; the run that follows says how it went.",
    ),
)
