"""One listing of an API, compiled from a stream: what is asked for, and what its answers are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from syncline.connectors.rest.reading.began import NOW, Began
from syncline.connectors.rest.reading.incremental import Cursor, Progress, begin, scalar_at

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.decoding import Decoding
    from syncline.connectors.rest.exchange.request import RequestPlan
    from syncline.connectors.rest.reading.contract import Contract
    from syncline.connectors.rest.reading.pages import PagePlan
    from syncline.sdk.batch import Position
    from syncline.sdk.http import Request
    from syncline.sdk.paging import Pager, State


class Listing(Struct, frozen=True):
    """What is asked for, how pages follow each other, and what their records are.

    `config` are the instance's plain settings. `typed`: the records' fields are declared, so that the cursor's field
    is a value; otherwise it is in JSON text. `records` is where an answer has its records. `contract`: what its pages
    have to keep to. `began`: when the read began.
    """

    name: str
    plan: RequestPlan
    pages: PagePlan
    cursor: Cursor | None
    decoding: Decoding
    config: Mapping[str, Any]
    typed: bool
    began: Began
    records: str = "@"
    contract: Contract | None = None

    def begin(self, position: Position | None, *, incremental: bool, now: float) -> Progress:
        """The pass that a position is in, or a new one."""
        return begin(self.cursor, self.pages.pager().first(), position, incremental=incremental, now=now)

    def request(self, pager: Pager, progress: Progress, page: State, scope: Mapping[str, Any]) -> Request:
        """The request for a page of a pass; `scope` are further variables of its templates."""
        ask = pager.ask(page)
        bounds = progress.bounds()
        values: dict[str, str | int] = {}
        if self.cursor is not None:
            values |= {place: bounds[bound] for place, bound in self.cursor.into.items() if bound in bounds}
        known = {"cursor": "cursor", "page": "number", "offset": "offset"}
        shown = {name: page[key] for key, name in known.items() if key in page}
        variables = {**scope, "config": self.config, "page": shown, **bounds}
        if "start" in bounds:
            variables["cursor"] = bounds["start"]
        if NOW in self.plan.names:
            variables[NOW] = self.began.text()
        return self.plan.build(variables, values | dict(ask.values), ask.url)

    def cursors(self, records: list[Any]) -> list[str | None]:
        """The cursor of each record, as text."""
        assert self.cursor is not None
        path = self.cursor.path
        if self.typed:
            return [None if v is None else str(v) for v in self.decoding.values(records, path)]
        texts = self.decoding.values(records, path[:1])
        return [None if text is None else scalar_at(text, path[1:]) for text in texts]
