"""The cursors of a stream's partitions: one each, up to a bound; past it one for all of them.

A cursor for all must leave nothing out of any partition, whenever it was read. For times it is the greatest cursor that
was seen, but no later than five minutes before the pass began, so that clocks may differ by that much; for others it
is the greatest cursor of the pass before, which was seen before this one began. What lies between is read again. For
windows of a calendar it is the edge of the last one that was complete when the pass began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from syncline.connectors.rest.reading.incremental import Cursor
from syncline.sdk.batch import Position
from syncline.sdk.cursor import CursorKind

#: Partitions whose cursors a position holds at most.
MAX_PARTITIONS = 1000
#: Digests of records at a partition's cursor that are kept at most. Past it, some of them are read again.
MAX_SEEN = 16
#: How far our clock and the API's may differ, in seconds.
SKEW = 300.0


@dataclass(slots=True)
class Cursors:
    """Cursors by a partition's key, with the digests of records at each: [cursor, digest…].

    `base` is from the last pass, `fresh` from this one. `shared` is the cursor for all others, if `many` partitions
    were there. `top` is the greatest of this pass, `before` of the last one; `began` the Unix time of its begin.
    """

    began: float
    base: dict[str, list[str]] = field(default_factory=dict)
    fresh: dict[str, list[str]] = field(default_factory=dict)
    shared: str | None = None
    many: bool = False
    overflown: bool = False
    top: str | None = None
    before: str | None = None

    def of(self, keys: Sequence[str], cursor: Cursor | None) -> Position | None:
        """
        The position that a pass begins at which reads these keys' partitions together; None: from the start.

        It is the earliest of theirs: cursors of groups are times (SYN579).
        """
        found = [self._of(key) for key in keys]
        first = found[0]
        if len(found) == 1 or first is None or cursor is None:
            return first
        positions = [position for position in found if position is not None]
        if len(positions) < len(found):
            return None
        least = min((position["cursor"] for position in positions), key=cursor.kind.key)
        seen = {digest for position in positions if position["cursor"] == least for digest in position["seen"]}
        return {"v": 1, "cursor": least, "seen": sorted(seen)}

    def _of(self, key: str) -> Position | None:
        entry = self.base.get(key)
        if entry is not None:
            return {"v": 1, "cursor": entry[0], "seen": entry[1:]}
        return {"v": 1, "cursor": self.shared, "seen": []} if self.many and self.shared is not None else None

    def ended(self, keys: Sequence[str], position: Position, cursor: Cursor) -> None:
        """Notes the position that a pass over these keys' partitions ended at."""
        found = position.get("cursor")
        if found is None:
            return
        if self.top is None or cursor.kind.key(self.top) < cursor.kind.key(found):  # type: ignore[operator]  # of one type
            self.top = found
        if not self.overflown:
            # The greatest cursor of a group may be another member's, that was asked for a moment later than it.
            own = found if len(keys) == 1 or cursor.windows is not None else self._bounded(found, cursor.kind)
            seen = position.get("seen", ())[:MAX_SEEN] if own == found else ()
            self.fresh |= {key: [own, *seen] for key in keys}
            if len(self.fresh) > MAX_PARTITIONS:
                self.fresh, self.overflown = {}, True

    def next(self, cursor: Cursor, *, stay: bool) -> Cursors:
        """The cursors that the next pass begins with. `stay`: partitions that weren't read keep theirs."""
        base = {**self.base, **self.fresh} if stay else self.fresh
        many = self.overflown or len(base) > MAX_PARTITIONS or (stay and self.many)
        return Cursors(
            0.0,
            base={} if self.overflown or len(base) > MAX_PARTITIONS else base,
            shared=self._safe(cursor),
            many=many,
            before=self.top or self.before,
        )

    def _safe(self, cursor: Cursor) -> str | None:
        """A cursor that every partition has been read up to."""
        if cursor.token is not None:
            return None
        kind = cursor.kind
        found = self.before
        if cursor.windows is not None and self.top is not None:
            # All partitions were read up to the last window that was complete when the pass began.
            whole = CursorKind(kind.type).text(cursor.windows.last(cursor.windows.origin, self.began - SKEW))
            found = min(whole, self.top, key=kind.key)
        elif kind.type not in {"integer", "string"} and self.top is not None:
            found = self._bounded(self.top, kind)
        if found is None or (self.shared is not None and kind.key(found) < kind.key(self.shared)):  # type: ignore[operator]
            return self.shared
        return found

    def _bounded(self, found: str, kind: CursorKind) -> str:
        """A time that is some partition's cursor, no later than others were surely read up to."""
        bound = kind.of_time(self.began - SKEW)
        return CursorKind(kind.type).text(bound) if kind.key(found) > bound else found  # type: ignore[operator]  # of one type

    def position(self) -> dict[str, Any]:
        """As JSON data; what is empty is left out."""
        found = {
            "began": self.began,
            "base": dict(self.base),
            "fresh": dict(self.fresh),
            "shared": self.shared,
            "many": self.many,
            "overflown": self.overflown,
            "top": self.top,
            "before": self.before,
        }
        return {name: value for name, value in found.items() if value}

    @classmethod
    def of_position(cls, found: dict[str, Any], now: float) -> Cursors:
        """Of what `position` gave; a new pass begins `now`."""
        return cls(**{"began": float(int(now)), **found})
