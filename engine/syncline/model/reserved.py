"""Folders that no manifest may reach, whatever its author may do: Git's, and Syncline's own (state, keys, audit log).

Only names and paths are compared here; whoever opens a path resolves it first, symbolic links included.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

#: Names that are reserved at any depth. Compared without case, as some file systems do.
RESERVED: Final = frozenset({".git", ".syncline"})

#: What to tell whoever named such a folder.
HELP: Final = "Keep data in a folder of its own, such as data/ or warehouse/."


def names_reserved(path: str) -> bool:
    """
    Whether a path as written has a reserved name in it.

    >>> names_reserved("./.syncline/keys"), names_reserved("warehouse/a.db")
    (True, False)
    """
    return any(part.casefold() in RESERVED for part in path.replace("\\", "/").split("/"))


def is_reserved(path: PurePath, root: PurePath, home: PurePath | None = None) -> bool:
    """
    Whether a resolved path lies in a reserved folder: one of that name, or Syncline's home where it is elsewhere.

    `root` is the repository's, resolved: the folders that the repository itself is in have no say.
    """
    inside = path.relative_to(root) if path.is_relative_to(root) else path
    return names_reserved(inside.as_posix()) or (home is not None and path.is_relative_to(home))
