"""Options of `syncline serve` that are about pull requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from syncline.daemon.review import Review


@dataclass(frozen=True, slots=True)
class ReviewOptions:
    """The options as given."""

    snapshot: Path | None


def reviews(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--snapshot`, passed as `review`."""

    @click.option(
        "--snapshot",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Keep a signed snapshot of the state in this file, for plans in CI.",
    )
    @wraps(command)
    def with_review(*args: Any, snapshot: Path | None, **others: Any) -> Any:
        return command(*args, review=ReviewOptions(snapshot), **others)

    return with_review


def review_of(options: ReviewOptions, tell: Callable[[str], None]) -> Review:
    """What the options ask of a daemon."""
    from syncline.daemon.publish import Publisher
    from syncline.daemon.review import Review

    return Review(Publisher(options.snapshot.absolute(), tell) if options.snapshot else None)
