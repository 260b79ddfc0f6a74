"""Webhooks of other systems, by which schedules start: whether one is genuine, and keeping it before it is answered.

What is in a delivery isn't read. It is kept in the state with the name that its sender gave it, so that neither a
restart nor another daemon's taking over loses it, and one that is sent again counts once. Any daemon of a state takes
deliveries; the one that works starts the runs.

Who doesn't know the secret learns nothing: a path that is nobody's is answered as a wrong signature is.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
import time
import uuid
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from syncline.daemon.http.listening import Asked, Reply
from syncline.daemon.http.proofs import one, signed_body, standard
from syncline.daemon.http.push import PATH, RATE, UNSIGNED, strong
from syncline.executor.flows.instance import secret_context
from syncline.kinds.schedule import OnWebhook, ScheduleSpec
from syncline.model.errors import SynclineError
from syncline.model.event import rfc3339
from syncline.model.key import ObjectKey
from syncline.model.secret import Secret
from syncline.reconciler.needs import reference
from syncline.sdk.clock import SystemClock
from syncline.sdk.limits import Window
from syncline.secrets.contract import Sessions
from syncline.secrets.window import accepted

if TYPE_CHECKING:
    from syncline.daemon.http.refusals import Refusals
    from syncline.executor.engine import Engine
    from syncline.kinds.base import SecretRef

#: How long the name of a delivery is kept at least, so that it doesn't count again: longer than its time is near.
REMEMBERED: Final = dt.timedelta(hours=1)
#: Seconds for which a secret is used that was read.
FRESH: Final = 5.0
#: Paths share this many limits of their rate, whether they are somebody's or not.
_LIMITS: Final = 256
_NOBODYS: Final = Secret("what nobody signs with")
_LATER: Final = Reply(503, {"error": "it can't be kept now"}, {"Retry-After": "5"})


class Deliveries:
    """
    Answers deliveries at `/hook/TENANT/SCHEDULE`; `wake` has the daemon look at what is due, and `tell` is told, once,
    why deliveries can't be taken. Safe for threads.
    """

    def __init__(
        self,
        engine: Callable[[], Engine | None],
        wake: Callable[[], None],
        refusals: Refusals,
        tell: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._wake = wake
        self._refusals = refusals
        self._tell = tell
        self._problem = ""
        self._lock = threading.Lock()
        self._limits: dict[int, Window] = {}
        self._secrets: dict[tuple[str, SecretRef], tuple[float, tuple[Secret, ...]]] = {}

    def answer(self, asked: Asked) -> Reply:
        """202 for one that is kept, 200 for one that was before, else why it doesn't count."""
        if asked.method != "POST":
            return Reply(405, {"error": "deliveries come by POST"}, {"Allow": "POST"})
        path = asked.path.partition("?")[0]
        with self._lock:
            limit = self._limits.setdefault(zlib.crc32(path.encode()) % _LIMITS, Window(*RATE, SystemClock()))
            pause = limit.take()
        if pause:
            return Reply(429, {"error": "too many deliveries"}, {"Retry-After": str(int(pause) + 1)})
        if (engine := self._engine()) is None:
            return _LATER
        try:
            return self._answer(engine, asked, path)
        except SynclineError as error:
            self._say(f"a webhook of a schedule can't be taken now: {error.code} {error.told}")
            return _LATER

    def _answer(self, engine: Engine, asked: Asked, path: str) -> Reply:
        schedule, webhook = _found(engine, path)
        now = dt.datetime.now(dt.UTC)
        if webhook is None or schedule is None:
            standard(asked.headers, asked.body, _NOBODYS.reveal(), now.timestamp())  # as much work as for a schedule
            self._refusals.note("unknown")
            return UNSIGNED
        proofs = [_proved(asked, webhook, secret, now) for secret in self._read(engine, schedule, webhook.secret)]
        if not any(proofs):
            self._refusals.note("schedule", schedule)
            return UNSIGNED
        deliveries = engine.facilities.store.deliveries()
        if not deliveries.keep(schedule, _mark(asked, webhook), rfc3339(now), rfc3339(now - REMEMBERED)):
            return Reply(200, {"start": False, "reason": "it was delivered before"})
        self._problem = ""
        self._wake()
        return Reply(202, {"start": True})

    def _say(self, problem: str) -> None:
        """Tells of a problem once, until one could be taken again."""
        with self._lock:
            known, self._problem = self._problem, problem
        if problem != known:
            self._tell(problem)

    def _read(self, engine: Engine, schedule: ObjectKey, ref: SecretRef) -> tuple[Secret, ...]:
        """The secrets that count. They are read every few seconds at most, however many deliveries there are."""
        which = (schedule.tenant, ref)
        at, values = self._secrets.get(which, (0.0, ()))
        if values and time.monotonic() - at < FRESH:
            return values
        settings, keep = engine.facilities.settings, engine.facilities.keep
        name = reference(ref)
        context = secret_context(settings, schedule.tenant, keep.shared_or_made(Sessions, Sessions))
        values = tuple(strong(value, str(name)) for value in accepted(name, context))
        with self._lock:
            new = which not in self._secrets
            self._secrets[which] = (time.monotonic(), values)
        if new:
            recorder = engine.facilities.recorder
            recorder.record(recorder.secret_uses(schedule, [str(name)]))
        return values


def _found(engine: Engine, path: str) -> tuple[ObjectKey | None, OnWebhook | None]:
    """The schedule that is applied and waits for webhooks at a path."""
    tenant, _, name = path.removeprefix(f"{PATH}/").partition("/")
    key = ObjectKey(tenant, "Schedule", name)
    manifest = engine.applied().desired.objects.get(key)
    spec = manifest.spec if manifest is not None else None
    if not tenant or not isinstance(spec, ScheduleSpec) or spec.on is None:
        return None, None
    return key, spec.on.webhook


def _proved(asked: Asked, webhook: OnWebhook, secret: Secret, now: dt.datetime) -> bool:
    text = secret.reveal()
    if webhook.hmac is None:
        return standard(asked.headers, asked.body, text, now.timestamp())
    return signed_body(asked.headers, asked.body, text, webhook.hmac)


def _mark(asked: Asked, webhook: OnWebhook) -> str:
    """What tells a delivery from others; a new one where its sender says nothing."""
    header = "webhook-id" if webhook.hmac is None else webhook.hmac.id
    name = one(asked.headers, header) if header else ""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest() if name else uuid.uuid4().hex
