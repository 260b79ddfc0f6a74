"""
Checkpoints in chapters: what only grows, such as the files that are finished, is kept once and not with every batch.

A writer that offers `Chaptered` may be given texts of several lines. The first line takes the place of the one that is
kept; each other one says what is kept beside it, in the same transaction: `7 {…}` is a chapter, by its number, and `0`
has all earlier ones go. A text of one line leaves them alone. `Destination.checkpoint` gives the line and its chapters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol, runtime_checkable

_NONE: Final = "0"


@runtime_checkable
class Chaptered(Protocol):
    r"""
    What a writer may offer besides: keeping chapters of a checkpoint.

    Example: after `writer.write(frame, "a\n1 x")` and `writer.write(frame, "b\n2 y")`, the flow's checkpoint is
    `b`, `1 x` and `2 y`, in lines.
    """

    @property
    def keeps_chapters(self) -> bool:
        """Whether it may be given them."""


def together(head: str, chapters: Mapping[int, str], *, anew: bool = False) -> str:
    r"""
    The text of a checkpoint and chapters of it; `anew`: the only ones.

    >>> together("a", {2: "y", 1: "x"})
    'a\n1 x\n2 y'
    >>> together("a", {}, anew=True)
    'a\n0'
    """
    lines = [f"{number} {chapters[number]}" for number in sorted(chapters)]
    return "\n".join((head, *([_NONE] if anew else []), *lines))


def apart(text: str) -> tuple[str, bool, dict[int, str]]:
    r"""
    What `together` was given: the first line, whether all earlier chapters go, and chapters.

    >>> apart("a\n1 x\n2 y")
    ('a', False, {1: 'x', 2: 'y'})
    """
    head, *lines = text.split("\n")
    return head, _NONE in lines, dict(_numbered(line for line in lines if line != _NONE))


def _numbered(lines: Iterable[str]) -> Iterable[tuple[int, str]]:
    for line in lines:
        number, _, chapter = line.partition(" ")
        yield int(number), chapter
