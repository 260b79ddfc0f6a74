"""`syncline auth`: logging in to APIs that want a person's consent, what is stored of that, and logging out."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import declared_integration, environment, integration_arguments, output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json

if TYPE_CHECKING:
    from syncline.authorization import Stored
    from syncline.sdk.auth.grant import Prompt


@click.group(short_help="Log in to APIs, and out.")
def auth() -> None:
    """Log in to the API of an integration whose AuthConfig has the grant authorization_code or device_code."""


@auth.command(short_help="Log in by a person's consent.")
@integration_arguments
@click.option("--no-browser", is_flag=True, help="Only show the address to open; don't open a browser.")
@click.option(
    "--timeout",
    type=click.IntRange(10, 3600),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the person.",
)
@output("text", "json")
@environment
@pass_app
def login(app: App, name: str, tenant: str, timeout: int, form: str, *, no_browser: bool) -> Exit:
    """Log in to the API of a declared integration: once, after which runs renew the tokens by themselves.

    With the grant authorization_code a browser opens at the vendor's page, and comes back to an address on this machine
    (with PKCE). With device_code a code is shown, to be typed at the vendor's page on any device. The tokens are stored
    in the state, sealed; nothing shows them.
    """
    from syncline import authorization

    settings = app.settings()
    validation, key = declared_integration(settings, name, tenant)

    def show(prompt: Prompt) -> None:
        app.note(f"Open {prompt.url}" + (f"\nand type the code {prompt.code}" if prompt.code else ""))
        if not no_browser and not prompt.code:
            _browse(prompt.url)

    found = authorization.login(settings, validation, key, seconds=timeout, show=show)
    if form == "json":
        data = {"object": str(key), "expires": _time(found.expires), "renewable": found.renewable, "scope": found.scope}
        app.say(to_json(data))
    else:
        ends = f"; the token holds until {_time(found.expires)}" if found.expires else ""
        renewed = ", and is renewed by itself" if found.renewable else ", and can't be renewed: log in again then"
        app.say(f"Logged in to {key}{ends}{renewed}.")
    return Exit.ok


@auth.command(short_help="List what is stored, without values.")
@output("text", "json")
@pass_app
def status(app: App, form: str) -> Exit:
    """List the tokens in the state: whose they are, until when they hold, whether they can be renewed. No values."""
    from syncline import authorization
    from syncline.cli.output.table import render_table

    found = authorization.stored(app.settings())
    if form == "json":
        app.say(to_json([_data(token) for token in found]))
    elif not found:
        app.say("No token is stored. `syncline auth login` gets one where a person must consent; runs get the others.")
    else:
        head = ["AUTHCONFIG", "HOLDS UNTIL (UTC)", "RENEWED BY ITSELF", "STORED (UTC)"]
        app.say(render_table(head, [list(map(str, _row(token))) for token in found], app.paint))
    return Exit.ok


@auth.command(short_help="Forget a token, and end it at the server.")
@integration_arguments
@click.option("--local", is_flag=True, help="Only forget it here; don't ask the server to end it.")
@environment
@pass_app
def logout(app: App, name: str, tenant: str, *, local: bool) -> Exit:
    """Forget the token of a declared integration, and end it at the server where its connector has a revocationUrl."""
    from syncline import authorization

    settings = app.settings()
    validation, key = declared_integration(settings, name, tenant)
    there, told = authorization.logout(settings, validation, key, local=local)
    if not there:
        app.say(f"Nobody is logged in to {key}.")
    else:
        app.say(f"Logged out of {key}" + ("." if told else "; the server was not told."))
    return Exit.ok


def _browse(url: str) -> None:
    """Opens a browser where there is one; the address is shown anyway."""
    import webbrowser

    webbrowser.open(url)


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""


def _row(token: Stored) -> tuple[str, str, str, str]:
    holds = _time(token.expires)[:19].replace("T", " ") or "unknown"
    if token.expires and token.expires <= time.time():
        holds += " (ended)"
    words = {True: "yes", False: "no", None: "unknown: its key is not here"}
    whose = f"{token.tenant}/AuthConfig/{token.auth}" if token.tenant else f"AuthConfig/{token.auth}"
    return whose, holds, words[token.renewable], token.changed[:19].replace("T", " ")


def _data(token: Stored) -> dict[str, Any]:
    return {
        "tenant": token.tenant,
        "auth": token.auth,
        "expires": _time(token.expires),
        "renewable": token.renewable,
        "changed": token.changed,
    }
