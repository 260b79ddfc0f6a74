"""Codes of findings about connectors, sources and destinations (SYN4xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN450",
        "no file matches",
        "A stream's pattern matches no file under the integration's root, or far too many to keep track of.",
        "Check `files`, `config.root`, and whether the files have arrived.",
    ),
    Code(
        "SYN451",
        "path leaves the root",
        "A pattern, a symbolic link or a stream's name leads outside the folder that the integration may touch.",
        "Use relative paths without `..`; links may only point to files inside `config.root`.",
        bad="streams: {orders: {files: ../other/orders.csv}}",
        good="streams: {orders: {files: orders-*.csv}}",
    ),
    Code(
        "SYN452",
        "folder or file can't be used",
        "The root of a file integration, or a file in it, is missing, no folder, not accessible, or the disk is full.",
        "Create it, set `config.root`, give the user that runs Syncline access, or make space.",
    ),
    Code(
        "SYN453",
        "header can't name the columns",
        "A CSV header has an empty or a repeated name, or there is none to take the columns from.",
        "Correct the header, or set `csv.header: false` and list the names in `csv.columns`.",
    ),
    Code(
        "SYN454",
        "files with different columns",
        "The files of one stream don't have the same columns.",
        "Make two streams of them, or correct the file that is named.",
    ),
    Code(
        "SYN455",
        "file changed while being read",
        "A file was cut, rewritten or removed after part of it had been read, so that going on could lose or repeat records.",
        "Restore the file, or reset the cursor of the sync to read everything again.",
    ),
    Code(
        "SYN456",
        "record has no end",
        "A quote in a CSV file is never closed, or a record is longer than 64 MiB. What came before it was read.",
        "Close the quote in the line that is named, or double it if it belongs to the text.",
    ),
    Code(
        "SYN457",
        "unreadable text",
        "A file is in an encoding that isn't the declared one.",
        "Declare `csv.encoding`, or convert the file to UTF-8.",
        good="csv: {encoding: windows-1252}",
    ),
    Code(
        "SYN458",
        "unusable CSV dialect",
        "The declared delimiter, quote, header and columns don't make a format that can be read.",
        "Use two different ASCII characters, and list `csv.columns` where there is no header.",
    ),
    Code(
        "SYN459",
        "unknown file format",
        "The format is neither declared nor told by the ending of the files.",
        "Declare `format: csv`, `jsonl` or `parquet`.",
    ),
    Code(
        "SYN461",
        "no such file stream",
        "The integration doesn't declare a stream of this name.",
        "Add it under `spec.streams` of the Integration, or correct the reference.",
        good="streams: {orders: {files: orders-*.csv}}",
    ),
    Code(
        "SYN462",
        "file can't be read as its format",
        "A Parquet file is damaged, cut, or holds a type that has no counterpart here.",
        "Write it again; leave columns of such types out by declaring the stream's schema.",
    ),
    Code(
        "SYN463",
        "declared column is missing",
        "The stream's schema lists a column that a file doesn't have.",
        "Correct the schema, or the file.",
    ),
    Code(
        "SYN464",
        "checkpoint of another kind of source",
        "The stored position isn't one in files: the stream was read in another way before.",
        "Reset the cursor, so that the stream is read from the start.",
    ),
    Code(
        "SYN470",
        "files can't be upserted",
        "A file integration appends or replaces; it can't update rows by key.",
        "Use `write: append` or `write: replace`, or a database.",
        bad="{to: lake/orders, write: upsert}",
        good="{to: lake/orders, write: append}",
    ),
    Code(
        "SYN471",
        "unusable name of a stream",
        "The name of a stream to write can't be the name of a folder.",
        "Use letters, digits, `_`, `-` and `.`, not starting with a dot or an underscore.",
    ),
    Code(
        "SYN472",
        "columns don't fit the files that are there",
        "A column that was written before has another type now. Columns may be added, not changed.",
        "Write to another stream, or use `write: replace`.",
    ),
    Code(
        "SYN473",
        "damaged list of parts",
        "The `_syncline.json` of a written folder can't be understood, or lists a file that is gone.",
        "Restore the folder from a backup, or remove it and reset the cursor.",
    ),
    Code(
        "SYN474",
        "unknown option of a file destination",
        "A configuration value of the integration isn't one that the file destination knows.",
        "`format` is `parquet`, `jsonl` or `csv`; `formulas` is `neutralise` or `keep`.",
    ),
    Code(
        "SYN475",
        "replaced folder would shrink too much",
        "The new content has so much fewer rows than the old that the guard keeps the old.",
        "Check the source; raise `guards.maxShrink` if the loss is meant.",
    ),
)
