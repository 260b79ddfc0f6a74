"""`syncline tenant scaffold`, `onboard` and `certify`: from a first manifest to a signed certificate."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec import to_builtins

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, out, output, write_file
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json


@click.command(short_help="Write a manifest to begin with.")
@click.argument("name", metavar="TENANT")
@click.option("--owner", required=True, metavar="TEXT", help="Who answers for the tenant.")
@click.option("--title", default="", metavar="TEXT", help="Its name for people.")
@click.option(
    "--region",
    "regions",
    multiple=True,
    default=("eu-*",),
    show_default=True,
    metavar="GLOB",
    help="A region that it may be in.",
)
@click.option("--policy", "policies", multiple=True, metavar="POLICY", help="A policy that binds it, such as gdpr.")
@out("Write to a new file, instead of standard output.")
@pass_app
def scaffold(
    app: App, name: str, owner: str, title: str, regions: tuple[str, ...], policies: tuple[str, ...], out: Path | None
) -> Exit:
    """Write the manifest of a new TENANT, with all that onboarding asks for, suspended until you remove that.

    It is a file to commit: nothing is declared by this command.
    """
    from syncline.tenancy.scaffold import scaffold as written

    text = written(name, owner, title, regions, policies)
    if out is None:
        app.say(text)
        return Exit.ok
    if out.exists():
        raise click.BadParameter(f"{out} is there already", param_hint="--out")
    write_file(out, text)
    app.note(f"Written to {out}. Commit it with the tenant's integrations, mappings and flows.")
    return Exit.ok


@click.command(short_help="Show what a tenant still lacks.")
@click.argument("name", metavar="TENANT")
@click.option("--offline", is_flag=True, help="Don't ask the tenant's systems whether they answer.")
@output("text", "json")
@environment
@pass_app
def onboard(app: App, name: str, form: str, *, offline: bool) -> Exit:
    """Go through what TENANT needs, as it is declared here: each line is done, missing, or advice, with what to do.

    Looks at the manifests, policy, keys, secrets, the systems themselves and the audit log, and changes nothing. Exit
    code 1 while something is missing.
    """
    from syncline import workflow
    from syncline.cli.output.looked import render_finding
    from syncline.tenancy.checklist import checklist

    settings = app.settings()
    findings = []
    for finding in checklist(settings, workflow.validate(settings), name, connect=not offline):
        findings.append(finding)
        if form == "text":
            app.say(render_finding(finding, app.paint))
    if form == "json":
        app.say(to_json([to_builtins(finding) for finding in findings]))
    missing = sum(finding.ok is False for finding in findings)
    if missing and form == "text":
        app.note(f"\n{missing} missing.")
    return Exit.failed if missing else Exit.ok


@click.command(short_help="Rehearse everything of a tenant, and sign what came of it.")
@click.argument("name", metavar="TENANT")
@output("text", "sigstore", help="Lines for people, or the certificate itself: a Sigstore bundle.")
@out("Write the certificate to a file (by convention *.sigstore.json).")
@environment
@pass_app
def certify(app: App, name: str, form: str, out: Path | None) -> Exit:
    """Rehearse every flow of TENANT against its real systems without writing, and sign what came of it.

    Goes through the checklist first. The log notes the certificate, which is for exactly what is declared now. Others
    check it with `verify.py` of an evidence bundle and the key that `syncline audit key` prints. Exit code 1 where it
    is refused.
    """
    from syncline.cli.output.looked import render_finding
    from syncline.cli.output.tenants import render_certified, render_tried
    from syncline.tenancy.certification import certify as tried

    done = tried(app.settings(), name, lambda one: app.note(render_tried(one, app.paint_errors)))
    if form == "sigstore":
        app.say(done.bundle.decode())
    else:
        for finding in done.findings:
            if finding.ok is False:
                app.say(render_finding(finding, app.paint))
        app.say(render_certified(done, app.paint))
    if out is not None:
        write_file(out, done.bundle)
        app.note(f"Certificate written to {out}.")
    return Exit.ok if done.ok else Exit.failed
