"""Codes of findings about reading YAML (SYN1xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN101",
        "not UTF-8",
        "The file's bytes are not UTF-8 text. A guessed encoding could change names and values.",
        "Save the file as UTF-8. A byte order mark is allowed.",
    ),
    Code(
        "SYN102",
        "file too large",
        "A manifest file may have at most 1 MiB. A larger one is data or a mistake and slows every command.",
        "Split it into several files, or keep the data in a stream of an integration.",
    ),
    Code(
        "SYN103",
        "control character",
        "The file holds a NUL, another control character, or one that changes the direction of text: a reviewer "
        "would see something else than what is read.",
        "Remove the character, or write it as an escape in double quotes.",
        bad='message: "a\u2423b"   # with a real control character in place of \u2423',
        good='message: "a\\u0001b"',
    ),
    Code(
        "SYN104",
        "not YAML",
        "The text breaks YAML's grammar; nothing after this place could be read.",
        "Fix the place: most often an indentation, a quote or a bracket before it.",
        bad="message: Note: call back",
        good='message: "Note: call back"',
    ),
    Code(
        "SYN105",
        "nested too deep",
        "Values are nested more than 64 levels deep. No kind needs more than a dozen.",
        "Remove the extra brackets or indentation.",
    ),
    Code(
        "SYN106",
        "too many values",
        "A file may have at most 1,000 documents and 100,000 values.",
        "Split it into several files.",
    ),
    Code(
        "SYN107",
        "key given twice",
        "A mapping has the same key twice. YAML libraries keep one in silence, and not all the same one.",
        "Keep one of the two.",
        bad="spec:\n  write: append\n  write: upsert",
        good="spec:\n  write: upsert",
    ),
    Code(
        "SYN108",
        "tag not allowed",
        "YAML tags (`!name`, `!!type`) ask a program to build other values than text, numbers and lists. They are "
        "how a file runs code elsewhere, and are refused here.",
        "Remove the tag. Quote a value that must be text.",
        bad="port: !!str 5432",
        good='port: "5432"',
    ),
    Code(
        "SYN109",
        "alias not allowed",
        "An alias (`*name`) refers to nothing, to a value that it is part of, or aliases stand for more than 10,000 "
        "values in all: a file of a few lines could otherwise grow to gigabytes.",
        "Define the anchor before the alias, or write the value out.",
        bad="a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]   # and so on",
        good="a: [x, x]",
    ),
    Code(
        "SYN110",
        "merge key not allowed",
        "Merge keys (`<<`) left YAML with version 1.2. What a merge gives depends on order, which reviewers miss.",
        "Write the fields out, or refer to a whole value by an alias.",
        bad="tasks: {<<: *defaults, write: append}",
        good="tasks: {read: full, write: append}",
    ),
    Code(
        "SYN111",
        "key is not text",
        "A list or mapping is used as a key. Keys are names.",
        "Quote the key if it is a name; an expression with braces needs quotes.",
        bad="{{ config.site }}: x",
        good='"{{ config.site }}": x',
    ),
    Code(
        "SYN112",
        "number out of range",
        "A number doesn't fit in 64 bits, or is not finite. It is refused instead of rounded.",
        "Quote it if it is an identifier.",
        bad="const: 123456789012345678901",
        good='const: "123456789012345678901"',
    ),
    Code(
        "SYN113",
        "tab in indentation",
        "YAML is indented with spaces only; how wide a tab is, depends on the reader.",
        "Replace the tab with spaces.",
    ),
    Code(
        "SYN114",
        "file can't be read",
        "A manifest file is not a regular file, can't be opened, or is a link that leads out of the repository.",
        "Copy the file into the repository, or correct its permissions.",
    ),
    Code(
        "SYN115",
        "no such folder",
        "The folder that was given is not there, or is no folder.",
        "Give the folder of a configuration repository; `syncline init` makes one.",
    ),
)
