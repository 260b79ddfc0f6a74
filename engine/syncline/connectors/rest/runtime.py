"""The `rest` runtime: HTTP APIs with JSON answers, declared by a Connector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.connectors.runtime import Runtime

if TYPE_CHECKING:
    from syncline.sdk.destination import Destination, Limits, Target
    from syncline.sdk.notice import Notifier
    from syncline.sdk.reached import Reached
    from syncline.sdk.source import Instance, Source, SourceRequest
    from syncline.sdk.subject_requests import SubjectRequests
    from syncline.sdk.webhooks import Webhooks


def open_source(instance: Instance, request: SourceRequest) -> Source:
    """Opens a stream. `Invalid` when its declaration can't be run."""
    from syncline.connectors.rest.reading.source import RestSource

    return RestSource(instance, request)


def open_destination(instance: Instance) -> Destination:
    """Opens an API for writing: to streams that declare `write`."""
    from syncline.connectors.rest.writing.destination import RestDestination

    return RestDestination(instance)


def check(instance: Instance) -> Reached:
    """Sends the connector's check, or asks for the first page of its first stream; see `rest/check.py`."""
    from syncline.connectors.rest.check import check as look

    return look(instance)


def open_notifier(instance: Instance) -> Notifier:
    """Opens an API for messages; its connector declares `notify`."""
    from syncline.connectors.rest.notifier import RestNotifier

    return RestNotifier(instance)


def open_webhooks(instance: Instance) -> Webhooks:
    """Opens an API for webhooks; its connector declares `webhooks`."""
    from syncline.connectors.rest.webhooks import RestWebhooks

    return RestWebhooks(instance)


def open_subjects(instance: Instance) -> SubjectRequests:
    """Opens an API to be asked about people: streams that declare `erase`, or `write.delete`."""
    from syncline.connectors.rest.subjects import RestSubjects

    return RestSubjects(instance)


def open_rows(instance: Instance, stream: str, names: tuple[str, ...], key: tuple[str, ...]) -> Source:
    """The records of a stream that is written to; see `rest/reading/reading_back.py`."""
    from syncline.connectors.rest.reading import reading_back

    return reading_back.open_rows(instance, stream, names, key)


def limits(instance: Instance, target: Target) -> Limits:
    """Values that can't be written as JSON; what the API makes of a record is known once it is sent."""
    from syncline.connectors.rest.writing.destination import columns_of
    from syncline.sdk.destination import Limits

    return Limits(columns_of(instance, target).refusals)


RUNTIME = Runtime(
    "rest",
    open_source,
    open_destination,
    check,
    transactional=False,
    open_notifier=open_notifier,
    open_rows=open_rows,
    open_webhooks=open_webhooks,
    open_subjects=open_subjects,
    limits=limits,
)
