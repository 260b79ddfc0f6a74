"""Secrets that Vault or OpenBao make for us and take back: a database's login, say, from the engine `database`.

`key` is the path that is read, `path` the field: `database/creds/reader` has `username` and `password`. How they are
kept alive, and taken back, is in `vault_leases.py`.
"""

from __future__ import annotations

import json
from typing import ClassVar

from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Problem, Reference, Unavailable, Until
from syncline.secrets.parts import parse_json, pick
from syncline.secrets.vault_client import Refused, VaultClient, unfit
from syncline.secrets.vault_leases import VaultLeases


class VaultDynamicProvider:
    """`{provider: vault-dynamic, key: database/creds/reader, path: password}`."""

    name: ClassVar[str] = "vault-dynamic"

    def __init__(self, context: Context) -> None:
        self._context = context

    def check(self, reference: Reference) -> Problem | None:
        """Say what is wrong with the reference, or missing of the way to the server. It isn't asked."""
        mount, _, path = reference.key.partition("/")
        if not mount or not path or ".." in path.split("/"):
            return Problem("SYN804", "a key must be a mount and a path, such as database/creds/reader")
        if not reference.path:
            return Problem("SYN804", "it must say which field is meant, such as username or password")
        if problem := unfit(self._context.environ):
            return Problem("SYN822", problem, "Set VAULT_ADDR, and VAULT_TOKEN or VAULT_ROLE_ID.")
        return None

    def get(self, reference: Reference) -> Secret:
        """Return the field of what was made for this tenant; what was made is shared with who shares the sessions."""
        if problem := self.check(reference):
            raise Unavailable(reference, problem)
        try:
            fields = self._leases().fields(self._context.tenant, reference.key, reference.path)
        except Refused as refused:
            raise Unavailable(reference, Problem(refused.code, refused.message, refused.help)) from None
        if fields is None:
            raise Unavailable(
                reference,
                Problem("SYN822", "what is there isn't leased", "Of the KV engine, secrets are read by `vault`."),
            )
        tree = parse_json(Secret(json.dumps(fields)))
        found = tree if isinstance(tree, Problem) else pick(tree, reference.path)
        if isinstance(found, Problem):
            raise Unavailable(reference, found)
        return found

    def until(self, reference: Reference) -> Until | None:
        """Until when what these sessions were given holds."""
        return self._leases().until(self._context.tenant, reference.key)

    def _leases(self) -> VaultLeases:
        environ, sessions = self._context.environ, self._context.sessions
        client = sessions.of(VaultClient, lambda: VaultClient.of(environ))
        return sessions.of(VaultLeases, lambda: VaultLeases(client))
