"""What a stable code means: the row type of the tables in this package."""

from __future__ import annotations

from msgspec import Struct


class Code(Struct, frozen=True):
    """A stable code: its title (a short noun phrase), what it means and why it matters, and the remedy.

    `bad` and `good` are short YAML (or shell) examples before and after, where an example helps.
    """

    code: str
    title: str
    meaning: str
    remedy: str
    bad: str = ""
    good: str = ""
