"""OpenSSH's sshd with its internal SFTP server, for one account with a key."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.install import debian, program
from tests.peers.process import free_port, listens, running

if TYPE_CHECKING:
    from collections.abc import Iterator

SSHD = """\
Port {port}
ListenAddress 127.0.0.1
{host_keys}
AuthorizedKeysFile {dir}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
ForceCommand internal-sftp
LogLevel ERROR
"""


@dataclass(frozen=True)
class SftpServer:
    """A running server: what is in `files` is below `url`. `keys` are the texts of private keys, by name."""

    folder: Path
    port: int
    account: str

    @property
    def files(self) -> Path:
        """The folder that it is asked for."""
        return self.folder / "files"

    @property
    def url(self) -> str:
        """The root of an integration."""
        return f"sftp://127.0.0.1:{self.port}{self.files}"

    def host_key(self, kind: str = "ed25519") -> str:
        """The line of one of its host keys."""
        return (self.folder / f"host_{kind}.pub").read_text().strip()

    def private_key(self, name: str = "user") -> str:
        """The text of a private key: of `user`, `rsa` or `sealed`, who are let in, or of a `stranger`."""
        return (self.folder / name).read_text()


@contextmanager
def sftp(folder: Path) -> Iterator[SftpServer]:
    """An SFTP server, as the user of the tests; its host keys and the keys that it lets in are made here."""
    debian("openssh-server", "openssh-client")
    (folder / "files").mkdir()
    keys = {"host_ed25519": "ed25519", "host_rsa": "rsa", "user": "ed25519", "rsa": "rsa", "sealed": "ed25519"}
    for name, kind in {**keys, "stranger": "ed25519"}.items():
        phrase = "open sesame" if name == "sealed" else ""
        command = [program("ssh-keygen"), "-q", "-t", kind, "-N", phrase, "-f", str(folder / name)]
        subprocess.run(command, check=True)
    let_in = [(folder / f"{name}.pub").read_text() for name in ("user", "rsa", "sealed")]
    (folder / "authorized_keys").write_text("".join(let_in))
    port = free_port()
    host_keys = "\n".join(f"HostKey {folder}/{name}" for name in ("host_ed25519", "host_rsa"))
    (folder / "sshd.conf").write_text(SSHD.format(port=port, dir=folder, host_keys=host_keys))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    account = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    with running([program("sshd"), "-D", "-e", "-f", folder / "sshd.conf"], folder, lambda: listens(port)):
        yield SftpServer(folder, port, account)
