"""Hands a run over to the daemon that works on this state, if there is one: then nothing has to be started for it.

What it tells is shown as if the run were here, with the same exit codes. Hanging up stops it, as Ctrl-C stops one here.
It says every few seconds that it is alive; one that falls silent is given up, and stops the run when it wakes.
Only light modules are imported until it is known that a daemon answers.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from syncline.daemon import wire
from syncline.model.errors import Again
from syncline.model.run import Counts, Receipt, RunState

if TYPE_CHECKING:
    from syncline.executor.progress import Progress
    from syncline.settings import Settings

Answers = Generator[dict[str, Any], None, None]

#: Seconds that a daemon gets to record that a run was stopped.
STOPPING = 5.0
#: Seconds of silence after which a daemon is taken for one that hangs: several times `requests.ALIVE_EVERY`.
SILENCE = 15.0


class Handover:
    """A run that a daemon has taken over. `follow` it to its end."""

    def __init__(
        self, connection: socket.socket, answers: Generator[dict[str, Any], None, None], first: dict[str, Any]
    ) -> None:
        self._connection = connection
        self._answers = answers
        self._first = first

    def follow(self, progress: Progress) -> tuple[Receipt | None, dict[str, int], RunState]:
        """Shows its progress; its receipt, what broke which rule, and how it ended. Raises what ended it otherwise."""
        with self._connection, closing(self._answers):
            try:
                for answer in chain((self._first,), self._answers):
                    if (ended := _take(answer, progress)) is not None:
                        return ended
            except KeyboardInterrupt:
                self._hang_up()
                raise
            except TimeoutError:
                raise _silent() from None
            except (OSError, ValueError):  # it ended in the middle of an answer
                raise _lost() from None
        raise _lost()

    def _hang_up(self) -> None:
        """Has the daemon stop the run, and waits for a moment until that is recorded."""
        end = time.monotonic() + STOPPING
        with suppress(OSError, ValueError):
            self._connection.shutdown(socket.SHUT_WR)
            self._connection.settimeout(STOPPING)
            while time.monotonic() < end and self._connection.recv(65536):
                pass


def hand_over(settings: Settings, name: str, tenant: str, *, full_refresh: bool) -> Handover | None:
    """Asks the daemon for a run; None where none answers, or it isn't the one for this folder, state and version."""
    request = wire.Request.here(
        settings.root, settings.state_url, name, tenant, full_refresh=full_refresh, actor=settings.actor
    )
    with ExitStack() as stack:
        connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        connection.settimeout(SILENCE)
        sent = False
        try:
            with wire.socket_path(settings.home) as path:
                connection.connect(path)
            connection.sendall(request.dumps())
            sent = True
            answers = stack.enter_context(closing(_answers(connection)))
            first = next(answers, None)
        except TimeoutError:
            if sent:
                raise _silent() from None
            return None
        except (OSError, ValueError):
            return None
        if first is None or "refused" in first:
            return None
        stack.pop_all()
        return Handover(connection, answers, first)


def _answers(connection: socket.socket) -> Answers:
    with connection.makefile("rb") as lines:
        while text := lines.readline(wire.MAX_ANSWER):
            yield json.loads(text)


def _take(answer: dict[str, Any], progress: Progress) -> tuple[Receipt | None, dict[str, int], RunState] | None:
    """Shows an answer; what the last one says."""
    match answer:
        case {"started": [run, name, source, target, resumed]}:
            from syncline.executor.progress import RunInfo

            progress.started(RunInfo(run, name, source, target, resumed=resumed))
        case {"alive": True}:
            pass
        case {"phase": name}:
            progress.phase(name)
        case {"advanced": counts, "done": done}:
            progress.advanced(Counts(**counts), done)
        case {"waiting": seconds, "why": why}:
            progress.waiting(seconds, why)
        case {"finished": counts, "seconds": seconds}:
            progress.finished(Counts(**counts), seconds)
        case {"receipt": data, "rules": rules}:
            receipt = Receipt.from_json(data)
            return receipt, rules, receipt.state
        case {"ended": state}:
            return None, {}, RunState(state)
        case {"failed": data}:
            raise wire.error_of(data)
        case _:
            raise _lost()
    return None


def _silent() -> Again:
    return Again(
        f"the daemon of this folder has said nothing for {SILENCE:g} s: it is stopped, or hangs",
        code="SYN743",
        help="End or continue its process (`syncline serve`), then run it again. Until then it may hold the flow.",
    )


def _lost() -> Again:
    return Again(
        "the daemon stopped before the run ended",
        code="SYN682",
        help="What is committed stays. Run it again: it goes on after its last commit.",
    )
