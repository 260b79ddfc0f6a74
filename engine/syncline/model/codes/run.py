"""Codes of findings about runs and rejects (SYN7xx, SYN856, SYN857, SYN922)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN700",
        "temporary failure",
        "It failed in a way that may pass by itself.",
        "Run it again; a run resumes from its last commit.",
    ),
    Code(
        "SYN701",
        "too many rejects",
        "More records were rejected than `guards.maxRejects` allows. The batch that went past it was not committed.",
        "Look at the rejects, correct the source or the mapping, or raise the bound.",
    ),
    Code(
        "SYN702",
        "too few rows",
        "The run would end with fewer rows than `guards.minRows`.",
        "Look whether the source is complete.",
    ),
    Code(
        "SYN703",
        "not supported by this version",
        "What is declared is part of the language, and this version doesn't run it yet.",
        "Use what the message names instead.",
    ),
    Code(
        "SYN704",
        "run stopped",
        "The run was stopped before its end. What it committed stays.",
        "Run it again: it continues after its last commit.",
    ),
    Code(
        "SYN705",
        "unreadable checkpoint",
        "The checkpoint at the destination was written by another version of Syncline.",
        "Run with --full-refresh to start over.",
    ),
    Code(
        "SYN706",
        "mapping doesn't fit the source",
        "The source turned out to have other fields, or other types, than the mapping needs. Nothing was read.",
        "Correct the mapping, or look whether the source changed.",
    ),
    Code(
        "SYN707",
        "suspended",
        "The sync or import is suspended in its manifest, or its tenant is, with a reason.",
        "Remove spec.suspend and apply, or wait for its end.",
    ),
    Code(
        "SYN708",
        "nothing to retry",
        "The run has no rejects to retry: there are none, they were retried before, or they could not be parsed.",
        "See `syncline runs rejects RUN`; what could not be parsed needs a corrected source.",
    ),
    Code(
        "SYN709",
        "unknown run",
        "No run has this id.",
        "`syncline runs list` shows the runs.",
    ),
    Code(
        "SYN710",
        "run superseded",
        "The run was stopped, and could not be continued: another one started over, after a change of the flow or "
        "with --full-refresh.",
        "Nothing is to be done; the later run has all records.",
    ),
    Code(
        "SYN711",
        "retry of what was read again",
        "The flow has run since, so the records that were rejected then may be older than what is in the table now.",
        "Retry the newest run; for incremental syncs whose rejected records don't change, use --overwrite-newer.",
    ),
    Code(
        "SYN712",
        "full refresh would append again",
        "In append mode, reading from the start writes every row once more.",
        "Write by upsert or replace, or append to a new table.",
    ),
    Code(
        "SYN713",
        "corrections that can't be read",
        "A file of corrected rejects doesn't have the shape that `syncline runs rejects -o correction` gives it: a row "
        "names no reject of the run, a column is no field of the source, or a value is none of its field. Nothing was "
        "retried.",
        "Correct what the findings name, or write the file anew and correct only cells of fields in it.",
    ),
    Code(
        "SYN714",
        "corrections that changed on the way",
        "A retry with corrected rejects was stopped, and is to go on with another file than it began with. Some of "
        "its records are written as the first file had them.",
        "Go on with the first file; what is still rejected then can be corrected in a retry of that run.",
    ),
    Code(
        "SYN717",
        "control totals that differ",
        "The run came to another number of records, or to another sum, than `guards.control` says the data has. A "
        "replaced table stays as it was; an import with `validate: before-commit` has written nothing.",
        "Look whether the source is complete and what was rejected; then correct the source, or the totals.",
        good="guards: {control: {records: 1000000, sums: {balance: '1204.50'}}}",
    ),
    Code(
        "SYN718",
        "control totals that can't be told",
        "`guards.control.sums` names a field that the mapping doesn't have, that is no exact number, or that is "
        "protected, so that its values aren't written.",
        "Name a field of the mapping with the type integer, int32 or decimal.",
    ),
    Code(
        "SYN856",
        "no outcome to compare",
        "`syncline runs compare` takes runs, flows of which a run has ended, and files that `syncline runs report -o "
        "json` or `syncline rehearse -o json` wrote; this is none of them.",
        "Look at `syncline runs list`, or write the file anew.",
    ),
    Code(
        "SYN857",
        "no state of the other environment",
        "The folder that `--other-home` names has no state in it.",
        "Name the folder that SYNCLINE_HOME is there; if its state is in PostgreSQL or on another machine, write the "
        "outcome to a file there, by `syncline runs report RUN -o json --out FILE`, and compare with that.",
    ),
    Code(
        "SYN922",
        "the process of a run died",
        "A daemon that has its runs done by processes of its own (`syncline serve --processes`) has lost the one that "
        "did this run: it was killed, had no memory left, or couldn't be started. What the run committed stays.",
        "Nothing is half-written, and the next attempt goes on after the last commit. Where nobody killed it, the "
        "system's log mostly says that memory ran out: allow fewer runs at once (`--at-once`), or give it more memory.",
    ),
)
