"""Messages of subscriptions, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syncline.cli.output.table import render_table
from syncline.cli.output.text import number, visible
from syncline.model.outbox import Message, MessageState
from syncline.notify.texts import default

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint


def render_messages(messages: Sequence[Message], paint: Paint) -> str:
    """Messages in a table, newest last, with why those that aren't sent aren't; and a line that counts them."""
    if not messages:
        return "No subscription has told anything yet.\n"
    head = ("MADE (UTC)", "SUBSCRIPTION", "MESSAGE", "STATE", "TRIES", "NEXT TRY", "PROBLEM")
    rows = [
        (
            message.created[:19].replace("T", " "),
            str(message.key),
            default(message.phase, message.event).title,
            str(message.state),
            number(message.attempts),
            message.due[11:19] if message.state is MessageState.pending and message.attempts else "",
            visible(f"[{message.error_code}] {message.error}") if message.error_code else "",
        )
        for message in messages
    ]
    return render_table(head, rows, paint, right=frozenset({4}), cells=70) + "\n" + _counted(messages, paint)


def message_data(message: Message) -> dict[str, Any]:
    """A message as plain data."""
    return {
        "id": message.id,
        "subscription": str(message.key),
        "phase": str(message.phase),
        "thread": message.thread or None,
        "state": str(message.state),
        "attempts": message.attempts,
        "created": message.created,
        "finished": message.finished or None,
        "nextAttempt": message.due or None,
        "code": message.error_code or None,
        "error": message.error or None,
        "event": dict(message.event),
    }


def _counted(messages: Sequence[Message], paint: Paint) -> str:
    parts = []
    for state in MessageState:
        count = sum(message.state is state for message in messages)
        if count:
            text = f"{count:,} {str(state).lower()}"
            parts.append(paint.red(text) if state is MessageState.failed else text)
    return ", ".join(parts) + ".\n"
