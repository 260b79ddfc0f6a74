"""What a runtime that carries messages implements: a message in, what the system calls its thread out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from syncline.model.errors import Invalid
from syncline.model.notice import Phase


@dataclass(frozen=True, slots=True)
class Notice:
    """
    A message on its way. `id` is the same in every attempt; `event` is what it is about, as data. `subject` is the same
    in all messages of a thread. `thread` names the conversation, '' for a message that stands alone; `ref` is what the
    system called it when its first message arrived, '' before that.

    >>> Notice("m1", Phase.open, "crm is in trouble", "Since 02:15.", {"type": "incident"}, thread="t1").ref
    ''
    """

    id: str
    phase: Phase
    title: str
    text: str
    event: Mapping[str, Any] = field(hash=False)
    subject: str = ""
    channel: str = ""
    thread: str = ""
    ref: str = ""


class PartlyArrived(Invalid):
    """A message came to some of those it is for, and is refused for good for the others. `ref` is as `send` gives it.

    >>> PartlyArrived("not for b@example.com", code="SYN738", ref="<m1@example.com>").ref
    '<m1@example.com>'
    """

    def __init__(self, message: str, *, code: str, ref: str, help: str = "") -> None:  # noqa: A002 - the field's word
        super().__init__(message, code=code, help=help)
        self.ref = ref


class Notifier(Protocol):
    """Sends messages through one system. Used by one thread; `close` it.

    >>> class Printer:
    ...     def escape(self, text: str) -> str:
    ...         return text
    ...     def send(self, notice: Notice) -> str:
    ...         return ""
    ...     def close(self) -> None:
    ...         pass
    >>> notifier: Notifier = Printer()
    >>> notifier.send(Notice("m1", Phase.event, "hello", "", {}))
    ''
    """

    def escape(self, text: str) -> str:
        """A text so that this system shows it as it is."""

    def send(self, notice: Notice) -> str:
        """
        Sends a message; what the system calls its thread, or '' where it doesn't say.

        Sent again under the same id, it arrives once where the system can tell. Raises `Again` for what may pass,
        `Stalled` and `Denied` for what a person has to change, and `Invalid` where this message is refused for good;
        `PartlyArrived` where only some got it.
        """

    def close(self) -> None:
        """Releases what it holds."""
