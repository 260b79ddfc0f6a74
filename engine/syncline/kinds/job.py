"""Records that an API prepares first: a job is created, polled until it is done, downloaded and deleted."""

from typing import Annotated

from pydantic import Field

from syncline.kinds.base import Duration, Jmespath, Spec, Template
from syncline.kinds.request import Request

#: `*` stands for one or more labels: *.storage.example.com.
Host = Annotated[str, Field(pattern=r"^(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$", max_length=253)]

_HOSTS = (
    "Other hosts that such a URL may be at, besides the API's own: files.example.com, *.storage.example.com. They are "
    "asked by https, without credentials."
)


class File(Spec):
    """A file that is read as a stream's answer, such as one that a record of a parent stream names."""

    url: Annotated[
        Template, Field(description="Its URL, a template: {{ export.url }}. A path is taken as under the base URL.")
    ]
    hosts: Annotated[tuple[Host, ...], Field(description=_HOSTS)] = ()


class Poll(Request):
    """The request that tells how a job is doing, and what its answer means."""

    every: Annotated[
        Duration, Field(description="Wait before the first poll, such as 5s; it grows by half with each further one.")
    ] = "5s"
    max_every: Annotated[Duration, Field(description="Longest wait between two polls.")] = "1m"
    done: Annotated[
        Jmespath,
        Field(description="JMESPath condition over {status, headers, body} that is true of one that is done."),
    ]
    failed: Annotated[
        Jmespath | None,
        Field(description="JMESPath condition over {status, headers, body} that is true of a job that has failed."),
    ] = None
    message: Annotated[
        Jmespath | None,
        Field(description="JMESPath expression over {status, headers, body} that says why it has failed."),
    ] = None


class Download(Request):
    """How the records of a job are got that is done: by URLs that the last poll gives, or by a request."""

    url: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath expression over {status, headers, body} of the last poll that gives a URL, or a list "
            "of them: body.files[].url."
        ),
    ] = None
    hosts: Annotated[tuple[Host, ...], Field(description=_HOSTS)] = ()


class Job(Spec):
    """
    A job of an API, whose id is in templates as {{ job.id }}. A run that stops goes on with the same job. A stream with
    `for` has a job for each partition, one after another.
    """

    create: Annotated[
        Request,
        Field(
            description="Request that creates it; bounds of the cursor go into this one. Where it sends {{ job.key }}, "
            "a key of ours, as an idempotency key, it is repeated with the same key if its answer was lost."
        ),
    ]
    id: Annotated[
        Jmespath,
        Field(description="JMESPath expression over {status, headers, body} of create's answer that gives its id."),
    ] = "body.id"
    url: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath expression over {status, headers, body} of create's answer that gives its URL, at "
            "the API's own host: headers.location. Other requests may begin with it: {{ job.url }}/rows."
        ),
    ] = None
    poll: Annotated[Poll, Field(description="Request that is sent until it is done. Status 404 or 410: it is gone.")]
    timeout: Annotated[
        Duration, Field(description="Longest time from its creation until it is done; then it is given up.")
    ] = "1h"
    download: Annotated[
        Download,
        Field(
            description="How its records are got: by url, or by a request, to whose answers the stream's page applies."
        ),
    ]
    delete: Annotated[
        Request | None,
        Field(description="Request that deletes it once its records are kept, and when it failed or took too long."),
    ] = None
