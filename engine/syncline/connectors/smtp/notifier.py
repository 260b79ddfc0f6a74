"""Messages as e-mail: a thread is a first message and replies to it (RFC 5322, section 3.6.4)."""

from __future__ import annotations

import datetime as dt
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses, parseaddr
from typing import TYPE_CHECKING

from syncline.connectors.smtp.session import said, session
from syncline.model.errors import Stalled
from syncline.sdk.notice import PartlyArrived

if TYPE_CHECKING:
    from syncline.sdk.notice import Notice
    from syncline.sdk.source import Instance


class MailNotifier:
    """See `Notifier`. A session is opened for each message: few are sent, and long after one another."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def escape(self, text: str) -> str:
        return text

    def send(self, notice: Notice) -> str:
        message = mail(notice, str(self._instance.config["from"]))
        with session(self._instance) as smtp:
            refused = smtp.send_message(message)
        ref = notice.ref or str(message["Message-ID"])
        if refused:
            # The others have it: sent again, it would come to them twice.
            told = "; ".join(f"{address}: {said(*answer)}" for address, answer in refused.items())
            raise PartlyArrived(
                f"the mail server took the message, but not for {told}",
                code="SYN738",
                ref=ref,
                help="Look at the addresses of the subscription. The others got the message; it isn't sent again.",
            )
        return ref

    def close(self) -> None:
        """Nothing is held."""


def mail(notice: Notice, sender: str) -> EmailMessage:
    """
    The message. `Stalled` (SYN736) for addresses that aren't any.

    Its id is made of the notice's: a mail system that gets it twice can tell. Replies have the subject of the first
    message, since some programs go by that, and say that a program wrote them (RFC 3834).
    """
    name, address = parseaddr(sender)
    made = EmailMessage()
    try:
        if not notice.channel.isprintable():
            raise ValueError("a line break")
        made["From"] = Address(name, addr_spec=address)
        made["To"] = [Address(n, addr_spec=a) for n, a in getaddresses([notice.channel])]
        made["Subject"] = f"Re: {notice.subject}" if notice.ref else notice.subject
        made["Date"] = format_datetime(dt.datetime.now(dt.UTC))
        made["Message-ID"] = f"<{notice.id}@{made['From'].addresses[0].domain}>"
        if notice.ref:
            made["In-Reply-To"] = made["References"] = notice.ref
    except (ValueError, IndexError, MessageError) as error:
        raise Stalled(
            "the subscription's channel or the integration's `from` has no valid address",
            code="SYN736",
            help="Write addresses such as ops@example.com, with commas between them, as `channel`.",
        ) from error
    if not made["To"].addresses:
        raise Stalled("the subscription names no address", code="SYN736", help="Give one as do.notify.channel.")
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(f"{notice.title}\n\n{notice.text}\n")
    return made
