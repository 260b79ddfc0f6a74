"""Events that start runs, as conditions see them: `event` in CEL, plain data with the same fields every time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: An example of each type of event; conditions are tried on it, so that a misspelt field is found before it matters.
EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "run.finish": {
        "type": "run.finish",
        "time": "2026-11-26T02:15:00.000000Z",
        "tenant": "acme",
        "kind": "Sync",
        "name": "tickets",
        "object": "acme/Sync/tickets",
        "run": "20261126T021500-1f2e3d",
        "state": "Succeeded",
        "outcome": "success",  # failure, for a run that failed
        "code": "",
        "trigger": "schedule",
        "revision": "3122ecca342b5f6b2c1d0a9e8f7d6c5b4a392817",
        "read": 0,
        "written": 0,
        "rejected": 0,
        "skipped": 0,
    },
    "apply.finish": {
        "type": "apply.finish",
        "tenant": "acme",
        "revision": "3122ecca342b5f6b2c1d0a9e8f7d6c5b4a392817",
        "serial": 1,
    },
}

#: Types of events that start runs.
TRIGGERS: Final = tuple(EXAMPLES)
