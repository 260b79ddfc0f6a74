"""`syncline connector`: trying what is declared against the real system, and comparing versions of connectors."""

from __future__ import annotations

import click

from syncline.cli.lazy import Entry, LazyGroup

_ENTRIES = (
    Entry("Commands", "check", "syncline.cli.commands.connector_check:check"),
    Entry("Commands", "discover", "syncline.cli.commands.connector_discover:discover"),
    Entry("Commands", "sample", "syncline.cli.commands.connector_sample:sample"),
    Entry("Commands", "diff", "syncline.cli.commands.connector_diff:diff"),
)


@click.group(cls=LazyGroup, entries=_ENTRIES, short_help="Check, discover and sample systems; compare versions.")
def connector() -> None:
    """Try a declared integration against its system before anything is applied, and compare versions of connectors."""
