"""Colours, or none. Who has no colours must lose nothing: every colour only repeats what a word or a sign says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO

from msgspec import Struct


class Paint(Struct, frozen=True):
    """Wraps text in ANSI styles when `on`, else returns it unchanged."""

    on: bool = False

    def _style(self, codes: str, text: str) -> str:
        return f"\x1b[{codes}m{text}\x1b[0m" if self.on and text else text

    def bold(self, text: str) -> str:
        """For what a sentence is about."""
        return self._style("1", text)

    def dim(self, text: str) -> str:
        """For what can be passed over."""
        return self._style("2", text)

    def red(self, text: str) -> str:
        """Errors, deletes, denials."""
        return self._style("1;31", text)

    def green(self, text: str) -> str:
        """Success and creation."""
        return self._style("32", text)

    def yellow(self, text: str) -> str:
        """Warnings and updates."""
        return self._style("33", text)

    def blue(self, text: str) -> str:
        """Frames and places."""
        return self._style("34", text)

    def magenta(self, text: str) -> str:
        """Replacements."""
        return self._style("35", text)

    def cyan(self, text: str) -> str:
        """Moves, and help."""
        return self._style("36", text)


def paint_for(stream: IO[str], environ: Mapping[str, str], *, allowed: bool = True) -> Paint:
    """Colours for a stream: on a terminal, unless `NO_COLOR` (any value), a dumb terminal or the caller says no.

    `FORCE_COLOR` asks for them where there is no terminal, as continuous integration does.
    """
    if not allowed or environ.get("NO_COLOR"):
        return Paint(on=False)
    if environ.get("FORCE_COLOR"):
        return Paint(on=True)
    return Paint(on=stream.isatty() and environ.get("TERM") != "dumb")


def columns(stream: IO[str], environ: Mapping[str, str], default: int = 120) -> int:
    """The width of a terminal in cells; `COLUMNS`, else a default, where there is none."""
    stated = environ.get("COLUMNS", "")
    if stated.isdigit() and int(stated) >= 20:
        return int(stated)
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else default
    except (OSError, ValueError):
        return default
