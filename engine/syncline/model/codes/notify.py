"""Codes of subscriptions and of what they send (SYN730 to SYN739)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN730",
        "filter doesn't fit the event",
        "The filter of a subscription isn't CEL, names what such an event doesn't have, or isn't true or false.",
        "`syncline explain Subscription` shows the types of events; docs/how-to/notify.md their fields.",
        bad="filter: event.objekt == 'acme/Sync/tickets'",
        good="filter: event.object == 'acme/Sync/tickets'",
    ),
    Code(
        "SYN731",
        "integration can't carry messages",
        "A subscription notifies through an integration whose connector doesn't say how messages are sent.",
        "Use an integration of slack, pagerduty-events or smtp, or declare `notify` in the connector.",
    ),
    Code(
        "SYN732",
        "message doesn't fit the event",
        "The title or message of a subscription isn't a template, or reads what an event doesn't have.",
        "Templates read `event`, `title` and `text`: docs/how-to/notify.md lists the fields of events.",
        bad='message: "{{ evnt.object }} is in trouble"',
        good='message: "{{ event.object }} is in trouble"',
    ),
    Code(
        "SYN733",
        "webhook refused",
        "The receiver of a webhook answered that it doesn't take the message, and will not later.",
        "Look at the receiver: it must answer 2xx within 15 seconds. A message that it refused isn't sent again.",
    ),
    Code(
        "SYN734",
        "webhook not taken",
        "The receiver of a webhook couldn't be reached, or answered that it can't take the message now. It is sent "
        "again, under the same webhook-id, for three days.",
        "Look whether the receiver works.",
    ),
    Code(
        "SYN735",
        "webhook key unusable",
        "The key of a webhook isn't `whsec_` and the base64 of 24 to 64 bytes.",
        "Make a random one: `echo whsec_$(openssl rand -base64 32)`.",
    ),
    Code(
        "SYN736",
        "mail not taken",
        "The mail server couldn't be reached, doesn't take the message, or doesn't speak TLS.",
        "The message says what the server answered. Addresses and the login are in the Subscription and Integration.",
    ),
    Code(
        "SYN738",
        "message refused",
        "The system that was to carry a message answered that it doesn't take it.",
        "Look at the channel of the subscription, and at what the credentials may do.",
    ),
)
