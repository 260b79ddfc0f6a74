"""What answers of an API mean, beyond their status."""

from typing import Annotated, Literal

from pydantic import Field

from syncline.kinds.base import Jmespath, Spec, Template


class ErrorRule(Spec):
    """What a response means, by a JMESPath condition over {status, headers, body}; the first that matches decides."""

    when: Annotated[
        Jmespath,
        Field(
            description="JMESPath condition over {status, headers, body}; names of headers are in lower case. A body "
            "that can't be read as declared, such as a page in HTML, is its text."
        ),
    ]
    do: Annotated[
        Literal[
            "retry", "rate_limited", "ignore", "skip", "fail", "reauthenticate", "reset_paging", "split", "restart"
        ],
        Field(
            description="retry, rate_limited: again; ignore, skip: no records; fail; reauthenticate; reset_paging: "
            "page one; split: half the cursor's span; restart: without the cursor, which is no longer known."
        ),
    ]
    wait: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath expression over {status, headers, body} that says when to try again: seconds, a Unix "
            "time, an HTTP date or an ISO 8601 time. Absent: retry.honor says it."
        ),
    ] = None
    message: Annotated[
        Template | Literal[""],
        Field(
            description="What the run's error says, in words for people: a template over status, headers and body. "
            "Secrets are masked in it, and it is cut at 500 characters."
        ),
    ] = ""
