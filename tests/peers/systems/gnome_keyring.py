"""GNOME's keyring, the Secret Service of Linux desktops, in a session bus of its own and without a screen."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.peers.install import debian, program

PACKAGES = ("gnome-keyring", "dbus", "dbus-daemon")
#: `unlock` reads the password of the login keyring, which it makes where there is none; without it the keyring stays locked.
UNLOCKED = 'gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$@"'
LOCKED = 'gnome-keyring-daemon --start --components=secrets >/dev/null && exec "$@"'
SECONDS = 60


@dataclass(frozen=True)
class GnomeKeyring:
    """A person's home folder, whose keyring is on disk; each `run` is a session of its own."""

    home: Path

    def run(self, code: str, *, password: str | None, bus: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs Python in a session whose keyring is unlocked by a password, or locked (None); without `bus`, in none."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("DBUS_", "XDG_", "DISPLAY"))}
        environ |= {"HOME": str(self.home), "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring"}
        start = ["dbus-run-session", "--", "sh", "-c", UNLOCKED if password is not None else LOCKED, "sh"]
        command = [*(start if bus else []), sys.executable, "-c", code]
        return subprocess.run(
            command, env=environ, input=password or "", capture_output=True, text=True, timeout=SECONDS, check=False
        )

    def files(self) -> bytes:
        """All that is on disk."""
        return b"".join(path.read_bytes() for path in self.home.rglob("*") if path.is_file())


def install() -> None:
    """The daemon, and the bus that it is asked on."""
    debian(*PACKAGES)
    for name in ("gnome-keyring-daemon", "dbus-run-session"):
        program(name)


def gnome_keyring(home: Path) -> GnomeKeyring:
    """A person who has no keyring yet."""
    install()
    return GnomeKeyring(home)
