"""Progress of a run on standard error: a bar on a terminal, plain lines elsewhere, at most one every two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Self

from syncline.cli.output.text import duration, number, plural, visible
from syncline.executor.progress import RunInfo
from syncline.model.run import Counts

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

EVERY = 2.0


def _counts(counts: Counts, *, dry: bool) -> str:
    written = f"{number(counts.written)} {'to write' if dry else 'written'}"
    text = f"{number(counts.read)} read, {written}, {number(counts.rejected)} rejected"
    return f"{text}, {number(counts.skipped)} skipped" if counts.skipped else text


def _start(info: RunInfo) -> str:
    kind = "rehearsal" if info.dry else f"run {info.run}"
    resumed = f", resumed after {plural(info.resumed, 'record')}" if info.resumed else ""
    return f"{kind}: {visible(info.source)} → {visible(info.target)}{resumed}"


def _wait(seconds: float, why: str) -> str:
    return f"waiting {duration(round(seconds)) if seconds >= 60 else f'{seconds:.0f} s'}: {visible(why)}"


class LineProgress:
    """Lines that a log can keep. `clock` is in seconds and never goes back."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._name, self._dry = "", False
        self._began = self._last = clock()

    def started(self, info: RunInfo) -> None:
        """Says which run starts, and from where to where."""
        self._name, self._dry = visible(info.object), info.dry
        self._began = self._last = self._clock()
        self._say(f"{self._name}: {_start(info)}")

    def phase(self, name: str) -> None:
        """Says what begins."""
        self._say(f"{self._name}: {visible(name)}")

    def advanced(self, counts: Counts, done: float | None) -> None:
        """Says how far it is, unless it did just before."""
        now = self._clock()
        if now - self._last < EVERY:
            return
        self._last = now
        rate = f", {number(counts.read / (now - self._began))} rows/s" if now > self._began else ""
        share = f" ({done:.0%})" if done is not None else ""
        self._say(f"{self._name}: {_counts(counts, dry=self._dry)}{share}{rate}")

    def waiting(self, seconds: float, why: str) -> None:
        """Says for how long nothing happens, and why."""
        self._say(f"{self._name}: {_wait(seconds, why)}" if self._name else _wait(seconds, why))

    def finished(self, counts: Counts, seconds: float) -> None:
        """Says what came of it, if it began."""
        if self._name:
            self._say(f"{self._name}: {_counts(counts, dry=self._dry)} in {duration(seconds)}")


class BarProgress:
    """A bar with counts, rate and time left; it is gone when the run ends, since the receipt says the rest."""

    def __init__(self, stream: IO[str], *, color: bool) -> None:
        self._stream = stream
        self._color = color
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._dry = False
        self._began = 0.0
        self._phase = "starting"
        self._waits_until = 0.0

    def started(self, info: RunInfo) -> None:
        """Shows the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._dry = info.dry
        console = Console(file=self._stream, no_color=not self._color, highlight=False, markup=False)
        console.print(f"{visible(info.object)}: {_start(info)}", soft_wrap=True)
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[counts]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task(self._phase, total=None, counts="")
        self._began = time.monotonic()
        self._bar.start()

    def phase(self, name: str) -> None:
        """Names the phase beside the bar."""
        self._phase = visible(name)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=self._phase)

    def advanced(self, counts: Counts, done: float | None) -> None:
        """Moves the bar."""
        if self._bar is None or self._task is None:
            return
        elapsed = time.monotonic() - self._began
        rate = f", {number(counts.read / elapsed)} rows/s" if elapsed > 0 else ""
        self._bar.update(
            self._task,
            total=None if done is None else 1.0,
            completed=done or 0.0,
            counts=_counts(counts, dry=self._dry) + rate,
            # What was read before the wait may still be on its way.
            description=None if time.monotonic() < self._waits_until else self._phase,
        )

    def waiting(self, seconds: float, why: str) -> None:
        """Says beside the bar for how long nothing happens, and why, until there is something again."""
        self._waits_until = time.monotonic() + seconds
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=_wait(seconds, why))

    def finished(self, counts: Counts, seconds: float) -> None:
        """Takes the bar away."""
        del counts, seconds
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
