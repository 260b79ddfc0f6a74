"""The YAML files of a folder: which there are, and the text of each, bounded and inside the folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from syncline.manifests.text import MAX_BYTES, Text, checked, decode
from syncline.model.diagnostic import Diagnostic, Place, Severity

ENDINGS: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class File:
    """A file's text. It is `ours` when it mentions the language, else it may be another program's."""

    text: Text
    ours: bool


def names(root: Path, ignore: frozenset[str] = frozenset()) -> list[str]:
    """Every `*.yaml` and `*.yml` under a folder, relative to it, sorted; without what begins with a dot."""
    found: list[str] = []
    for folder, folders, files in os.walk(root):
        at = os.path.relpath(folder, root)
        prefix = "" if at == "." else at.replace(os.sep, "/") + "/"
        folders[:] = sorted(f for f in folders if not f.startswith(".") and prefix + f not in ignore)
        found += [
            prefix + f for f in files if f.endswith(ENDINGS) and not f.startswith(".") and prefix + f not in ignore
        ]
    return sorted(found)


def read(root: Path, name: str) -> File | Diagnostic:
    """A file's text, or why it can't be read: an error only if the file is ours."""
    path = root / name
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
            return _unreadable(name, "the link leads out of the folder that is loaded", "Copy the file into it.")
        if not path.is_file():
            return _unreadable(name, "it is not a regular file", "Remove it, or give it another ending.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        return _unreadable(name, f"it can't be read: {error.strerror}", "Check the link and the permissions.")
    text = decode(data, name)
    if isinstance(text, Text):
        text = checked(text)
    if isinstance(text, Text):
        return File(text, b"syncline/" in data)
    return text if b"syncline/" in data.replace(b"\0", b"") else softened(text)


def _unreadable(name: str, why: str, help_: str) -> Diagnostic:
    return Diagnostic("SYN114", why, Place(name), help=help_)


def softened(found: Diagnostic) -> Diagnostic:
    """The finding about a file that doesn't mention us, and may belong to another program: said, but no error."""
    if not found.code.startswith("SYN1"):
        return found
    return replace(found, severity=Severity.warning, help=(found.help + " It was not loaded.").strip())
