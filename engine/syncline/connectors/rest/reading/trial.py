"""Reads of which nothing is kept: jobs that were created for them are deleted when they end, however they do.

A read that is kept has its job in its position, so that a later one goes on with it. Of a trial there is no position:
what it doesn't delete itself would stay at the API for good.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: Jobs that are told of by name, where they stay.
_SHOWN: Final = 5
#: Seconds that the answer to a creation is waited for when a trial ends before it has come.
_ANSWERED_WITHIN: Final = 30.0


@dataclass(slots=True)
class Trial:
    """
    The jobs of a trial that are there, by what each was created for: an API may number the jobs of each parent anew.

    >>> told = []
    >>> trial = Trial(told.append)
    >>> trial.made("e1", None, of="org 7")
    >>> trial.close()
    >>> told
    ['a job was created at the API for this, and stays there: e1 (the connector declares no job.delete)']
    """

    notice: Callable[[str], None]
    _there: dict[tuple[str, str], Callable[[], bool]] = field(default_factory=dict)
    _kept: list[str] = field(default_factory=list)
    _asked: set[Future[Any]] = field(default_factory=set)

    def create(self, call: Callable[[], T], then: Callable[[T], None]) -> T:
        """
        What a call gives that creates a job. It is told to `then` in any case: who is interrupted, or closes the trial
        meanwhile, waits for the answer to what was already asked for; a second interrupt doesn't.
        """
        answer: Future[T] = Future()
        self._asked.add(answer)

        def run() -> None:
            try:
                found = call()
                then(found)
            except BaseException as error:
                answer.set_exception(error)
            else:
                answer.set_result(found)

        Thread(target=run, name="syncline-trial", daemon=True).start()
        try:
            return answer.result()
        except KeyboardInterrupt:
            wait((answer,))
            raise
        finally:
            self._asked.discard(answer)

    def made(self, job: str, delete: Callable[[], bool] | None, of: str = "") -> None:
        """A job was created for the partition `of`. `delete` tries to delete it, and says whether it is gone."""
        if delete is None:
            self._kept.append(job)
        else:
            self._there[of, job] = delete

    def gone(self, job: str, of: str = "") -> None:
        """A job was deleted in the course of the read."""
        self._there.pop((of, job), None)

    def close(self) -> None:
        """Deletes what is there, and tells of what stays."""
        wait(tuple(self._asked), _ANSWERED_WITHIN)
        left = [key[1] for key in list(self._there) if not self._there.pop(key)()]
        self._tell(left, "deleting failed")
        self._tell(self._kept, "the connector declares no job.delete")
        self._kept = []

    def _tell(self, jobs: list[str], why: str) -> None:
        if not jobs:
            return
        names = ", ".join(job[:80] for job in jobs[:_SHOWN]) + (", …" if len(jobs) > _SHOWN else "")
        one = len(jobs) == 1
        what = "a job was created at the API for this, and stays" if one else f"{len(jobs)} jobs were created, and stay"
        self.notice(f"{what} there: {names} ({why})")
