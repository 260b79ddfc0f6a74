"""What a secret provider is, and what it gets and gives. The list of providers is in `provider.py`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from msgspec import Struct

from syncline.model.errors import Invalid, Stalled
from syncline.model.secret import Secret


class Reference(Struct, frozen=True):
    """Where a secret is kept. `path` is a dotted path inside it, where it has parts (`db.password`, `keys.0`)."""

    provider: str
    key: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.provider}:{self.key}" + (f"#{self.path}" if self.path else "")

    @classmethod
    def parse(cls, text: str) -> Reference:
        """A reference as it is shown, `PROVIDER:KEY` or `PROVIDER:KEY#PATH`; `Invalid` (SYN804) for anything else.

        >>> Reference.parse("sops:secrets/daemon.yaml#hook.secret")
        Reference(provider='sops', key='secrets/daemon.yaml', path='hook.secret')
        """
        provider, colon, rest = text.partition(":")
        key, _, path = rest.partition("#")
        if not (colon and provider and key):
            raise Invalid(
                "a secret is named as PROVIDER:KEY",  # the text isn't shown: it may be the secret itself
                code="SYN804",
                help="Give the name of a secret, never its value: env:HOOK_SECRET, file:/run/secrets/hook.",
            )
        return cls(provider, key, path)


T = TypeVar("T")


class Sessions:
    """
    Where we are logged in, for as long as somebody resolves secrets: logins, and never values. Safe for threads.
    Whoever closes it ends those logins that can be ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[type[Any], Any] = {}

    def of(self, kind: type[T], make: Callable[[], T]) -> T:
        """The session of this type, made at first use."""
        with self._lock:
            found: T = self._open.get(kind) or self._open.setdefault(kind, make())
            return found

    def close(self) -> None:
        """Logs out where that can be done, last first; whoever resolves secrets after that logs in again."""
        with self._lock:
            found, self._open = list(self._open.values()), {}
        for session in reversed(found):
            if (close := getattr(session, "close", None)) is not None:
                close()


@dataclass(frozen=True, slots=True)
class Context:
    """What providers may look at: the repository's root, the environment, and for whom.

    `tenant` is empty for what all tenants share. The environment may hold secrets, so it is not shown. `home` is the
    resolved folder of state, keys and audit log, in which no secret of a manifest is.
    """

    root: Path
    environ: Mapping[str, str] = field(repr=False)
    tenant: str = ""
    home: Path | None = None
    sessions: Sessions = field(default_factory=Sessions, repr=False, compare=False)


class Problem(Struct, frozen=True):
    """Why a secret cannot be had, without the value: a code of `model/codes/secret.py`, a sentence and the remedy."""

    code: str
    message: str
    help: str = ""


class Unavailable(Stalled):
    """A secret cannot be had until a person acts. The message names provider and key, never a value."""

    def __init__(self, reference: Reference, problem: Problem) -> None:
        super().__init__(f"secret {reference}: {problem.message}", code=problem.code, help=problem.help)
        self.reference = reference
        self.problem = problem


class SecretProvider(Protocol):
    """Where secrets come from. Made for one context and used at once: it keeps no value."""

    name: ClassVar[str]

    def __init__(self, context: Context) -> None: ...

    def get(self, reference: Reference) -> Secret:
        """Return the secret; raises Unavailable when it cannot be had, Invalid when the reference makes no sense."""
        ...

    def check(self, reference: Reference) -> Problem | None:
        """Say what would keep `get` from working, as far as that can be known without reading the value."""
        ...


class Until(Struct, frozen=True):
    """Until when a secret holds that was made for us (UTC), and whether that is put off while we use it."""

    ends: datetime
    renewable: bool


class LeasingProvider(SecretProvider, Protocol):
    """A provider whose secrets are made for who asks, and end."""

    def until(self, reference: Reference) -> Until | None:
        """Until when the secret holds that these sessions were given; None where they were given none."""
        ...


class SecretWriter(SecretProvider, Protocol):
    """A provider that secrets can be written to as well."""

    def put(self, reference: Reference, value: Secret) -> None:
        """Put a value in place, whole or not at all; raises as `get`."""
        ...

    def delete(self, reference: Reference) -> None:
        """Remove a value; nothing where there is none."""
        ...
