"""Which folders of a root may have a flow's checkpoint: noted beside its fence, so that no other folder is in its way.

The note is durable before a folder gets the flow's checkpoint, and says no folder less until its checkpoint has gone
from there. So a list that can't be read stops the flows that it may say something of, and no others. A flow without a
note has never written here, or its note was lost with the hidden folder: then all lists that can be read are asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from syncline.connectors.file.listing import make_folder, usable, write_durably
from syncline.model.errors import Stalled

#: Where fences and notes are kept: a name with a dot, so that readers and globs pass over it.
HIDDEN = ".fences"


class Whereabouts:
    """The notes of a root."""

    def __init__(self, root: Path) -> None:
        self._folder = root / HIDDEN

    def of(self, flow: str) -> frozenset[str] | None:
        """Names of the folders that may have a flow's checkpoint; None where nothing is noted."""
        path = self._path(flow)
        try:
            return frozenset(msgspec.json.decode(path.read_bytes(), type=list[str]))
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        except OSError as error:
            raise Stalled(f"{path} can't be read: {error.strerror}", code="SYN452") from None

    def note(self, flow: str, folders: Iterable[str]) -> None:
        """Says that these may have it, and no others; durable when it returns."""
        named = frozenset(folders)
        if self.of(flow) == named:
            return
        with usable(self._folder):
            make_folder(self._folder)
        write_durably(self._path(flow), msgspec.json.encode(sorted(named)))

    def remove(self, flow: str) -> None:
        """Removes what is noted of a flow, whose checkpoint is nowhere any more."""
        with usable(self._folder), suppress(FileNotFoundError, NotADirectoryError):
            self._path(flow).unlink()

    def _path(self, flow: str) -> Path:
        return self._folder / f"{hashlib.sha256(flow.encode()).hexdigest()[:32]}.folders"
