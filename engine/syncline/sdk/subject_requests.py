"""What a system is asked about a person that can't be searched by us: which records it has, and to erase them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class Person:
    """
    Who is meant: a field and the value that it has, which is personal data and never shown. `key`: the field alone is
    the key by which records are written. `again` is the same for every attempt of one request, and for no other.

    >>> Person("email", "ada@example.com")
    Person(column='email', key=False)
    """

    column: str
    value: str | int = field(repr=False)
    key: bool = False
    again: str = field(default="", repr=False)


class Acknowledged(Struct, frozen=True):
    """
    What a system answered: how many records it deleted, how many it still finds, and its words, which name nobody.
    `later`: it took a request to erase the person by itself.

    >>> Acknowledged(2, words="DELETE: 204, 2 times").left
    0
    """

    rows: int = 0
    left: int = 0
    words: str = ""
    later: bool = False


@runtime_checkable
class SubjectRequests(Protocol):
    """
    What a runtime may offer besides, of either end: asking a system to find and to erase a person in a stream.

    Example: `asked.erase("contacts", Person("email", "ada@example.com"))` gives `Acknowledged(rows=1, …)`.
    """

    def unable(self, stream: str, person: Person) -> str:
        """Why the system can't be asked about such a person; empty where it can. Asks nothing."""

    def find(self, stream: str, person: Person) -> list[dict[str, Any]]:
        """What it has of the person, as far as it can be asked for that."""

    def erase(self, stream: str, person: Person) -> Acknowledged:
        """Has it erase the person; once more after any outcome, without a second effect. `Invalid` (SYN852)."""

    def close(self) -> None:
        """Closes connections."""
