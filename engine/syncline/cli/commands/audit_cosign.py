"""`syncline audit cosign` and `resume`: what others have seen of the log, and going on where a part of it is lost."""

from __future__ import annotations

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.audit_log import open_log
from syncline.cli.exit import Exit
from syncline.model.errors import Invalid


@click.command(short_help="Have witnesses cosign the log.")
@pass_app
def cosign(app: App) -> Exit:
    """Ask the witnesses of the policy (witnesses.policy) to cosign the log as it is now. A daemon does so by itself.

    What they sign is kept beside the log. Exit code 5 where fewer could be reached than the policy demands, and 1 where
    one has seen another log than this.
    """
    from syncline.cli.output.audit_text import render_cosigned
    from syncline.executor.services import witnessing

    settings = app.settings()
    policy = witnessing.read_policy(settings)
    if policy is None:
        raise Invalid(
            f"no witnesses are declared: there is no {settings.witnesses}",
            code="SYN906",
            help="`syncline witness key` prints the line of a witness; https://c2sp.org/tlog-policy has the format.",
        )
    _, key = open_log(settings, None)
    found = witnessing.cosign(settings, key, policy)
    app.say(render_cosigned(found, policy, app.paint))
    witnessing.demand(found, policy)
    return Exit.ok


@click.command(short_help="Go on with a log that lost entries.")
@click.option("--reason", required=True, metavar="TEXT", help="Why entries are missing; the log says it.")
@pass_app
def resume(app: App, reason: str) -> Exit:
    """Go on with an audit log that is older than the state, where the newer one is lost for good.

    The log says what is missing and why. Witnesses that saw more of it go on refusing it: that can't be undone.
    """
    from syncline import workflow

    head = workflow.resume_audit(app.settings(), reason)
    app.say(f"{app.paint.green('Resumed')} at {head.size:,} entries; the last one says what is missing.")
    return Exit.ok
