"""`syncline policy`: trying rules by their own tests, and asking why a flow may or may not be."""

from __future__ import annotations

import click

from syncline.cli.lazy import Entry, LazyGroup

_ENTRIES = (
    Entry("Commands", "test", "syncline.cli.commands.policy_test:test"),
    Entry("Commands", "explain", "syncline.cli.commands.policy_explain:explain"),
)


@click.group(cls=LazyGroup, entries=_ENTRIES, short_help="Try rules, and see which bear on a flow and why.")
def policy() -> None:
    """Try the rules of policies and packs by their own tests, and see which rules bear on a flow, and why."""
