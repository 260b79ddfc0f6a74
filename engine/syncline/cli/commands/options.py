"""Options that several commands share, so that they read alike everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])


def output(*forms: str, help: str = "How to write the result.") -> Callable[[_F], _F]:  # noqa: A002 - click's word
    """`-o FORMAT`; the first form is the default. The value is passed as `form`."""
    return click.option(
        "-o", "--output", "form", type=click.Choice(forms), default=forms[0], show_default=True, help=help
    )


def out(help: str) -> Callable[[_F], _F]:  # noqa: A002 - click's word
    """`--out FILE`, passed as `out`."""
    return click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help=help)


def write_file(path: Path, data: str | bytes | Iterator[str], *, private: bool = False) -> None:
    """Writes a file whole or not at all, part by part; with mode 0600 when it holds what not everyone may read."""
    import os
    import tempfile

    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise click.FileError(str(path), error.strerror or "can't be written") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            for part in [data] if isinstance(data, str | bytes) else data:
                file.write(part.encode() if isinstance(part, str) else part)
        if not private:
            umask = os.umask(0)
            os.umask(umask)
            Path(draft).chmod(0o666 & ~umask)
        Path(draft).replace(path)
    except OSError as error:
        Path(draft).unlink(missing_ok=True)
        raise click.FileError(str(path), error.strerror or "can't be written") from None
