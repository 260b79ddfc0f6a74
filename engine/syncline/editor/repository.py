"""The repository as it stands in an editor: what is on disk, with the texts that are open and not saved over it.

It is judged by what `syncline validate` calls, and nothing else: `workflow.validate_again`, and `leaks.committed`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from syncline import workflow
from syncline.manifests.desired import Desired
from syncline.manifests.files import SAVED, Unsaved, is_named
from syncline.manifests.leaks import committed
from syncline.manifests.overlay import in_environments
from syncline.manifests.text import MAX_BYTES
from syncline.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from syncline.planner.known import Known
    from syncline.settings import Settings


@dataclass(frozen=True)
class Checked:
    """Findings by file ('' where one has no place), what each environment declares, and the texts that were unsaved."""

    findings: Mapping[str, tuple[Diagnostic, ...]] = field(default_factory=dict)
    desired: tuple[Desired, ...] = ()
    unsaved: Unsaved = field(default_factory=dict)

    def of(self, file: str) -> tuple[Diagnostic, ...]:
        """The findings about a file."""
        return self.findings.get(file, ())


class Repository:
    """
    One configuration repository, checked again and again. `check` is called by one thread at a time.

    `folder` is its root by the path that the editor has for it, which may lead through links.
    """

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        self.settings = settings
        self.root = settings.root
        self._folder = folder.absolute() if folder is not None else settings.root
        self._known: dict[str, Known] = {}
        self._leaked: tuple[Diagnostic, ...] | None = None

    def check(self, unsaved: Unsaved = SAVED, *, saved: bool = True) -> Checked:
        """
        Everything that `syncline validate` says, with some texts standing for those of files.

        Files that are no manifests are looked through for secrets again where something was `saved`. Raises what
        `workflow.validate_each` raises.
        """
        found = workflow.validate_again(self.settings, self._known, unsaved)
        files = sorted({name for validation in found.values() for name in validation.files})
        if saved or self._leaked is None:
            self._leaked = committed(self.root, files)
        findings = in_environments({name: validation.diagnostics for name, validation in found.items()})
        by_file: dict[str, list[Diagnostic]] = {}
        for finding in (*findings, *self._leaked):
            by_file.setdefault(finding.place.file if finding.place else "", []).append(finding)
        desired = tuple(validation.desired for validation in found.values())
        return Checked({file: tuple(about) for file, about in by_file.items()}, desired, dict(unsaved))

    def name_of(self, uri: str) -> str | None:
        """The name of a file of the repository, relative to its root; None of any other, and of none that is loaded."""
        path = path_of(uri)
        if path is None:
            return None
        try:
            # The folder is resolved and the file isn't: a link to a file is a manifest of its own.
            name = os.path.relpath(path.parent.resolve() / path.name, self.root).replace(os.sep, "/")
        except (OSError, RuntimeError):  # links in a circle
            return None
        return name if is_named(name) and not name.startswith("../") else None

    def uri_of(self, name: str) -> str:
        """Where a file is for the editor, or the folder itself for ''."""
        return (self._folder / name).as_uri()

    def text(self, name: str) -> str:
        """The text of a file on disk, as far as there is one; only to find positions in it."""
        path = self.root / name
        try:
            if not path.is_file() or not path.resolve().is_relative_to(self.root):
                return ""
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1).decode("utf-8-sig", "replace")
        except OSError:
            return ""


def path_of(uri: str) -> Path | None:
    """The path that a `file:` URI names; None of any other, and of what is no URI or no path."""
    try:
        parts = urlsplit(uri)
        path = url2pathname(parts.path)
        os.fsencode(path)
    except ValueError:
        return None
    return Path(path) if parts.scheme == "file" and path and "\0" not in path else None
