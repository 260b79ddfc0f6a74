"""A group whose commands are imported when they are called, and which lists them by what they are for.

`syncline --help` imports every command module for its first line; they are small and import nothing heavy themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click
from msgspec import Struct


class Entry(Struct, frozen=True):
    """A command: its name, the section of the help it stands in, and where it is (`module:attribute`)."""

    section: str
    name: str
    target: str

    def load(self) -> click.Command:
        """The command itself."""
        module, _, attribute = self.target.partition(":")
        found = getattr(import_module(module), attribute)
        assert isinstance(found, click.Command)
        return found


class LazyGroup(click.Group):
    """A click group over `entries`. The exit code of a command is what it returns."""

    def __init__(self, *args: Any, entries: Sequence[Entry] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries = {entry.name: entry for entry in entries}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        del ctx
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name."""
        del ctx
        entry = self.entries.get(cmd_name)
        return entry.load() if entry else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds a command; an unknown one is a usage error that names the nearest."""
        if args and args[0] not in self.entries and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.entries, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; what it returns becomes the exit code."""
        result = super().invoke(ctx)
        if isinstance(result, int) and result:
            ctx.exit(int(result))
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands by section, in the order of the table."""
        del ctx
        width = max(map(len, self.entries), default=0)
        for section in dict.fromkeys(entry.section for entry in self.entries.values()):
            rows = []
            for entry in self.entries.values():
                if entry.section == section:
                    limit = formatter.width - width - 6
                    rows.append((entry.name.ljust(width), entry.load().get_short_help_str(limit)))
            with formatter.section(section):
                formatter.write_dl(rows)
