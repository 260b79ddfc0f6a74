"""Mistakes in what is chosen and named: one of several fields, names that exist, and none twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.manifests.findings import Problem
from syncline.manifests.text import listed, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import BaseModel

    from syncline.model.manifest import Path


def exactly_one(model: BaseModel, names: tuple[str, ...], path: Path, what: str) -> Iterator[Problem]:
    """That one of these fields is given, and no other."""
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) != 1:
        yield choice(given, names, path, what)


def choice(given: list[str], names: tuple[str, ...], path: Path, what: str) -> Problem:
    """What is wrong with a choice of which these are given."""
    if given:
        message = f"{what} can have only one of {listed(names)}, not {' and '.join(given)}"
        return Problem("SYN211", (*path, given[1]), message, help="Remove all but one.", at_key=True)
    return Problem("SYN211", path, f"{what} needs one of {listed(names)}")


def not_one_of(name: str, known: Iterable[str], path: Path, what: str) -> Problem:
    """That a name is none of those that there are."""
    known = list(known)
    message = f"there is no {what} {name!r}"
    return Problem("SYN204", path, message, expected=listed(known, 30), suggestion=nearest(name, known))


def repeated(names: list[str], path: Path, field: str, what: str) -> Iterator[Problem]:
    """Names that are given twice."""
    seen: set[str] = set()
    for position, name in enumerate(names):
        if name in seen:
            where = (*path, position, field) if field else (*path, position)
            yield Problem("SYN212", where, f"the {what} {name!r} is given twice")
        seen.add(name)


def unknown_names(
    wanted: Iterable[str], names: Iterable[str], path: Path, what: str, *, nested: bool = False
) -> Iterator[Problem]:
    """Names that are none of those that there are; with `nested`, by what stands before their first dot."""
    known = list(names)
    for position, name in enumerate(wanted):
        if (name.split(".")[0] if nested else name) not in known:
            yield Problem(
                "SYN213",
                (*path, position),
                f"{name!r} is no {what}",
                expected=listed(known),
                suggestion=nearest(name, known),
            )
