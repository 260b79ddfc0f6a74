"""Where `syncline serve` listens: probes of orchestrators, and push webhooks of Git servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from syncline.daemon.loop import Daemon
    from syncline.model.secret import Secret
    from syncline.settings import Settings


@dataclass(frozen=True, slots=True)
class Listen:
    """Addresses as `HOST:PORT`, and the names of the webhook's secrets."""

    health: str | None
    hook: str | None
    secrets: tuple[str, ...]


def listens(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of where to listen, as `listen`."""

    @click.option("--health", metavar="HOST:PORT", help="Answer /healthz and /readyz there.")
    @click.option("--hook", metavar="HOST:PORT", help="Take push webhooks at /hook there, and look at once.")
    @click.option(
        "--hook-secret",
        multiple=True,
        metavar="PROVIDER:KEY",
        help="Secret of the webhook, such as env:HOOK_SECRET; twice while it is changed.",
    )
    @wraps(command)
    def collected(*args: Any, health: str | None, hook: str | None, hook_secret: tuple[str, ...], **others: Any) -> Any:
        if bool(hook) != bool(hook_secret):
            raise click.UsageError("--hook and --hook-secret go together.")
        return command(*args, listen=Listen(health, hook, hook_secret), **others)

    return collected


@contextmanager
def probes(listen: Listen, daemon: Daemon, tell: Callable[[str], None]) -> Iterator[None]:
    """Answers probes, if they are asked for, while the block runs."""
    if listen.health is None:
        yield
        return
    from syncline.daemon.health import serving
    from syncline.daemon.listening import address

    host, port = address(listen.health)
    status = daemon.status

    def answer(*, ok: bool) -> tuple[bool, dict[str, Any]]:
        return ok, status.to_json()

    with serving(
        host, port, {"/healthz": lambda: answer(ok=True), "/readyz": lambda: answer(ok=status.ready)}
    ) as bound:
        tell(f"probes at http://{host}:{bound}/healthz and /readyz")
        yield


@contextmanager
def webhook(listen: Listen, daemon: Daemon, settings: Settings, tell: Callable[[str], None]) -> Iterator[None]:
    """Takes push webhooks, if they are asked for, while the block runs."""
    if listen.hook is None:
        yield
        return
    from syncline.daemon.listening import address, listening
    from syncline.daemon.webhook import MAX_BODY, PATH, Webhook, strong
    from syncline.secrets.contract import Context, Reference
    from syncline.secrets.window import accepted

    references = [Reference.parse(name) for name in listen.secrets]
    context = Context(settings.root, settings.environ, home=settings.home)

    def secrets() -> list[Secret]:
        values = [(value, str(reference)) for reference in references for value in accepted(reference, context)]
        return [strong(value, name) for value, name in values]

    secrets()  # says at once what is wrong with them
    host, port = address(listen.hook)
    hook = Webhook(secrets, daemon.pushed)
    with listening((host, port), hook.answer, max_body=MAX_BODY) as bound:
        tell(f"push webhooks at http://{host}:{bound}{PATH}")
        yield
