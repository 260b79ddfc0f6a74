"""How a Git server is logged in to: by a name and a password over HTTPS, or by a key over SSH, both named as secrets.

Secrets are read at each fetch, so that a new one counts without a restart. They are on no command line, which others on
the machine can read, and in no file of the mirror.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from syncline.daemon.git.command import SSH
from syncline.daemon.git.tls import GitTls
from syncline.model.errors import Invalid
from syncline.secrets.contract import Context, Reference
from syncline.secrets.provider import resolve

#: Whose name goes with a password when none is given: servers look at the token only.
USER: Final = "git"
_HIDDEN: Final = re.compile(r"(?<=://)[^/\s]*@")


def address(url: str) -> str:
    """The URL as git is given it: an https one without a user name, which goes with the password."""
    return shown(url) if url.startswith("https://") else url


def shown(url: str) -> str:
    """A URL, or a text with URLs, as people may see it."""
    return _HIDDEN.sub("", url)


class Access(Struct, frozen=True):
    """What logs in: `password` at https URLs, with `user`; `ssh_key` (a private key as OpenSSH writes it, without a
    passphrase) at SSH ones. `known_hosts` is a file of the keys that SSH servers must have, in place of the account's.
    `tls` is what is asked of https servers; `context` says where secrets are.
    """

    context: Context | None = None
    user: str = ""
    password: Reference | None = None
    ssh_key: Reference | None = None
    known_hosts: Path | None = None
    tls: GitTls = GitTls()

    def check(self, protocol: str) -> None:
        """`Invalid` (SYN742) where a secret is given that a server of this protocol isn't asked for."""
        wrong = ""
        if protocol != "https" and (self.password or self.user):
            wrong = "a user name and a password are for https URLs"
        elif protocol != "ssh" and (self.ssh_key or self.known_hosts):
            wrong = "an SSH key and known hosts are for SSH"
        if wrong:
            raise Invalid(
                f"{wrong}, and this source is reached by {protocol}",
                code="SYN742",
                help="Give the URL that the secret is for, or leave the secret out.",
            )

    @contextmanager
    def environment(self, url: str) -> Iterator[Mapping[str, str]]:
        """What git's environment needs to get in at this URL, while the block runs. Raises as `secrets.resolve`, and
        `Invalid` (SYN432) for authorities that can't be read.
        """
        if self.ssh_key is None and self.known_hosts is None:
            yield {**self.tls.environment(), **_configured({**self.tls.settings(), **self._login(url)})}
            return
        command = SSH
        if self.known_hosts is not None:
            command += " -o " + shlex.quote(f'UserKnownHostsFile="{self.known_hosts}"')
            command += " -o GlobalKnownHostsFile=/dev/null"
        if self.ssh_key is None:
            yield {"GIT_SSH_COMMAND": command}
            return
        with _private(self._secret(self.ssh_key)) as path:
            command += f" -o IdentitiesOnly=yes -o IdentityAgent=none -i {shlex.quote(path)}"
            yield {"GIT_SSH_COMMAND": command}

    def _login(self, url: str) -> Mapping[str, str]:
        """Git's setting that logs in with a name and a password, at one host only."""
        if self.password is None:
            return {}
        parts = urlsplit(url)
        user = self.user or unquote(parts.username or "") or USER
        header = base64.b64encode(f"{user}:{self._secret(self.password).strip()}".encode()).decode()
        host = parts.netloc.rpartition("@")[2]
        return {f"http.https://{host}/.extraHeader": f"Authorization: Basic {header}"}

    def _secret(self, reference: Reference) -> str:
        return resolve(reference, self.context or Context(Path(), {})).reveal()


def _configured(settings: Mapping[str, str]) -> dict[str, str]:
    """The variables by which Git is given settings."""
    found = {"GIT_CONFIG_COUNT": str(len(settings))} if settings else {}
    for number, (name, value) in enumerate(settings.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return found


@contextmanager
def _private(text: str) -> Iterator[str]:
    """The path of a file with this text, which only we may read: in memory where the system can, else until the end."""
    text = text.strip() + "\n"  # ssh takes no key without its last newline, which secrets are often kept without
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("key")  # closed in children; ssh opens it by its name
        try:
            os.fchmod(descriptor, 0o600)
            os.write(descriptor, text.encode())
            yield f"/proc/{os.getpid()}/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:  # mode 0600
        file.write(text)
        file.flush()
        yield file.name
