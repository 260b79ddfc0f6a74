"""What subscriptions are told of: `event` in their filters and messages, plain data with the same fields every time.

None of these fields ever holds a value of a record, a text that a system answered with, or a secret: only names, codes,
counts and times, and the titles and helps of codes, which are texts of this program.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from syncline.model.trigger import EXAMPLES as TRIGGERS


class Phase(StrEnum):
    """Which message of a thread it is. `event` and `digest` stand alone; `test` is what a person asked for."""

    open = "open"
    update = "update"
    reminder = "reminder"
    resolve = "resolve"
    event = "event"
    digest = "digest"
    test = "test"


#: From the least to the most urgent.
SEVERITIES: Final = ("info", "warning", "error")

#: What is told of something that isn't as it should be: from its opening to its recovery, in one thread.
INCIDENT: Final = "incident"
_INCIDENT: Final[Mapping[str, Any]] = {
    "type": INCIDENT,
    "phase": "open",  # update, reminder, resolve
    "severity": "error",  # a person must act; warning: it is tried again by itself
    "time": "2026-11-26T02:15:31.000000Z",
    "id": "7c2f6f6e-5d0f-5b1c-9a3e-3d6f0c1b2a49",
    "since": "2026-11-26T02:15:00.000000Z",
    "tenant": "acme",
    "kind": "Integration",  # the object that is the cause
    "name": "crm",
    "object": "acme/Integration/crm",
    "reason": "CheckFailed",
    "code": "SYN401",
    "title": "credentials refused",
    "help": "See the AuthConfig.",
    "revision": "3122ecca342b5f6b2c1d0a9e8f7d6c5b4a392817",
    "count": 0,  # objects that wait for it
    "objects": [],  # the first of them
    "causes": [],  # of several causes that are told together, each as {object, reason, code, title}
    "cause": "",  # of a resolve, where it turned out to be part of another one: that object
}

_RUN: Final = {**TRIGGERS["run.finish"], "severity": "info"}
_STEP: Final[Mapping[str, Any]] = {
    "type": "apply.step",
    "severity": "info",
    "time": "2026-11-26T02:15:00.000000Z",
    "tenant": "acme",
    "kind": "Sync",
    "name": "tickets",
    "object": "acme/Sync/tickets",
    "reason": "Applied",  # Moved, Retired, PositionReset
    "revision": "3122ecca342b5f6b2c1d0a9e8f7d6c5b4a392817",
}
_APPLY: Final[Mapping[str, Any]] = {
    "type": "apply.finish",
    "severity": "info",
    "time": "2026-11-26T02:15:00.000000Z",
    "tenant": "acme",
    "source": "main",  # the repository: main, or the name of a Source
    "revision": "3122ecca342b5f6b2c1d0a9e8f7d6c5b4a392817",
}

#: An example of each type; filters and messages are tried on it.
NOTICES: Final[Mapping[str, Mapping[str, Any]]] = {
    INCIDENT: _INCIDENT,
    "run.start": {**_RUN, "type": "run.start", "state": "Running"},
    "run.finish": _RUN,
    "apply.step": _STEP,
    "apply.finish": _APPLY,
}
