"""The YAML files of a folder: which there are, and the text of each, bounded and inside the folder.

What is open in an editor, and not saved yet, stands for what is in the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from syncline.manifests.text import MAX_BYTES, Text, checked, decode
from syncline.model.diagnostic import Diagnostic, Place, Severity

ENDINGS: Final = (".yaml", ".yml")

#: Texts that stand for those of files, by the files' names relative to the folder; a file needn't be there.
Unsaved: TypeAlias = Mapping[str, str]
SAVED: Final[Unsaved] = {}


class File(Struct, frozen=True):
    """A file's text. It is `ours` when it mentions the language, else it may be another program's."""

    text: Text
    ours: bool


def names(root: Path, ignore: frozenset[str] = frozenset(), unsaved: Unsaved = SAVED) -> list[str]:
    """Every `*.yaml` and `*.yml` under a folder, relative to it, sorted; without what begins with a dot."""
    found: list[str] = []
    for folder, folders, files in os.walk(root):
        at = os.path.relpath(folder, root)
        prefix = "" if at == "." else at.replace(os.sep, "/") + "/"
        folders[:] = sorted(f for f in folders if not f.startswith(".") and prefix + f not in ignore)
        found += [
            prefix + f for f in files if f.endswith(ENDINGS) and not f.startswith(".") and prefix + f not in ignore
        ]
    return sorted({*found, *(name for name in unsaved if is_named(name, ignore))} if unsaved else found)


def is_named(name: str, ignore: frozenset[str] = frozenset()) -> bool:
    """Whether a file of that name, relative to the folder, is one of those that are loaded."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") for part in path.parts)
    ignored = any(str(part) in ignore for part in (path, *path.parents))
    return name.endswith(ENDINGS) and not hidden and not ignored and not path.is_absolute()


def read(root: Path, name: str, unsaved: Unsaved = SAVED) -> File | Diagnostic:
    """A file's text, or why it can't be read: an error only if the file is ours."""
    path = root / name
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
            return _unreadable(name, "the link leads out of the folder that is loaded", "Copy the file into it.")
        if name in unsaved:
            return _file(unsaved[name].encode("utf-8", "surrogatepass"), name)
        if not path.is_file():
            return _unreadable(name, "it is not a regular file", "Remove it, or give it another ending.")
        with path.open("rb") as file:
            return _file(file.read(MAX_BYTES + 1), name)
    except OSError as error:
        return _unreadable(name, f"it can't be read: {error.strerror}", "Check the link and the permissions.")


def _file(data: bytes, name: str) -> File | Diagnostic:
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
