"""Who really acts, as the system knows it: an account that no variable of the environment can change.

`SYNCLINE_ACTOR` is a claim, and so are `USER`, `LOGNAME` and `SUDO_USER`. The kernel's are the user ID of the
process, and, where the system notes logins (`pam_loginuid`), the one that logged in, which `sudo` and `su` leave alone.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")
_NOBODY: Final = 2**32 - 1  # as loginuid: nobody logged in


def account() -> str:
    """The account that this process runs as."""
    return _name(os.getuid())


def login() -> str:
    """The account that logged in, else the one that this process runs as."""
    return login_of("self", os.getuid())


def login_of(process: int | str, uid: int) -> str:
    """The account that logged in for a process, else the one that it runs as, `uid`."""
    try:
        found = int((_PROCESSES / str(process) / "loginuid").read_text())  # proc(5)
    except (OSError, ValueError):
        return _name(uid)
    return _name(uid if found == _NOBODY else found)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"
