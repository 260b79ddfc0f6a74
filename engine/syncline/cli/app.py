"""What every command gets: where the repository is, the environment, and how to speak. Made once, in `main.py`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from syncline.cli.output.paint import Paint, columns, paint_for

if TYPE_CHECKING:
    from syncline.settings import Settings


class App(Struct, frozen=True):
    """
    The command line's context. `root` is the configuration repository as given; `color` False forbids colours.

    `environment` is what `--environment` names; '' without that option.
    """

    root: Path
    environ: Mapping[str, str]
    color: bool = True
    environment: str = ""

    def settings(self, root: Path | None = None) -> Settings:
        """The settings of the repository (or of another); `Invalid` when its folder doesn't exist."""
        from syncline.settings import read_settings

        return read_settings(root or self.root, self.environ, self.environment)

    @property
    def paint(self) -> Paint:
        """Colours for standard output."""
        return paint_for(sys.stdout, self.environ, allowed=self.color)

    @property
    def paint_errors(self) -> Paint:
        """Colours for standard error."""
        return paint_for(sys.stderr, self.environ, allowed=self.color)

    @property
    def columns(self) -> int:
        """Width of standard output in cells."""
        return columns(sys.stdout, self.environ)

    def say(self, text: str) -> None:
        """Writes results to standard output, as they are."""
        click.echo(text, color=self.paint.on, nl=not text.endswith("\n"))

    def note(self, text: str) -> None:
        """Writes what goes on to standard error, so that it never mixes with results."""
        click.echo(text, err=True, color=self.paint_errors.on, nl=not text.endswith("\n"))


pass_app = click.make_pass_decorator(App)
