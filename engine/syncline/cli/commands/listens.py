"""Where `syncline serve` listens: probes of orchestrators, and push webhooks of Git servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from syncline.model.pulse import SILENCE

if TYPE_CHECKING:
    from syncline.daemon.loop import Daemon
    from syncline.model.secret import Secret
    from syncline.settings import Settings


class Listen(Struct, frozen=True):
    """Addresses as `HOST:PORT`, and the names of the webhook's secrets. `silence` is in seconds."""

    health: str | None
    silence: float
    hook: str | None
    secrets: tuple[str, ...]


def listens(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of where to listen, as `listen`."""

    @click.option("--health", metavar="HOST:PORT", help="Answer /healthz, /readyz and /metrics there.")
    @click.option(
        "--silence",
        type=click.FloatRange(10),
        default=SILENCE,
        show_default=True,
        metavar="SECONDS",
        help="Without a turn of one of its loops, /healthz says 503; a long step is none.",
    )
    @click.option(
        "--hook",
        metavar="HOST:PORT",
        help="Take webhooks there: of pushes at /hook, to look at once, and of schedules at /hook/TENANT/SCHEDULE.",
    )
    @click.option(
        "--hook-secret",
        multiple=True,
        metavar="PROVIDER:KEY",
        help="Secret of pushes, such as env:HOOK_SECRET; twice while it is changed.",
    )
    @wraps(command)
    def collected(
        *args: Any, health: str | None, silence: float, hook: str | None, hook_secret: tuple[str, ...], **others: Any
    ) -> Any:
        if hook_secret and not hook:
            raise click.UsageError("--hook-secret goes with --hook.")
        return command(*args, listen=Listen(health, silence, hook, hook_secret), **others)

    return collected


@contextmanager
def probes(listen: Listen, daemon: Daemon, tell: Callable[[str], None]) -> Iterator[None]:
    """Answers probes, if they are asked for, while the block runs."""
    if listen.health is None:
        yield
        return
    from syncline.daemon.health import serving
    from syncline.daemon.listening import address
    from syncline.daemon.metrics import Metrics

    host, port = address(listen.health)
    status = daemon.status

    def alive() -> tuple[bool, dict[str, Any]]:
        stuck, pulses = daemon.pulses.problem(listen.silence), daemon.pulses
        more = {"working": pulses.working(), "silent": pulses.silent(listen.silence), "stuck": stuck}
        return not stuck, status.to_json() | {name: value for name, value in more.items() if value}

    def ready() -> tuple[bool, dict[str, Any]]:
        return status.ready, status.to_json()

    metrics = Metrics(lambda: daemon.engine, status, daemon.pulses.ages)
    with serving(host, port, {"/healthz": alive, "/readyz": ready}, metrics.text) as bound:
        tell(f"probes at http://{host}:{bound}/healthz and /readyz, metrics at /metrics")
        yield


@contextmanager
def webhook(listen: Listen, daemon: Daemon, settings: Settings, tell: Callable[[str], None]) -> Iterator[None]:
    """Takes webhooks, if they are asked for, while the block runs."""
    if listen.hook is None:
        yield
        return
    from syncline.daemon.deliveries import Deliveries
    from syncline.daemon.listening import Asked, Reply, address, listening
    from syncline.daemon.refusals import Refusals
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
    refusals = Refusals(lambda: engine.facilities.recorder if (engine := daemon.engine) is not None else None)
    daemon.before_leaving(refusals.tell_all)
    hook = Webhook(secrets, daemon.pushed, lambda: refusals.note("push"))
    deliveries = Deliveries(lambda: daemon.engine, daemon.wake, refusals, tell)

    def answer(asked: Asked) -> Reply:
        return (deliveries if asked.path.startswith(f"{PATH}/") else hook).answer(asked)

    with refusals.telling(), listening((host, port), answer, max_body=MAX_BODY, name="webhooks") as bound:
        pushes = f"push webhooks at http://{host}:{bound}{PATH}, those" if references else "webhooks"
        tell(f"{pushes} of schedules at http://{host}:{bound}{PATH}/TENANT/SCHEDULE")
        yield
