"""An API that is written to, in memory: idempotency keys, entity tags, uniqueness, batches, search; and what it was asked.

It is the function of a transport (`tests.rest_streams.FunctionTransport`) and a handler of `tests.api_server`, alike.
"""

from __future__ import annotations

import copy
import json
import threading
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from syncline.sdk.http import Request, Response, TransportError
from tests.api_server import Asked, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass
class Contacts:
    """Records by id, in collections: `POST /contacts`, `PUT /contacts/by-email/ada@…`, `POST /contacts/batch`, ….

    `refuse` says why a record isn't taken; `lose` names effects (by number, from 1) whose answer is lost.
    """

    unique: str = "email"
    keys: bool = True
    refuse: Callable[[Mapping[str, Any]], str] = lambda _: ""
    lose: frozenset[int] = frozenset()
    records: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    seen: dict[str, tuple[int, Any, dict[str, str]]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    effects: int = 0
    removed: int = 0
    _next: int = 0
    _kept: dict[str, Any] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.RLock)

    def of(self, collection: str) -> list[dict[str, Any]]:
        """The records of a collection, in the order of their creation."""
        return list(self.records.get(collection, {}).values())

    def __call__(self, request: Request) -> Response:
        """As a transport."""
        parts = urlsplit(request.url)
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = dict(parse_qsl(parts.query))
        before = self.effects
        status, body, more = self.answer(request.method, unquote(parts.path), query, headers, request.body)
        if before < self.effects and self.effects in self.lose:
            self.lose = self.lose - {self.effects}
            raise TransportError("the answer ended early", "connection")
        data = b"" if body is None else json.dumps(body, default=_number).encode()
        return Response(status, {"content-type": "application/json", **more}, data)

    def handle(self, asked: Asked) -> Reply:
        """As a server."""
        before = self.effects
        status, body, more = self.answer(asked.method, unquote(asked.path), asked.query, asked.headers, asked.body)
        data = b"" if body is None else json.dumps(body, default=_number).encode()
        lost = before < self.effects and self.effects in self.lose
        return Reply(data, status, more, cut=max(len(data) - 1, 0) if lost else None)

    def answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        with self._lock:
            if path == "/__removed":
                return 200, self.removed, {}
            if path.startswith("/__"):
                self._control(path.removeprefix("/__"))
                return 204, None, {}
            self.asked.append((method, path))
            key = headers.get("idempotency-key", "") if self.keys else ""
            if key and key in self.seen:
                return self.seen[key]
            found = self._answer(method, path.strip("/").split("/"), query, headers, body)
            if key and found[0] < 500:
                self.seen[key] = found
            return found

    def _answer(
        self, method: str, path: list[str], query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        collection, *rest = path
        records = self.records.setdefault(collection, {})
        sent: Any = json.loads(body, parse_float=Decimal) if body else None
        match method, rest:
            case "GET", []:
                items = [
                    {**r, "ref": i} for i, r in records.items() if all(str(r.get(k)) == v for k, v in query.items())
                ]
                return 200, {"items": items}, {}
            case "POST", []:
                return self._create(collection, sent)
            case "POST", ["batch"]:
                return 200, {"results": [self._result(collection, one) for one in sent["inputs"]]}, {}
            case "POST", ["import"]:
                wrong = next((why for one in sent if (why := self.refuse(one))), "")
                if wrong:
                    return 422, {"error": wrong}, {}
                for one in sent:
                    self._put(collection, str(one[self.unique]), one)
                return 200, {"ok": len(sent)}, {}
            case "PUT", ["by-key", name]:
                if why := self.refuse(sent):
                    return 422, {"error": why}, {}
                return self._guarded(collection, name, headers) or self._put(collection, name, sent)
            case "GET", [name] if name in records:
                return 200, {**records[name], "ref": name}, self._tag(collection, name)
            case (("PATCH" | "PUT"), [name]) if name in records:
                if why := self.refuse(sent):
                    return 422, {"error": why}, {}
                return self._guarded(collection, name, headers) or self._put(
                    collection, name, {**records[name], **sent}
                )
            case "DELETE", [name] if name in records:
                self.effects += 1
                self.removed += 1
                del records[name]
                return 204, None, {}
            case _:
                return 404, {"error": "no such record"}, {}

    def _control(self, what: str) -> None:
        names = ("records", "versions", "seen", "effects", "removed", "_next")
        match what:
            case "reset":
                self.records, self.versions, self.seen = {}, {}, {}
                self.effects = self.removed = self._next = 0
            case "keep":
                self._kept = copy.deepcopy({name: getattr(self, name) for name in names})
            case "back":
                for name, value in copy.deepcopy(self._kept).items():
                    setattr(self, name, value)
            case _:
                raise AssertionError(what)

    def _result(self, collection: str, sent: dict[str, Any]) -> dict[str, Any]:
        status, body, _ = self._create(collection, sent)
        return {"for": sent.get(self.unique), **({"error": body["error"]} if status >= 400 else {"ref": body["ref"]})}

    def _create(self, collection: str, sent: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if why := self.refuse(sent):
            return 422, {"error": why}, {}
        taken = [r for r in self.of(collection) if self.unique and r.get(self.unique) == sent.get(self.unique)]
        if self.unique and taken:
            return 409, {"error": f"{self.unique} is taken"}, {}
        self._next += 1
        status, body, more = self._put(collection, str(self._next), sent)
        return status, body, more

    def _put(self, collection: str, name: str, record: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        self.effects += 1
        records = self.records.setdefault(collection, {})
        made = name not in records
        records[name] = record
        self.versions[name] = self.versions.get(name, 0) + 1
        return 201 if made else 200, {**record, "ref": name}, self._tag(collection, name)

    def _guarded(
        self, collection: str, name: str, headers: Mapping[str, str]
    ) -> tuple[int, Any, dict[str, str]] | None:
        wanted = headers.get("if-match", "")
        if wanted and wanted != self._tag(collection, name).get("etag"):
            return 412, {"error": "it has changed"}, {}
        return None

    def _tag(self, collection: str, name: str) -> dict[str, str]:
        del collection
        return {"etag": f'"{self.versions[name]}"'} if name in self.versions else {}


def _number(value: Any) -> Any:
    assert isinstance(value, Decimal)
    return float(value)
