"""Icinga 2: a monitoring API over TLS, where a client's certificate is its login and its permissions."""

from __future__ import annotations

import os
import shutil
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers.install import debian, program
from tests.peers.pki import SERVER, Authority, Certificate
from tests.peers.process import free_port, running
from tests.peers.web import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("icinga2-bin", "icinga2-common")
HOSTS = 25

SETTINGS = f"""\
const NodeName = "{SERVER}"
const ZoneName = NodeName
include <itl>
object Endpoint NodeName {{ }}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object ApiListener "api" {{ bind_host = "127.0.0.1"; bind_port = PORT }}
object ApiUser "reader" {{ client_cn = "reader"; permissions = [ "objects/query/*", "status/query" ] }}
object ApiUser "root" {{ password = "icinga-canary-4711"; permissions = [ "*" ] }}
object CheckCommand "none" {{ command = [ "/bin/true" ] }}
for (n in range(1, {HOSTS + 1})) {{
  object Host "host-" + n use (n) {{ check_command = "none"; address = "10.0.0." + n; vars.site = (if (n % 2 == 0) {{ "north" }} else {{ "south" }}) }}
}}
"""


@dataclass(frozen=True)
class Icinga2:
    """A running Icinga 2 with 25 hosts; `reader`, known by its certificate, may query and do nothing else."""

    url: str
    ca: Path
    reader: Certificate
    stranger: Certificate
    trusting: ssl.SSLContext
    authority: Authority
    user: str = "root"
    password: str = "icinga-canary-4711"


def install() -> None:
    """Its Debian packages."""
    debian(*PACKAGES)


@contextmanager
def icinga2(folder: Path) -> Iterator[Icinga2]:
    """An Icinga 2 that checks nothing; `url` ends in `/v1`."""
    install()
    authority = Authority(folder / "pki")
    served = authority.issue(SERVER)
    certificates = folder / "data" / "certs"
    certificates.mkdir(parents=True)
    shutil.copy(authority.ca, certificates / "ca.crt")
    shutil.copy(served.certificate, certificates / f"{SERVER}.crt")
    shutil.copy(served.key, certificates / f"{SERVER}.key")
    port = free_port()
    (folder / "icinga2.conf").write_text(SETTINGS.replace("PORT", str(port)))
    command = [program("icinga2"), "daemon", "-c", folder / "icinga2.conf", *_places(folder)]
    url = f"https://127.0.0.1:{port}/v1"
    with running(command, folder, lambda: answers(url, tls=authority.context())):
        reader, stranger = authority.issue("reader"), authority.issue("stranger")
        yield Icinga2(url, authority.ca, reader, stranger, authority.context(reader), authority)


def _places(folder: Path) -> Iterator[str]:
    """Options that put everything into the folder, and leave the user as it is."""
    folders = {"DataDir": "data", "LogDir": "log", "CacheDir": "cache", "SpoolDir": "spool", "InitRunDir": "run"}
    files = {"PidPath": "run/icinga2.pid", "StatePath": "data/state", "ObjectsPath": "cache/objects"}
    files |= {"VarsPath": "cache/vars", "ModAttrPath": "data/modified"}
    for name, place in folders.items():
        (folder / place).mkdir(exist_ok=True)
        yield from ("-D", f"Configuration.{name}={folder / place}")
    for name, place in files.items():
        yield from ("-D", f"Configuration.{name}={folder / place}")
    for name, value in {"RunAsUser": _name(os.getuid(), "pwd"), "RunAsGroup": _name(os.getgid(), "grp")}.items():
        yield from ("-D", f"Configuration.{name}={value}")


def _name(number: int, of: str) -> str:
    import grp
    import pwd

    return pwd.getpwuid(number).pw_name if of == "pwd" else grp.getgrgid(number).gr_name
