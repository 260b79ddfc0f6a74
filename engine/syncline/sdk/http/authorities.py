"""Certificate authorities from a file: of the repository, or one that the environment names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from syncline.model.errors import Invalid


def read_authorities(root: Path, name: str, what: str) -> str:
    """
    The certificates in a file of the repository, as PEM; '' for no name. `Invalid` (SYN432) for one that can't be read.

    >>> read_authorities(Path("."), "", "http.tls.ca")
    ''
    """
    if not name:
        return ""
    try:
        if (path := inside(root, name)) is None:
            raise ValueError("outside")
        return _pem(path)
    except (OSError, ValueError) as error:
        raise Invalid(
            f"{what} can't be read: {name}",
            code="SYN432",
            help="Name a file inside the repository with certificates in PEM form.",
        ) from error


def _pem(path: Path) -> str:
    """A file's text, without letters that only its comments can have: bundles name authorities in their own words, and
    what is around certificates says nothing (RFC 7468, section 2).
    """
    return path.read_text(encoding="ascii", errors="ignore")


def inside(root: Path, name: str) -> Path | None:
    """
    The file below a folder that a name means; None of one outside, and of a name that means none: one with a NUL, or
    of a link that leads to itself.

    >>> inside(Path("."), "../ca.pem")
    """
    try:
        root = root.resolve()
        path = (root / name).resolve()
    except (OSError, ValueError, RuntimeError):
        return None
    # What is resolved is no link, but for one that leads to itself: of that, Python says so before 3.13 only.
    itself = os.path.islink(path)  # noqa: PTH114 - which raises nothing where that can't be found out
    return path if path.is_relative_to(root) and not itself else None


def named_authorities(environ: Mapping[str, str], variable: str) -> str:
    """
    The certificates in the file that a variable of the environment names, as PEM; '' where it isn't set. `Invalid`
    (SYN432) for one that can't be read.

    >>> named_authorities({}, "AWS_CA_BUNDLE")
    ''
    """
    name = environ.get(variable, "")
    try:
        return _pem(Path(name)) if name else ""
    except (OSError, ValueError) as error:
        raise Invalid(
            f"{variable} names {name}, which can't be read",
            code="SYN432",
            help="Name a file with certificates in PEM form.",
        ) from error
