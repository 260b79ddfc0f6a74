"""Progress of a run, on a terminal and in a log."""

from __future__ import annotations

import io

from syncline.cli.output.progress import BarProgress, LineProgress
from syncline.executor.progress import Progress, RunInfo
from syncline.model.run import Counts

INFO = RunInfo("01K8", "acme/Sync/tickets", "helpdesk/tickets", "warehouse/tasks")


def counts(read: int) -> Counts:
    """Counts of so many records, one of them rejected."""
    return Counts(read=read, written=read - 1, rejected=1)


def follow(progress: Progress) -> None:
    """A run from its start to its end."""
    progress.started(INFO)
    progress.phase("loading")
    progress.advanced(counts(10), 0.5)
    progress.advanced(counts(20), None)
    progress.finished(counts(20), 1.5)


def test_lines_at_most_every_two_seconds():
    """In a log there is a line at the start, for each phase, at most every two seconds, and at the end."""
    said: list[str] = []
    now = [0.0]
    progress = LineProgress(said.append, lambda: now[0])
    progress.started(INFO)
    progress.phase("loading")
    for second in range(1, 7):
        now[0] = second
        progress.advanced(counts(second * 1_000), second / 10)
    progress.finished(counts(7_000), 7.0)

    assert said == [
        "acme/Sync/tickets: run 01K8: helpdesk/tickets → warehouse/tasks",
        "acme/Sync/tickets: loading",
        "acme/Sync/tickets: 2,000 read, 1,999 written, 1 rejected (20%), 1,000 rows/s",
        "acme/Sync/tickets: 4,000 read, 3,999 written, 1 rejected (40%), 1,000 rows/s",
        "acme/Sync/tickets: 6,000 read, 5,999 written, 1 rejected (60%), 1,000 rows/s",
        "acme/Sync/tickets: 7,000 read, 6,999 written, 1 rejected in 7.0 s",
    ]


def test_a_wait_is_a_line():
    """A wait is told with its seconds, or in minutes, and what is waited for, also before the run has begun."""
    said: list[str] = []
    progress = LineProgress(said.append)
    progress.waiting(3.4, "login.example asked to wait (503)")
    progress.started(INFO)
    progress.waiting(42.3, "desk.example announced that its quota is used up (429)")
    progress.waiting(90.0, "desk.example is working on job \x1b[2J7")

    assert said == [
        "waiting 3 s: login.example asked to wait (503)",
        "acme/Sync/tickets: run 01K8: helpdesk/tickets → warehouse/tasks",
        "acme/Sync/tickets: waiting 42 s: desk.example announced that its quota is used up (429)",
        "acme/Sync/tickets: waiting 1 min 30 s: desk.example is working on job \\x1b[2J7",
    ]


def test_the_bar_says_what_is_waited_for_until_it_is_over():
    """What was read before a wait and is committed meanwhile doesn't hide it; what comes after it shows the phase again."""
    with BarProgress(io.StringIO(), color=False) as progress:
        progress.started(INFO)
        progress.phase("loading")
        progress.waiting(42.0, "desk.example asked to wait (503)")
        progress.advanced(counts(10), None)
        assert progress._bar.tasks[0].description == "waiting 42 s: desk.example asked to wait (503)"
        progress.waiting(0.0, "")
        progress.advanced(counts(20), None)
        assert progress._bar.tasks[0].description == "loading"


def test_resumed_run_says_so():
    """A run that goes on says how many records it had accounted for."""
    said: list[str] = []
    LineProgress(said.append).started(RunInfo("01K8", "a/Sync/b", "c/d", "e/f", resumed=1_200))

    assert said == ["a/Sync/b: run 01K8: c/d → e/f, resumed after 1,200 records"]


def test_bar_leaves_only_its_first_line():
    """On a terminal the bar is taken away at the end, since the receipt says the rest."""
    stream = io.StringIO()
    with BarProgress(stream, color=False) as progress:
        follow(progress)

    assert stream.getvalue().splitlines()[0] == "acme/Sync/tickets: run 01K8: helpdesk/tickets → warehouse/tasks"


def test_bar_is_closed_when_a_run_dies():
    """The terminal is given back also when a run ends by an exception."""
    stream = io.StringIO()
    progress = BarProgress(stream, color=False)
    try:
        with progress:
            progress.started(INFO)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass

    assert progress._bar is None
