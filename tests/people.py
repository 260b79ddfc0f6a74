"""People with SSH keys, and files of who may do what, for tests: made by the real ssh-keygen."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Person:
    """An e-mail address, and the file of a private key."""

    email: str
    key: Path

    @property
    def allowed(self) -> str:
        """The line of a file of allowed signers."""
        kind, public, *_ = self.key.with_suffix(".pub").read_text().split()
        return f"{self.email} {kind} {public}\n"


def person(folder: Path, name: str) -> Person:
    """Somebody with a new key in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True, capture_output=True
    )
    return Person(f"{name}@example.com", key)


def allowing(path: Path, *people: Person) -> Path:
    """A file of allowed signers."""
    path.write_text("".join(one.allowed for one in people))
    return path
