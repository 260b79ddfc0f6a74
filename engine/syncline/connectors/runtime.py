"""What a connector runtime offers: opening a source, opening a destination, checking that the system answers."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from syncline.sdk.comparison import Compare
from syncline.sdk.destination import Destination, Limits, Target
from syncline.sdk.notice import Notifier
from syncline.sdk.reached import Reached
from syncline.sdk.source import Instance, Source, SourceRequest
from syncline.sdk.subject_requests import SubjectRequests
from syncline.sdk.webhooks import Webhooks

#: Opens what is at a destination: a stream, the columns to read of it, and its key.
OpenRows = Callable[[Instance, str, tuple[str, ...], tuple[str, ...]], Source]


class Runtime(Struct, frozen=True):
    """A runtime, as named by `Connector.spec.runtime`. None where it can't do something.

    `check` raises when the system can't be reached or refuses the credentials, and returns what it found.
    `transactional`: what is written there appears together with its checkpoint. Where it isn't so, a destination is
    given a ledger. `compare` says what a write would do; None where that can't be known without writing.
    `open_rows` reads what is at a destination; None where only writing tells.
    `open_notifier` raises `Invalid` (SYN731) for an instance that can't carry messages, `open_webhooks` (SYN790) for
    one where no webhooks can be registered. `open_subjects` asks a system about people; None where its data is searched
    by us, or can't be. `limits` are those of values that a writer to the target would refuse, told without the
    system; `held` are these and those of what the target is now, which it is asked for.
    """

    name: str
    open_source: Callable[[Instance, SourceRequest], Source] | None
    open_destination: Callable[[Instance], Destination] | None
    check: Callable[[Instance], Reached]
    transactional: bool = True
    compare: Compare | None = None
    open_notifier: Callable[[Instance], Notifier] | None = None
    open_rows: OpenRows | None = None
    open_webhooks: Callable[[Instance], Webhooks] | None = None
    open_subjects: Callable[[Instance], SubjectRequests] | None = None
    limits: Callable[[Instance, Target], Limits] | None = None
    held: Callable[[Instance, Target], Limits] | None = None
