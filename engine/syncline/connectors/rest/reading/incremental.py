"""How far a read has come: the pass over a stream, its bounds and its greatest cursor, as a position that resumes it.

A position holds the cursor of the last pass that ended, and, inside a pass, the page to ask for next and the greatest
cursor so far. Only the end of a pass makes that the cursor: pages come in any order, so that a cursor taken from the
middle of one could leave records out. Cursors never go back.

Records whose cursor equals the last one may be new or may have been read; their digests are kept in the position, so
that neither is lost nor read twice.

A cursor may also be a token of the API's, which says nothing about records: the last one that a pass was given is what
the next pass sends. Or it is the edge of windows of a calendar, which records carry no sign of: it moves with each
window that was read to its end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from msgspec import Struct

from syncline.connectors.rest.reading.pages import Telling, compile_telling
from syncline.connectors.rest.reading.partition import Values
from syncline.connectors.rest.reading.windows import Windows
from syncline.kinds.reading import TIMES, DateWindows
from syncline.kinds.reading import Cursor as CursorSpec
from syncline.model import units
from syncline.model.errors import Invalid
from syncline.model.errors import foreign as from_outside
from syncline.sdk.batch import Position
from syncline.sdk.cursor import CursorKind, Key
from syncline.sdk.paging import State

#: Digests of records at the cursor that a position holds at most. Past it, some of them are read again.
MAX_SEEN = 256
#: What to do where a start isn't the number that a cursor of times is counted in.
_NUMBERS = {
    "epoch": "Write seconds since 1970, or, for a day, declare `type: timestamp` with `formats: [epoch]`.",
    "epoch_ms": "Write milliseconds since 1970, or, for a day, declare `type: timestamp` with `formats: [epoch_ms]`.",
}
#: A record's cursor: its text and what it compares by; None for one without.
Found = tuple[str | None, Key | None]


class Cursor(Struct, frozen=True):
    """A cursor's declaration, compiled. `path` are the names that lead to its field; times are in seconds.

    `back`: how long before the first read it starts, where `start` says that; `within`: at most. `token`: where answers
    give a token instead, and then there is no path. `descending`: records come newest first. `windows`: of a calendar,
    of which records carry no sign; there is no path then either.
    """

    kind: CursorKind
    path: tuple[str, ...]
    start: str | None
    into: dict[str, str]
    window: float | None
    lookback: float
    bounded: bool
    token: Telling | None = None
    descending: bool = False
    windows: Windows | None = None
    back: float | None = None
    within: float | None = None

    @property
    def relative(self) -> bool:
        """Whether when the first read begins decides where it starts."""
        return self.back is not None or self.within is not None

    @classmethod
    def compile(cls, spec: CursorSpec, config: dict[str, Any], names: frozenset[str]) -> Cursor:
        """Compiles a declaration; `names` are the variables that the request's templates read."""
        if bool(spec.field) + (spec.marker is not None) + (spec.windows is not None) != 1:
            raise Invalid("cursor needs one of field, marker and windows", code="SYN433")
        start = spec.start
        if start is not None and start.startswith("config."):
            found = config.get(start.removeprefix("config."))
            start = None if found is None or found == "" else str(found)
        within = _length("startWithin", spec.start_within, config)
        if within is not None and (spec.marker is not None or spec.type not in TIMES):
            raise Invalid("cursor.startWithin is about a cursor that is a time", code="SYN433")
        if spec.windows is not None:
            return cls._of_windows(spec, spec.windows, start, within)
        kind = CursorKind("string" if spec.marker else spec.type, spec.format, spec.formats)
        back = units.before_now(start) if start is not None and spec.type in TIMES else None
        if back is not None:
            start = None
        if start is not None:
            try:
                kind.key(start)
            except ValueError as error:
                raise Invalid(
                    f"cursor.start: {start[:80]!a} is no {spec.type}", code="SYN433", help=_NUMBERS.get(spec.type, "")
                ) from error
        window = _length("window", spec.window, config)
        if window is not None and start is None and back is None and within is None:
            raise Invalid("cursor.window needs cursor.start, where the first window begins", code="SYN433")
        if window == 0:
            raise Invalid("cursor.window has no length, so that no end would be reached", code="SYN433")
        return cls(
            kind,
            tuple(spec.field.split(".")) if spec.field else (),
            start,
            dict(spec.into),
            window,
            _length("lookback", spec.lookback, config) or 0.0,
            bounded=not spec.marker and (window is not None or "end" in spec.into.values() or "end" in names),
            token=compile_telling(spec.marker),
            descending=spec.order == "descending",
            back=back,
            within=within,
        )

    @classmethod
    def _of_windows(cls, spec: CursorSpec, declared: DateWindows, start: str | None, within: float | None) -> Cursor:
        try:
            windows = Windows.compile(spec, declared, start)
        except ValueError as error:
            raise Invalid(f"cursor.start: {start or '':.80} is no {spec.type}", code="SYN574") from error
        first, kind = windows.origin, windows.kind
        if within is not None and _less(kind.shift(first, within - windows.delay), windows.after(first)):
            raise Invalid("cursor.startWithin is shorter than a window takes, so that none is ever read", code="SYN433")
        into: dict[str, str] = dict(spec.into)
        return cls(windows.kind, (), start, into, None, 0.0, bounded=True, windows=windows, within=within)


@dataclass(slots=True)
class Progress:
    """A pass over a stream, page by page. `cursor` None: a stream without one, or read in full.

    `base` and `base_seen` are the cursor of the last pass and the digests of its records; `top` and `top_seen` the
    greatest so far. `low` and `high` bound the requests; `until` is where the last window ends.
    """

    cursor: Cursor | None
    first: State
    incremental: bool
    base: str | None = None
    base_seen: frozenset[str] = frozenset()
    top: str | None = None
    top_seen: list[str] = field(default_factory=list)
    low: str | None = None
    high: str | None = None
    until: str | None = None
    page: State = field(default_factory=dict)
    ended: bool = False

    def __post_init__(self) -> None:
        self.page = self.page or dict(self.first)

    def position(self) -> Position:
        """The position after what was read so far."""
        if self.ended and not self.incremental:
            return {"v": 1, "done": True}
        found: Position = {"v": 1}
        if self.incremental:
            if self.ended:
                return found | {"cursor": self.top, "seen": sorted(self.top_seen)}
            found |= {"cursor": self.base, "seen": sorted(self.base_seen)}
        bounds = {"low": self.low, "high": self.high, "until": self.until, "top": self.top, "topSeen": self.top_seen}
        return found | {"pass": {"page": self.page, **{k: v for k, v in bounds.items() if v}}}

    def bounds(self) -> dict[str, str]:
        """`start` and `end` as requests write them, where they are known; of a window its columns, too."""
        if self.cursor is None:
            return {}
        if (edges := self._edges()) is not None and self.cursor.windows is not None:
            return self.cursor.windows.asked(*edges)
        found = {"start": self.low, "end": self.high}
        return {name: self.cursor.kind.written(text) for name, text in found.items() if text is not None}

    def window(self) -> tuple[Values, ...]:
        """The window that is read, as what its records are read for; nothing where there are no windows."""
        edges = self._edges()
        return self.cursor.windows.values(*edges) if edges is not None and self.cursor and self.cursor.windows else ()

    def _edges(self) -> tuple[int, int] | None:
        """The edges of the window that is read."""
        if self.cursor is None or self.cursor.windows is None or self.low is None or self.high is None:
            return None
        low, high = self.cursor.kind.key(self.low), self.cursor.kind.key(self.high)
        return (low, high) if isinstance(low, int) and isinstance(high, int) else None

    def keep(self, cursors: Sequence[Found], digest: Callable[[int], str]) -> list[int]:
        """
        Indices of a page's records to keep, by their cursors; notes the greatest. `digest(i)` is a record's digest.

        Left out are records below the bound that was asked for (many APIs have no parameter for it), and those at the
        last cursor that were read before. Records without a cursor are kept.
        """
        cursor = self.cursor
        if cursor is None:
            return list(range(len(cursors)))
        low = None if self.low is None else cursor.kind.key(self.low)
        base = None if self.base is None or cursor.lookback else cursor.kind.key(self.base)
        kept = []
        for index, (_, key) in enumerate(cursors):
            if key is not None and low is not None and _less(key, low):
                continue
            if key is not None and key == base and digest(index) in self.base_seen:
                continue
            kept.append(index)
        self._note(cursor, [(*cursors[i], i) for i in kept], digest)
        return kept

    def _note(
        self, cursor: Cursor, found: list[tuple[str | None, Key | None, int]], digest: Callable[[int], str]
    ) -> None:
        present = [(key, text, index) for text, key, index in found if key is not None]
        if not present:
            return
        greatest = max(key for key, _, _ in present)
        top = None if self.top is None else cursor.kind.key(self.top)
        if top is None or _less(top, greatest):
            self.top = next(text for key, text, _ in present if key == greatest)
            self.top_seen = []
        elif greatest != top:
            return
        if not cursor.lookback:
            fresh = [digest(index) for key, _, index in present if key == greatest]
            self.top_seen = [*self.top_seen, *fresh][:MAX_SEEN]

    def passed(self, cursors: Sequence[Found]) -> bool:
        """
        Whether a feed that comes newest first has come to records older than the bound: nothing after them is new.

        `cursors` are those of a page in its order. Raises `Invalid` (SYN478) when they aren't descending.
        """
        if self.cursor is None or not self.cursor.descending or self.low is None:
            return False
        keys = [(key, text) for text, key in cursors if key is not None]
        for (before, _), (after, text) in pairwise(keys):
            if _less(before, after):
                shown = from_outside(ascii(text)[:60])
                raise Invalid(
                    f"{shown} comes after an older record, so the feed isn't sorted newest first",
                    code="SYN478",
                    help="Leave `order` out of the cursor's declaration, so that every page is read.",
                )
        return bool(keys) and _less(keys[-1][0], self.cursor.kind.key(self.low))

    def told(self, token: str | None) -> None:
        """Notes a token that an answer gave, for the next pass."""
        if token is not None:
            self.top = token

    def split(self) -> None:
        """Halves the span that is asked for, because it has too many results; the other half comes after it."""
        middle: Key | None = None
        if self.cursor is not None and self.cursor.windows is not None:
            raise Invalid(
                f"too many results between {self.low} and {self.high}, which is a window and can't be halved",
                code="SYN477",
                help="Declare shorter windows: `every` of cursor.windows.",
            )
        if self.cursor is not None and self.low is not None and self.high is not None:
            kind = self.cursor.kind
            low, high = kind.key(self.low), kind.key(self.high)
            middle = kind.middle(low, high)
            if middle is not None:
                end = kind.ending(low, middle, high)
                middle = end if _less(end, high) else None
        if self.cursor is None or middle is None:
            span = f"between {self.low} and {self.high}" if self.low and self.high else "of a read without bounds"
            raise Invalid(
                f"too many results {span}, which can't be halved",
                code="SYN477",
                help="A cursor that is a time, with `start` and an `end` in `into`, gives spans that can be.",
            )
        self.high = _text(self.cursor.kind, middle)
        self.page = dict(self.first)

    def restart(self, now: float) -> None:
        """Starts over without the last cursor, which the API no longer knows. Raises `Invalid` if there was none."""
        if self.cursor is None or self.base is None:
            raise Invalid(
                "the API says that the position no longer applies, but none was sent",
                code="SYN433",
                help="Compare the rule in http.errors that says `restart` with the API's documentation.",
            )
        self.base, self.base_seen, self.top, self.top_seen = None, frozenset(), None, []
        self.page = dict(self.first)
        _bound(self, self.cursor, now)

    def turn(self, following: State | None) -> bool:
        """Goes on after a page: to the next page, else the next window (then True), else the pass has ended."""
        if following is not None:
            self.page = following
            return False
        cursor = self.cursor
        if cursor is not None and cursor.windows is not None and self.high is not None:
            # The window is whole. One that was read again doesn't take the cursor back.
            kind = cursor.kind
            self.top = self.high if self.top is None or _less(kind.key(self.top), kind.key(self.high)) else self.top
        if cursor is not None and self.high and self.until and self.high != self.until:
            self.low, self.high = self.high, self._next_end(cursor, self.low, self.high, self.until)
            self.page = dict(self.first)
            return True
        self.ended = True
        return False

    @staticmethod
    def _next_end(cursor: Cursor, low: str | None, high: str, until: str) -> str:
        """Where the next span ends: after twice the last one's length, as that may be half of one with too many."""
        kind = cursor.kind
        start = kind.key(high)
        if cursor.windows is not None and isinstance(start, int):
            return _text(kind, cursor.windows.after(start))
        end = kind.key(_window_end(cursor, start, kind.key(until)))
        if low is not None:
            # Of one type of number; a window's length is the most there is.
            wider: Key = start + 2 * (start - kind.key(low))  # type: ignore[operator]
            end = kind.ending(start, wider, end)
        return _text(kind, end)


def _length(part: str, declared: str | None, config: Mapping[str, Any]) -> float | None:
    """Seconds of a declared duration, which a setting may hold; None where none is given."""
    if declared is not None and declared.startswith("config."):
        given = config.get(declared.removeprefix("config."))
        declared = None if given is None else str(given)
    try:
        return units.duration(declared) if declared else None
    except ValueError as error:
        raise Invalid(f"cursor.{part}: {error}", code="SYN433") from error


def begin(cursor: Cursor | None, first: State, position: Position | None, *, incremental: bool, now: float) -> Progress:
    """The pass that a position is in, or a new one. `Invalid` (SYN434) for a position that isn't this source's."""
    position = position or {}
    inside = position.get("pass")
    if position and (position.get("v") != 1 or not isinstance(inside, dict | None)):
        raise foreign()
    progress = Progress(
        cursor, first, incremental, base=position.get("cursor"), base_seen=frozenset(position.get("seen", ()))
    )
    if position.get("done"):
        progress.ended = True
        return progress
    if inside is not None:
        progress.page = inside["page"]
        progress.low, progress.high, progress.until = inside.get("low"), inside.get("high"), inside.get("until")
        progress.top, progress.top_seen = inside.get("top"), list(inside.get("topSeen", ()))
        return progress
    progress.top, progress.top_seen = progress.base, sorted(progress.base_seen)
    if cursor is not None:
        _bound(progress, cursor, now)
    return progress


def foreign() -> Invalid:
    """The error for a position that isn't this source's."""
    return Invalid(
        "the position is not one of this source",
        code="SYN434",
        help="The stream was another before: forget the checkpoint, so that it is read from the start.",
    )


def _bound(progress: Progress, cursor: Cursor, now: float) -> None:
    """Sets the bounds of a new pass."""
    kind = cursor.kind
    if cursor.windows is not None:
        _bound_windows(progress, cursor, cursor.windows, now)
        return
    progress.low = progress.base if progress.base is not None else _start(cursor, now)
    progress.high = progress.until = None
    if progress.base is not None and cursor.lookback:
        progress.low = _text(kind, kind.shift(kind.key(progress.base), -cursor.lookback))
    if cursor.bounded:
        until = kind.of_time(now)
        progress.high = progress.until = _text(kind, until)
        if cursor.window is not None and progress.low is not None:
            progress.high = _window_end(cursor, kind.key(progress.low), until)


def _start(cursor: Cursor, now: float) -> str | None:
    """Where the first read starts that begins at a Unix time."""
    kind = cursor.kind
    start = cursor.start if cursor.back is None else _text(kind, _before(kind, now, cursor.back))
    if cursor.within is None:
        return start
    earliest = _before(kind, now, cursor.within)
    return _text(kind, earliest) if start is None or _less(kind.key(start), earliest) else start


def _before(kind: CursorKind, now: float, seconds: float) -> Key:
    """So long before a Unix time."""
    return kind.shift(kind.of_time(now), -seconds)


def _bound_windows(progress: Progress, cursor: Cursor, windows: Windows, now: float) -> None:
    """Sets the bounds of a new pass over windows, which has ended at once where none is complete."""
    base = None if progress.base is None else windows.kind.key(progress.base)
    low = windows.first(base if isinstance(base, int) else None)
    if base is None and cursor.within is not None:
        earliest = _before(windows.kind, now, cursor.within)
        while _less(low, earliest):  # edges stay where they are
            low = windows.after(low)
    until = windows.last(low, now)
    progress.low, progress.high = _text(windows.kind, low), _text(windows.kind, windows.after(low))
    progress.until = _text(windows.kind, until)
    progress.ended = low == until


def _window_end(cursor: Cursor, low: Key, until: Key) -> str:
    if cursor.window is None:
        return _text(cursor.kind, until)
    return _text(cursor.kind, cursor.kind.ending(low, cursor.kind.shift(low, cursor.window), until))


def _text(kind: CursorKind, key: Key) -> str:
    """A key as its plain text, which a position holds whatever a request's format is."""
    return CursorKind(kind.type).text(key)


def _less(one: Key, other: Key) -> bool:
    return one < other  # type: ignore[operator]  # both are of the cursor's one type


def record_digest(data: bytes) -> str:
    """A short digest of a record, for a position."""
    return hashlib.sha256(data).hexdigest()[:16]


def found_cursor(cursor: Cursor, text: str | None) -> Found:
    """A record's cursor, as text and key; ValueError when it isn't of the type."""
    return text, None if text is None else cursor.kind.key(text)


def cursor_of_raw(cursor: Cursor, raw: str) -> Found:
    """The cursor of a malformed record, if it can be read all the same."""
    try:
        return found_cursor(cursor, scalar_at(raw, cursor.path))
    except (ValueError, RecursionError):
        return None, None


def scalar_at(text: str, path: tuple[str, ...]) -> str | None:
    """The scalar at a path inside JSON text, as text; its own digits for a number."""
    value = json.loads(text, parse_float=str, parse_int=str)
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return None if value is None else value if isinstance(value, str) else json.dumps(value)
