"""The one tree of errors, by what the caller does next.

    SynclineError
    ├── Invalid     what a person declared or asked for is wrong: fix it (carries diagnostics)
    ├── Denied      a policy or a guard refuses it: change it or have it allowed
    │   └── Followed    somebody else holds the lease that it was written under: it goes on there, nothing is wrong
    ├── Again       it may work later: retry after `after` seconds (None: by the caller's own backoff)
    ├── Waiting     something else must happen first, named by `on`
    ├── Stalled     it will not work until a person acts outside (credentials, permissions, a missing system)
    └── Bug         a promise of our own code is broken: report it

Connectors and stores raise freely; one place (`executor/outcome.py` for runs, `cli/main.py` for commands) turns an
error into an outcome, once. Messages never contain secrets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncline.model.diagnostic import Diagnostic
    from syncline.model.sample import Sample


#: What a text from outside is between, in a message: Unicode's isolates of foreign text.
_BEGINS: Final = "\u2068"
_ENDS: Final = "\u2069"
_FOREIGN: Final = re.compile(f"{_BEGINS}[^{_ENDS}]*{_ENDS}?")
#: What is told in its place where it is kept.
_LEFT_OUT: Final = "…"


def foreign(text: str) -> str:
    """Marks a text from outside in the message of an error: people see it, and what is kept or logged goes without.

    >>> error = SynclineError(f"status 500: {foreign('ada@example.com is locked')}", code="SYN403")
    >>> error.message, error.told
    ('status 500: ada@example.com is locked', 'status 500: …')
    """
    return f"{_BEGINS}{_bare(text)}{_ENDS}" if text else ""


def without_foreign(text: str) -> str:
    """A text as it is kept: without what is marked in it.

    >>> without_foreign(f"GET /people/{foreign('ada')}")
    'GET /people/…'
    """
    return _FOREIGN.sub(_LEFT_OUT, text)


def _bare(text: str) -> str:
    return text.replace(_BEGINS, "").replace(_ENDS, "")


class SynclineError(Exception):
    """Base of every error that Syncline raises on purpose.

    `message` is for who acts; `told` is the same without what came from outside (`foreign`), which may be values of
    records: it is what the state, logs and notifications have. `marked` is for who tells it again in a message of its
    own. `code` is a stable code of `model/codes.py`; `help` says what to do next. `sample` is of the answer that
    couldn't be read, where that is what it is about.
    """

    sample: Sample | None = None

    def __init__(self, message: str, *, code: str, help: str = "") -> None:  # noqa: A002 - the field's word
        super().__init__(_bare(message))
        self.marked = message
        self.code = code
        self.help = help

    @property
    def message(self) -> str:
        return _bare(self.marked)

    @message.setter
    def message(self, text: str) -> None:
        self.marked = text
        self.args = (_bare(text),)

    @property
    def told(self) -> str:
        return without_foreign(self.marked)


class Invalid(SynclineError):
    """What was declared or asked for is wrong. `diagnostics` holds every finding."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "SYN200",
        help: str = "",  # noqa: A002 - the field's word
        diagnostics: Sequence[Diagnostic] = (),
    ) -> None:
        super().__init__(message, code=code, help=help)
        self.diagnostics = tuple(diagnostics)


class Denied(SynclineError):
    """A policy or a guard refuses it. `diagnostics` names the rules and both places."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "SYN500",
        help: str = "",  # noqa: A002 - the field's word
        diagnostics: Sequence[Diagnostic] = (),
    ) -> None:
        super().__init__(message, code=code, help=help)
        self.diagnostics = tuple(diagnostics)


class Followed(Denied):
    """A write under a lease that somebody else holds by now; `lease` names it."""

    def __init__(self, message: str, *, code: str = "SYN611", help: str = "", lease: str = "") -> None:  # noqa: A002 - the word
        super().__init__(message, code=code, help=help)
        self.lease = lease


class Again(SynclineError):
    """It may work later. `after` is in seconds; None leaves it to the caller's backoff."""

    def __init__(self, message: str, *, code: str = "SYN700", help: str = "", after: float | None = None) -> None:  # noqa: A002 - the word
        super().__init__(message, code=code, help=help)
        self.after = after


class Waiting(SynclineError):
    """Something else must happen first; `on` names it (an object, a lease, a run)."""

    def __init__(self, message: str, *, code: str = "SYN601", help: str = "", on: str = "") -> None:  # noqa: A002 - the word
        super().__init__(message, code=code, help=help)
        self.on = on


class Stalled(SynclineError):
    """It will not work until a person acts: wrong credentials, missing permission, unknown host, a damaged file."""


class Bug(SynclineError):
    """A promise of our own code is broken."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message, code="SYN999", help="This is a defect in Syncline: please report it with this message."
        )
