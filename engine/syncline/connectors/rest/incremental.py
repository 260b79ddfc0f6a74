"""How far a read has come: the pass over a stream, its bounds and its greatest cursor, as a position that resumes it.

A position holds the cursor of the last pass that ended, and, inside a pass, the page to ask for next and the greatest
cursor so far. Only the end of a pass makes that the cursor: pages come in any order, so that a cursor taken from the
middle of one could leave records out. Cursors never go back.

Records whose cursor equals the last one may be new or may have been read; their digests are kept in the position, so
that neither is lost nor read twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncline.kinds.stream import Cursor as CursorSpec
from syncline.model import units
from syncline.model.errors import Invalid
from syncline.sdk.batch import Position
from syncline.sdk.cursor import CursorKind, Key
from syncline.sdk.paging import State

#: Digests of records at the cursor that a position holds at most. Past it, some of them are read again.
MAX_SEEN = 256
#: A record's cursor: its text and what it compares by; None for one without.
Found = tuple[str | None, Key | None]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor's declaration, compiled. `path` are the names that lead to its field; times are in seconds."""

    kind: CursorKind
    path: tuple[str, ...]
    start: str | None
    into: dict[str, str]
    window: float | None
    lookback: float
    bounded: bool

    @classmethod
    def compile(cls, spec: CursorSpec, config: dict[str, Any], names: frozenset[str]) -> Cursor:
        """Compiles a declaration; `names` are the variables that the request's templates read."""
        start = spec.start
        if start is not None and start.startswith("config."):
            found = config.get(start.removeprefix("config."))
            start = None if found is None or found == "" else str(found)
        kind = CursorKind(spec.type, spec.format)
        if start is not None:
            try:
                kind.key(start)
            except ValueError as error:
                raise Invalid(f"cursor.start: {start[:80]!a} is no {spec.type}", code="SYN433") from error
        window = units.duration(spec.window) if spec.window else None
        if window is not None and start is None:
            raise Invalid("cursor.window needs cursor.start, where the first window begins", code="SYN433")
        return cls(
            kind,
            tuple(spec.field.split(".")),
            start,
            dict(spec.into),
            window,
            units.duration(spec.lookback) if spec.lookback else 0.0,
            bounded=window is not None or "end" in spec.into.values() or "end" in names,
        )


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
                return found | {"cursor": self.top, "seen": self.top_seen}
            found |= {"cursor": self.base, "seen": sorted(self.base_seen)}
        bounds = {"low": self.low, "high": self.high, "until": self.until, "top": self.top, "topSeen": self.top_seen}
        return found | {"pass": {"page": self.page, **{k: v for k, v in bounds.items() if v}}}

    def bounds(self) -> dict[str, str]:
        """`start` and `end` as requests write them, where they are known."""
        if self.cursor is None:
            return {}
        found = {"start": self.low, "end": self.high}
        return {name: self.cursor.kind.written(text) for name, text in found.items() if text is not None}

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

    def turn(self, following: State | None) -> bool:
        """Goes on after a page: to the next page, else the next window (then True), else the pass has ended."""
        if following is not None:
            self.page = following
            return False
        cursor = self.cursor
        if cursor is not None and self.high and self.until and self.high != self.until:
            kind = cursor.kind
            self.low, self.high = self.high, _window_end(cursor, kind.key(self.high), kind.key(self.until))
            self.page = dict(self.first)
            return True
        self.ended = True
        return False


def begin(cursor: Cursor | None, first: State, position: Position | None, *, incremental: bool, now: float) -> Progress:
    """The pass that a position is in, or a new one. `Invalid` (SYN434) for a position that isn't this source's."""
    position = position or {}
    inside = position.get("pass")
    if position and (position.get("v") != 1 or not isinstance(inside, dict | None)):
        raise Invalid(
            "the position is not one of this source",
            code="SYN434",
            help="The stream was another before: forget the checkpoint, so that it is read from the start.",
        )
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


def _bound(progress: Progress, cursor: Cursor, now: float) -> None:
    """Sets the bounds of a new pass."""
    kind = cursor.kind
    progress.low = progress.base if progress.base is not None else cursor.start
    if progress.base is not None and cursor.lookback:
        progress.low = _text(kind, kind.shift(kind.key(progress.base), -cursor.lookback))
    if cursor.bounded:
        until = kind.of_time(now)
        progress.high = progress.until = _text(kind, until)
        if cursor.window is not None and progress.low is not None:
            progress.high = _window_end(cursor, kind.key(progress.low), until)


def _window_end(cursor: Cursor, low: Key, until: Key) -> str:
    assert cursor.window is not None
    end = cursor.kind.shift(low, cursor.window)
    return _text(cursor.kind, end if _less(end, until) else until)


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
