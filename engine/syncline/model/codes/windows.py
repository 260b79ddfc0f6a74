"""Codes about windows of a calendar that a stream is read for (SYN574 to SYN576)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN574",
        "windows that can't be read",
        "A cursor with `windows` needs a start and edges that are dates or times, and has nothing that is about "
        "fields of records: no `window`, `lookback`, `formats` or `order` of its own.",
        "Give `start` and `type: date` (`timestamp` for hours); how many windows are read again is `windows.lookback`.",
        bad="cursor: {windows: {every: 1d, columns: {day: start}}, lookback: 7d}",
        good='cursor: {type: date, start: "2026-01-01", into: {query.day: start}, '
        "windows: {every: 1d, columns: {day: start}, lookback: 7}}",
    ),
    Code(
        "SYN575",
        "windows that no request asks for",
        "A stream is read window by window, but its request is the same for each of them: every window would have the "
        "same records.",
        "Say where the bounds go with `into`, or let a template read `start`, `end` or a column of the window.",
        bad="get: /report\ncursor: {type: date, start: config.since, windows: {every: 1d, columns: {day: start}}}",
        good='get: "/report/{{ day }}"\n'
        "cursor: {type: date, start: config.since, windows: {every: 1d, columns: {day: start}}}",
    ),
    Code(
        "SYN576",
        "key without its window",
        "Records of a stream that is read window by window carry no date, and its key has no column of the window "
        "either: the same key comes in every window.",
        "Add the column with the window's start to the key of the stream and of the mapping.",
        bad="key: [campaign]\ncursor: {…, windows: {every: 1d, columns: {day: start}}}",
        good="key: [day, campaign]\ncursor: {…, windows: {every: 1d, columns: {day: start}}}",
    ),
)
