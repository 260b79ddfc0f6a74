"""Options that several commands share, so that they read alike everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec.structs import replace

from syncline.cli.app import App

if TYPE_CHECKING:
    from syncline.model.diagnostic import Diagnostic
    from syncline.model.key import ObjectKey
    from syncline.settings import Settings
    from syncline.state.store import StateReader
    from syncline.workflow import Validation

_F = TypeVar("_F", bound=Callable[..., Any])


def output(*forms: str, help: str = "How to write the result.") -> Callable[[_F], _F]:  # noqa: A002 - click's word
    """`-o FORMAT`; the first form is the default. The value is passed as `form`."""
    return click.option(
        "-o", "--output", "form", type=click.Choice(forms), default=forms[0], show_default=True, help=help
    )


def out(help: str) -> Callable[[_F], _F]:  # noqa: A002 - click's word
    """`--out FILE`, passed as `out`."""
    return click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help=help)


def snapshot(command: _F) -> _F:
    """`--snapshot`, `--snapshot-key` and `--snapshot-max-age`; `snapshot_state` makes a state of them."""
    options = (
        click.option(
            "--snapshot",
            envvar="SYNCLINE_SNAPSHOT",
            show_envvar=True,
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Plan against this snapshot of the state, without the state.",
        ),
        click.option(
            "--snapshot-key",
            envvar="SYNCLINE_SNAPSHOT_KEY",
            show_envvar=True,
            default="",
            metavar="KEY",
            help="The key that signed the snapshot, as `syncline snapshot key` prints it.",
        ),
        click.option(
            "--snapshot-max-age",
            type=click.FloatRange(min=0, min_open=True),
            default=24.0,
            show_default=True,
            metavar="HOURS",
            help="Warn of a snapshot that is older.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def snapshot_state(path: Path | None, key: str, hours: float) -> tuple[StateReader | None, tuple[Diagnostic, ...]]:
    """The state that a snapshot stands for, verified, with a warning where it is old; None without one."""
    if path is None:
        return None, ()
    import datetime as dt

    from syncline.reconciler.signed import age, read_snapshot
    from syncline.reconciler.snapshot import SnapshotState

    snapshot = read_snapshot(path, key)
    old = age(snapshot, dt.datetime.now(dt.UTC), hours)
    return SnapshotState(snapshot), (old,) if old else ()


def environment(command: _F) -> _F:
    """`--environment NAME`, which the settings have."""

    def chosen(ctx: click.Context, parameter: click.Parameter, name: str) -> None:
        del parameter
        if name:
            ctx.obj = replace(ctx.ensure_object(App), environment=name)

    option = click.option(
        "--environment",
        default="",
        metavar="NAME",
        expose_value=False,
        callback=chosen,
        help="The environment, of a repository that declares some (SYNCLINE_ENVIRONMENT).",
    )
    return option(command)


def as_source(command: _F) -> _F:
    """`--as SOURCE`, passed as `source`; '' for main."""

    def named(ctx: click.Context, parameter: click.Parameter, name: str) -> str:
        del ctx, parameter
        return "" if name == "main" else name

    option = click.option(
        "--as",
        "source",
        default="",
        metavar="SOURCE",
        callback=named,
        help="The Source that this tree is of, where a daemon follows several; main by default.",
    )
    return option(command)


def integration_arguments(command: _F) -> _F:
    """The argument INTEGRATION, passed as `name`, and `--tenant`."""
    argument = click.argument("name", metavar="INTEGRATION")
    option = click.option("--tenant", default="", metavar="TENANT", help="Look for the name in this tenant only.")
    return argument(option(command))


def declared_integration(settings: Settings, name: str, tenant: str) -> tuple[Validation, ObjectKey]:
    """What is declared, with its findings, and the integration in it that a name means; `Invalid` for none."""
    from syncline import workflow
    from syncline.cli.names import find_object
    from syncline.cli.seen import keys_of
    from syncline.model.errors import Invalid

    validation = workflow.validate(settings, mapping_tests=False)
    try:
        key = find_object(
            name, keys_of(settings, validation.desired), kinds=("Integration",), tenant=tenant, declared=True
        )
    except Invalid as error:
        # One that can't be read isn't declared either: the findings say why.
        error.diagnostics = tuple(d for d in validation.diagnostics if d.severity == "error")
        raise
    return validation, key


def write_file(path: Path, data: str | bytes | Iterator[str], *, private: bool = False) -> None:
    """Writes a file whole or not at all, part by part; with mode 0600 when it holds what not everyone may read."""
    import os

    from syncline.sdk.whole_file import write_whole

    mode = 0o600
    if not private:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    try:
        write_whole(path, [data] if isinstance(data, str | bytes) else data, mode=mode)
    except OSError as error:
        raise click.FileError(str(path), error.strerror or "can't be written") from None
