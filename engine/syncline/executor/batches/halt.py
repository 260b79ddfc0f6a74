"""Asking a run that is under way to end: at its next commit, not in the middle of a batch."""

from __future__ import annotations

import threading

from syncline.model.errors import Stalled

#: Seconds within which a run that waits for its source hears of it.
HEARD_WITHIN = 0.5


class Halt:
    """Handed to a run by whoever may want it to end. What was committed stays.

    A run that another one replaces has failed with SYN698. One that is interrupted is so as by Ctrl-C: the next goes on
    with it.

    >>> halt = Halt()
    >>> halt.check()
    >>> halt.ask("another start takes its place")
    >>> halt.asked
    True
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._interrupted = threading.Event()
        self._why = ""

    @property
    def asked(self) -> bool:
        """Whether the run is to end."""
        return self._asked.is_set()

    @property
    def why(self) -> str:
        """The reason that it was asked for; '' while it isn't."""
        return self._why

    def ask(self, why: str) -> None:
        """Asks the run to end, for a reason that its record will show. Returns at once."""
        self._why = why
        self._asked.set()

    @property
    def interrupted(self) -> bool:
        """Whether the run is to be gone on with later."""
        return self._interrupted.is_set()

    def interrupt(self) -> None:
        """Interrupts the run. Returns at once."""
        self._interrupted.set()

    def check(self) -> None:
        """`Stalled` (SYN698) once it was asked; `KeyboardInterrupt` where it is interrupted."""
        if self._interrupted.is_set():
            raise KeyboardInterrupt
        if self._asked.is_set():
            raise Stalled(
                f"the run was stopped: {self._why}",
                code="SYN698",
                help="Nothing needs to be done: what it had committed stays, and another run follows.",
            )
