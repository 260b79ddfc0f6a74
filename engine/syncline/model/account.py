"""Who really acts, as the system knows it: an account that no variable of the environment can change.

`SYNCLINE_ACTOR` is a claim, and so are `USER`, `LOGNAME` and `SUDO_USER`. The kernel's are the user ID of the
process, and, where the system notes logins (`pam_loginuid`), the one that logged in, which `sudo` and `su` leave alone.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Final

_LOGIN: Final = Path("/proc/self/loginuid")  # proc(5): 4294967295 where nobody logged in
_NOBODY: Final = 2**32 - 1


def account() -> str:
    """The account that this process runs as."""
    return _name(os.getuid())


def login() -> str:
    """The account that logged in, else the one that this process runs as."""
    try:
        found = int(_LOGIN.read_text())
    except (OSError, ValueError):
        return account()
    return account() if found == _NOBODY else _name(found)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"
