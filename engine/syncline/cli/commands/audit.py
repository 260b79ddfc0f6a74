"""`syncline audit`: the evidence. Show it, verify it, prove parts of it, have it cosigned, take it to an auditor."""

from __future__ import annotations

import click

from syncline.cli.lazy import Entry, LazyGroup

_ENTRIES = (
    Entry("Commands", "show", "syncline.cli.commands.audit_read:show"),
    Entry("Commands", "verify", "syncline.cli.commands.audit_read:verify"),
    Entry("Commands", "prove", "syncline.cli.commands.audit_prove:prove"),
    Entry("Commands", "prove-record", "syncline.cli.commands.audit_prove:prove_record"),
    Entry("Commands", "consistency", "syncline.cli.commands.audit_prove:consistency"),
    Entry("Commands", "attest", "syncline.cli.commands.audit_attest:attest"),
    Entry("Commands", "key", "syncline.cli.commands.audit_attest:key"),
    Entry("Commands", "export", "syncline.cli.commands.audit_export:export"),
    Entry("Commands", "cosign", "syncline.cli.commands.audit_cosign:cosign"),
    Entry("Commands", "rotate", "syncline.cli.commands.audit_rotate:rotate"),
    Entry("Commands", "resume", "syncline.cli.commands.audit_cosign:resume"),
)


@click.group(cls=LazyGroup, entries=_ENTRIES, short_help="Show, verify, prove and export the audit log.")
def audit() -> None:
    """The audit log: what was planned, applied and run, by whom, signed, and verifiable without Syncline."""
