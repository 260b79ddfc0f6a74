"""`syncline tenant`: the life of a tenant, from its first manifest to the proof that nothing of it is left."""

from __future__ import annotations

import click

from syncline.cli.lazy import Entry, LazyGroup

_ENTRIES = (
    Entry("Commands", "scaffold", "syncline.cli.commands.tenant_onboard:scaffold"),
    Entry("Commands", "onboard", "syncline.cli.commands.tenant_onboard:onboard"),
    Entry("Commands", "certify", "syncline.cli.commands.tenant_onboard:certify"),
    Entry("Commands", "offboard", "syncline.cli.commands.tenant_offboard:offboard"),
    Entry("Commands", "statistics", "syncline.cli.commands.tenant_statistics:statistics"),
)


@click.group(cls=LazyGroup, entries=_ENTRIES, short_help="Onboard, certify and offboard tenants.")
def tenant() -> None:
    """Take a tenant through its life: what it still lacks, a certificate that its flows could run, and its end.

    Git stays the only way to declare one: nothing here changes what is declared.
    """
