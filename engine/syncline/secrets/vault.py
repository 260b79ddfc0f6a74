"""Secrets in the KV engine (version 2) of HashiCorp Vault or OpenBao. `key` is MOUNT/PATH, `path` the field.

A secret of one field needs no `path`. How to reach the server is in `vault_client.py`.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from syncline.model.secret import Secret
from syncline.secrets.contract import Context, Problem, Reference, Unavailable
from syncline.secrets.parts import parse_json, pick
from syncline.secrets.vault_client import Refused, VaultClient, unfit


class VaultProvider:
    """`{provider: vault, key: secret/acme/crm, path: token}`."""

    name: ClassVar[str] = "vault"

    def __init__(self, context: Context) -> None:
        self._context = context

    def check(self, reference: Reference) -> Problem | None:
        """Say what is wrong with the reference, or missing of the way to the server. It isn't asked."""
        mount, _, path = reference.key.partition("/")
        if not mount or not path or ".." in path.split("/"):
            return Problem("SYN804", "a key must be a mount and a path, such as secret/acme/crm")
        if problem := unfit(self._context.environ):
            return Problem("SYN822", problem, "Set VAULT_ADDR, and VAULT_TOKEN or VAULT_ROLE_ID.")
        return None

    def get(self, reference: Reference) -> Secret:
        """Return the field that `path` names, or the only one."""
        fields, _ = self._read(reference)
        if not fields:
            raise Unavailable(reference, Problem("SYN801", "there is no such secret"))
        tree = parse_json(Secret(json.dumps(fields)))
        path = reference.path or (next(iter(fields)) if len(fields) == 1 else "")
        found = tree if isinstance(tree, Problem) else pick(tree, path)
        if isinstance(found, Problem):
            raise Unavailable(reference, found)
        return found

    def put(self, reference: Reference, value: Secret) -> None:
        """Write a field, beside the others, unless somebody else writes at the same time."""
        fields, version = self._read(reference)
        fields[reference.path or (next(iter(fields)) if len(fields) == 1 else "value")] = value.reveal()
        self._write(reference, fields, version)

    def delete(self, reference: Reference) -> None:
        """Remove a field."""
        fields, version = self._read(reference)
        if fields.pop(reference.path or "value", None) is not None:
            self._write(reference, fields, version)

    def _read(self, reference: Reference) -> tuple[dict[str, Any], int]:
        """The fields, and which version they are of; none and 0 where there is nothing."""
        try:
            found = self._client().get(self._at(reference))
        except Refused as refused:
            if refused.status != 404:
                raise Unavailable(reference, Problem(refused.code, refused.message, refused.help)) from None
            return {}, 0
        return dict(found.get("data") or {}), int(found.get("metadata", {}).get("version", 0))

    def _write(self, reference: Reference, fields: dict[str, Any], version: int) -> None:
        try:
            self._client().post(self._at(reference), {"options": {"cas": version}, "data": fields})
        except Refused as refused:
            raise Unavailable(reference, Problem(refused.code, refused.message, refused.help)) from None

    def _at(self, reference: Reference) -> str:
        mount, _, path = reference.key.partition("/")
        return f"{mount}/data/{path}"

    def _client(self) -> VaultClient:
        environ = self._context.environ
        return self._context.sessions.of(VaultClient, lambda: VaultClient.of(environ))
