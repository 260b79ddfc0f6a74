"""The runtime `smtp`, as the registry lists it: it carries messages, and has nothing to read from or to write to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.connectors.runtime import Runtime
from syncline.sdk.reached import Reached

if TYPE_CHECKING:
    from syncline.sdk.notice import Notifier
    from syncline.sdk.source import Instance


def check(instance: Instance) -> Reached:
    """Connects, secures the connection and logs in; nothing is sent."""
    from syncline.connectors.smtp.session import check as look

    return look(instance)


def open_notifier(instance: Instance) -> Notifier:
    """Opens a mail server for messages."""
    from syncline.connectors.smtp.notifier import MailNotifier

    return MailNotifier(instance)


RUNTIME = Runtime("smtp", None, None, check, transactional=False, open_notifier=open_notifier)
