"""Secrets in environment variables. `key` is the variable; `path` picks from a variable that holds JSON."""

from __future__ import annotations

import re
from typing import ClassVar

from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Problem, Reference, Unavailable
from syncline.secrets.parts import parse_json, pick

#: What opens everything else: the operator's, and no manifest's to send anywhere.
_RESERVED = re.compile(r"SYNCLINE_(STATE|REDIS|PKCS11_PIN)|VAULT_(TOKEN|SECRET_ID)|(SOPS|SYNCLINE)_AGE_KEY")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class EnvProvider:
    """`{provider: env, key: HELPDESK_TOKEN}`."""

    name: ClassVar[str] = "env"

    def __init__(self, context: Context) -> None:
        self._environ = context.environ

    def check(self, reference: Reference) -> Problem | None:
        """Say when the variable is not set, or empty, which is as good as not set and harder to notice."""
        if not _NAME.fullmatch(reference.key):
            return Problem("SYN804", f"{reference.key!r} is not the name of a variable")
        if _RESERVED.fullmatch(reference.key):
            return Problem("SYN804", f"{reference.key} is how Syncline itself is set up, and no secret to refer to")
        if not self._environ.get(reference.key):
            return Problem(
                "SYN801",
                f"the variable {reference.key} is {'empty' if reference.key in self._environ else 'not set'}",
                f"Set {reference.key} in the environment of this process.",
            )
        return None

    def get(self, reference: Reference) -> Secret:
        """Return the variable's value."""
        if problem := self.check(reference):
            raise Unavailable(reference, problem)
        found: Secret | Problem = Secret(self._environ[reference.key])
        if reference.path:
            tree = parse_json(Secret(self._environ[reference.key]))
            found = tree if isinstance(tree, Problem) else pick(tree, reference.path)
        if isinstance(found, Problem):
            raise Unavailable(reference, found)
        return found
