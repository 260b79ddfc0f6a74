"""Where `syncline serve` listens: probes of orchestrators, and push webhooks of Git servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from syncline.model.pulse import SILENCE

if TYPE_CHECKING:
    from syncline.daemon.http.tls import ServerTls
    from syncline.daemon.loop import Daemon
    from syncline.model.secret import Secret
    from syncline.settings import Settings


#: A certificate's file, and its key's.
Files = tuple[Path, Path]


class Listen(Struct, frozen=True):
    """
    Addresses as `HOST:PORT`, the names of the webhook's secrets, and the files of the certificate and key of HTTPS.
    `silence` is in seconds.
    """

    health: str | None
    silence: float
    hook: str | None
    secrets: tuple[str, ...]
    tls: Files | None = None


def secured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of the certificate that is shown where the command listens, as `tls`; None without."""
    file = click.Path(dir_okay=False, path_type=Path)

    @click.option(
        "--tls-cert",
        type=file,
        metavar="FILE",
        help="Listen by HTTPS alone, with this certificate and its chain (PEM).",
    )
    @click.option(
        "--tls-key", type=file, metavar="FILE", help="Its key (PEM). Both are read again once the files change."
    )
    @wraps(command)
    def collected(*args: Any, tls_cert: Path | None, tls_key: Path | None, **others: Any) -> Any:
        if (tls_cert is None) != (tls_key is None):
            raise click.UsageError("--tls-cert and --tls-key go together.")
        return command(*args, tls=(tls_cert, tls_key) if tls_cert else None, **others)

    return collected


def server_tls(files: Files | None, tell: Callable[[str], None]) -> ServerTls | None:
    """What is shown to who connects; None for connections in the clear. `Invalid` (SYN697) where it can't be."""
    if files is None:
        return None
    from syncline.daemon.http.tls import ServerTls

    return ServerTls(files[0].absolute(), files[1].absolute(), tell)


def scheme(tls: ServerTls | None) -> str:
    """What URLs of it begin with."""
    return "http" if tls is None else "https"


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
    @secured
    @wraps(command)
    def collected(
        *args: Any,
        health: str | None,
        silence: float,
        hook: str | None,
        hook_secret: tuple[str, ...],
        tls: Files | None,
        **others: Any,
    ) -> Any:
        if hook_secret and not hook:
            raise click.UsageError("--hook-secret goes with --hook.")
        if tls and not (hook or health):
            raise click.UsageError("--tls-cert goes with --hook or --health.")
        return command(*args, listen=Listen(health, silence, hook, hook_secret, tls), **others)

    return collected


@contextmanager
def probes(listen: Listen, daemon: Daemon, tls: ServerTls | None, tell: Callable[[str], None]) -> Iterator[None]:
    """Answers probes, if they are asked for, while the block runs."""
    if listen.health is None:
        yield
        return
    from syncline.daemon.http.health import serving
    from syncline.daemon.http.listening import address
    from syncline.daemon.http.metrics import Metrics

    host, port = address(listen.health)
    status = daemon.status

    def alive() -> tuple[bool, dict[str, Any]]:
        stuck, pulses = daemon.pulses.problem(listen.silence), daemon.pulses
        more = {"working": pulses.working(), "silent": pulses.silent(listen.silence), "stuck": stuck}
        return not stuck, status.to_json() | {name: value for name, value in more.items() if value}

    def ready() -> tuple[bool, dict[str, Any]]:
        return status.ready, status.to_json()

    metrics = Metrics(lambda: daemon.engine, status, daemon.pulses.ages, tls.ends if tls is not None else None)
    with serving(host, port, {"/healthz": alive, "/readyz": ready}, metrics.text, tls) as bound:
        tell(f"probes at {scheme(tls)}://{host}:{bound}/healthz and /readyz, metrics at /metrics")
        yield


@contextmanager
def webhook(
    listen: Listen, daemon: Daemon, settings: Settings, tls: ServerTls | None, tell: Callable[[str], None]
) -> Iterator[None]:
    """Takes webhooks, if they are asked for, while the block runs."""
    if listen.hook is None:
        yield
        return
    from syncline.daemon.http.deliveries import Deliveries
    from syncline.daemon.http.listening import Asked, Reply, address, listening
    from syncline.daemon.http.push import MAX_BODY, PATH, Webhook, strong
    from syncline.daemon.http.refusals import Refusals
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

    with refusals.telling(), listening((host, port), answer, max_body=MAX_BODY, name="webhooks", tls=tls) as bound:
        pushes = f"push webhooks at {scheme(tls)}://{host}:{bound}{PATH}, those" if references else "webhooks"
        tell(f"{pushes} of schedules at {scheme(tls)}://{host}:{bound}{PATH}/TENANT/SCHEDULE")
        yield
