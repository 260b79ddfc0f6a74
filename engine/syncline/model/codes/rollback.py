"""Codes of undoing what an import wrote, and of reading it back (SYN76x, SYN578)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN760",
        "import that can't be undone",
        "With `rollback`, an import keeps what undoing it needs, in the transactions that write its rows. That needs a "
        "database as destination, PostgreSQL, MariaDB, SQLite or DuckDB, or a folder of files.",
        "Write to one of these, or leave `rollback` out and keep a copy of what the import writes to.",
        bad="to: crm-api/contacts\nrollback: {window: 7d}",
        good="to: warehouse/customers\nrollback: {window: 7d}",
    ),
    Code(
        "SYN761",
        "run that can't be undone",
        "Of the run nothing is kept, or only a part: its import didn't declare `rollback` when it began, its window is "
        "over or was while it paused, somebody was erased from its table, it was undone already, or it is itself one "
        "that undid another.",
        "`syncline runs list` shows which runs there are. What is over can be brought back from a backup only.",
    ),
    Code(
        "SYN762",
        "run that others were made after",
        "A later run of the same import has written since, and may have confirmed rows that undoing this one would "
        "take away.",
        "Undo the later run first: runs of an import are undone newest first.",
    ),
    Code(
        "SYN763",
        "half of a rollback",
        "Undoing a run was begun and stopped. Until it is finished, the import doesn't run: it could write what is "
        "taken away then.",
        "Go on with `syncline runs rollback RUN --yes`; it repeats what isn't done.",
    ),
    Code(
        "SYN764",
        "table that was changed since",
        "The table, or a column of it that a row had a value in, is gone. What was there can't be brought back.",
        "Add the column again and try once more, or restore a backup.",
    ),
    Code(
        "SYN765",
        "run that was undone",
        "What the run wrote was taken back, so it isn't continued, and what it rejected isn't retried.",
        "Run the import again: it reads from the start.",
    ),
    Code(
        "SYN578",
        "folder that was changed since it was replaced",
        "An import put new files in place of a folder's, and undoing it would put back those of before. Since then "
        "its own were changed by hand or replaced by another flow, or another flow has added some with other columns.",
        "Undo what came since, or bring the folder back from a backup.",
    ),
    Code(
        "SYN767",
        "part that can't be read back",
        "A part that the list of a written folder names is gone, or isn't as it was written, so that its rows can't be "
        "compared.",
        "`syncline drift` tells which parts these are. Run the flow again, or bring the part back.",
    ),
)
