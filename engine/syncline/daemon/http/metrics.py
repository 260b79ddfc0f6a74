"""What a daemon tells monitoring systems: how it stands, and what its runs counted, as text of Prometheus.

The counters are those of the state, so they go on after a restart and are the same on each daemon of a state. They are
summed over the objects of a kind: what grows with the number of flows isn't for a scrape. Hours that are over don't
change any more, and are summed once.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from syncline.model.errors import SynclineError

if TYPE_CHECKING:
    from syncline.daemon.loop import Status
    from syncline.executor.engine import Engine

#: The format's version 0.0.4.
KIND: Final = "text/plain; version=0.0.4; charset=utf-8"
#: After its end an hour may still get what a run was just about to keep.
_SETTLED: Final = dt.timedelta(minutes=10)
#: Metrics by the state's counter: the name, what it says.
_COUNTERS: Final = {
    "runs": ("runs", "Runs that ended well."),
    "errors": ("run_errors", "Runs that ended otherwise."),
    "read": ("records_read", "Records read."),
    "written": ("records_written", "Records written."),
}
_BY_HOST: Final = {
    "requests": ("requests", "Requests sent, further attempts included."),
    "retries": ("request_retries", "Requests sent again."),
    "throttled": ("requests_throttled", "Requests that a limit held back, or that came too early."),
    "bytes": ("response_bytes", "Bytes of answers, unpacked."),
    "failures": ("request_failures", "Exchanges without a whole answer, and answers from status 500 on."),
    "breaker_opens": ("breaker_opens", "Times that a circuit breaker opened."),
}
_SILENT: Final = "Since a loop turned or began its step; 0 while it waits to be given something."
_CERTIFICATE: Final = "When the certificate ends that is shown here, or one of its chain."
_LATENCY: Final = "syncline_request_seconds"

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """
    The text that is scraped. Safe for threads. `ages` gives the seconds since each loop turned, `ends` when the
    certificate ends that is shown to who connects.
    """

    def __init__(
        self,
        engine: Callable[[], Engine | None],
        status: Status,
        ages: Callable[[], Mapping[str, float]] = dict,
        ends: Callable[[], float | None] | None = None,
    ) -> None:
        self._engine = engine
        self._status = status
        self._ages = ages
        self._ends = ends
        self._lock = threading.Lock()
        self._settled: defaultdict[tuple[str, str, str], float] = defaultdict(float)  # what is before `_until`
        self._until = ""

    def text(self) -> str:
        """How the daemon stands, and the counters, where it has a state and that can be reached."""
        engine = self._engine()
        status, ages = self._status, self._ages()
        lines = [
            *_metric("syncline_leading", "gauge", "Whether this daemon works.", {(): float(status.leading)}),
            *_metric("syncline_ready", "gauge", "Whether it has looked at its source.", {(): float(status.ready)}),
            *_metric("syncline_loop_silent_seconds", "gauge", _SILENT, {(("loop", n),): s for n, s in ages.items()}),
        ]
        if self._ends is not None and (end := self._ends()) is not None:
            lines += _metric("syncline_certificate_end_timestamp_seconds", "gauge", _CERTIFICATE, {(): end})
        if engine is not None:
            with suppress(SynclineError):  # the state is away for a moment
                lines += _counted(self._totals(engine, dt.datetime.now(dt.UTC)))
        return "\n".join(lines) + "\n"

    def _totals(self, engine: Engine, now: dt.datetime) -> Mapping[tuple[str, str, str], float]:
        """Sums by tenant, kind and counter."""
        statistics = engine.facilities.store.statistics()
        until = (now - _SETTLED).strftime("%Y-%m-%dT%H:00:00Z")
        with self._lock:
            if until != self._until:
                for tenant, kind, name, value in statistics.totals(self._until, until):
                    self._settled[tenant, kind, name] += value
                self._until = until
            found = self._settled.copy()
        for tenant, kind, name, value in statistics.totals(until, "9999"):
            found[tenant, kind, name] += value
        return found


def _counted(totals: Mapping[tuple[str, str, str], float]) -> Iterator[str]:
    found: dict[str, dict[Labels, float]] = {}
    for (tenant, kind, counter), value in sorted(totals.items()):
        name, _, host = counter.partition("/")
        labels: Labels = (("tenant", tenant), ("kind", kind), *((("host", host),) if host else ()))
        found.setdefault(f"{name}/" if host else name, {})[labels] = value
    for counter, (name, says) in _COUNTERS.items():
        yield from _metric(f"syncline_{name}_total", "counter", says, found.get(counter, {}))
    for counter, (name, says) in _BY_HOST.items():
        yield from _metric(f"syncline_{name}_total", "counter", says, found.get(f"{counter}/", {}))
    yield from _histogram(found.get("latency/", {}), found.get("seconds/", {}))


def _histogram(latency: Mapping[Labels, float], seconds: Mapping[Labels, float]) -> Iterator[str]:
    """How long answers took. The state counts each in one class; here a class has all that are below its limit."""
    classes: dict[Labels, dict[float, float]] = {}
    for labels, value in latency.items():
        host, _, limit = labels[-1][1].rpartition("/")
        classes.setdefault((*labels[:-1], ("host", host)), {})[float(limit)] = value
    buckets: dict[Labels, float] = {}
    counts: dict[Labels, float] = {}
    for labels, by_limit in classes.items():
        total = 0.0
        for most in sorted({*by_limit, math.inf}):
            total += by_limit.get(most, 0.0)
            buckets[(*labels, ("le", "+Inf" if most == math.inf else f"{most:g}"))] = total
        counts[labels] = total
    if buckets:
        yield f"# HELP {_LATENCY} From sending a request until its whole answer was there."
        yield f"# TYPE {_LATENCY} histogram"
        yield from _samples(f"{_LATENCY}_bucket", buckets)
        yield from _samples(f"{_LATENCY}_sum", {labels: seconds.get(labels, 0.0) for labels in counts})
        yield from _samples(f"{_LATENCY}_count", counts)


def _metric(name: str, kind: str, says: str, values: Mapping[Labels, float]) -> Iterator[str]:
    if values:
        yield f"# HELP {name} {says}"
        yield f"# TYPE {name} {kind}"
        yield from _samples(name, values)


def _samples(name: str, values: Mapping[Labels, float]) -> Iterator[str]:
    for labels, value in values.items():
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        yield f"{name}{{{shown}}} {value:.15g}" if shown else f"{name} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
