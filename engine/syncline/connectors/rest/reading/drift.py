"""What changes in the records of a listing while it is read: fields that come or go from one page to another.

A schema says which fields are read, so that a field more or less changes nothing of a run. But whoever relies on it
wants to know: a field that every record of a page has and none of the first page's did is told of, once, and so is a
declared field that all of the first page's records had and no record of a page has. What may be missing from some
records, as in many APIs, is no change.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

_LIST = re.compile(r"(?:(?P<path>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\[\*?\])|@|\[\*?\]")


@dataclass(slots=True)
class Drift:
    """Looks at the pages of one pass. `records` is where records are: anything but a path to a list isn't looked at.

    `declared` are the fields of the schema.
    """

    records: str
    declared: Collection[str]
    _path: tuple[str, ...] | None = field(init=False, default=None)
    _some: frozenset[str] | None = field(init=False, default=None)
    _all: frozenset[str] = field(init=False, default=frozenset())
    _told: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        match = _LIST.fullmatch(self.records.strip())
        if match is not None:
            self._path = tuple(match["path"].split(".")) if match["path"] else ()

    def changes(self, document: Any) -> tuple[list[str], list[str]]:
        """Names of fields that have come, and of declared ones that have gone, with a page; told once."""
        listed = self._listed(document)
        first = next((record for record in listed if isinstance(record, dict)), None)
        if first is None:
            return [], []
        if self._some is None:
            names = [frozenset(record) for record in listed if isinstance(record, dict)]
            self._some, self._all = frozenset().union(*names), frozenset.intersection(*names)
            return [], []
        # One record tells of nearly every page that nothing has changed.
        came = first.keys() - self._some - self._told
        gone = (self._all & frozenset(self.declared)) - first.keys() - self._told
        if not came and not gone:
            return [], []
        records = [record for record in listed if isinstance(record, dict)]
        new = sorted(name for name in came if all(name in record for record in records))
        lost = sorted(name for name in gone if not any(name in record for record in records))
        self._told |= {*new, *lost}
        return new, lost

    def changes_to(self, names: frozenset[str]) -> tuple[list[str], list[str]]:
        """The same for a page of which every record has these names."""
        if self._some is None:
            self._some = self._all = names
            return [], []
        came = sorted(names - self._some - self._told)
        gone = sorted((self._all & frozenset(self.declared)) - names - self._told)
        self._told |= {*came, *gone}
        return came, gone

    def lost(self, document: Any, names: Collection[str]) -> list[str]:
        """Those of the names that all records of the first page had, and none of this one has; every time."""
        wanted = self._all.intersection(names)
        listed = self._listed(document) if wanted else []
        first = next((record for record in listed if isinstance(record, dict)), None)
        if first is None or not (wanted := wanted - first.keys()):
            return []
        records = [record for record in listed if isinstance(record, dict)]
        return sorted(name for name in wanted if not any(name in record for record in records))

    def _listed(self, document: Any) -> list[Any]:
        if self._path is None:
            return []
        for name in self._path:
            document = document.get(name) if isinstance(document, dict) else None
        return document if isinstance(document, list) else []
