"""How messages are sent through an HTTP API: what a Connector declares so that subscriptions can notify through it."""

from typing import Annotated, Literal

from pydantic import Field

from syncline.kinds.base import Jmespath, Spec
from syncline.kinds.request import Request

#: What templates of these requests read.
VARIABLES = ("config", "now", "id", "thread", "ref", "phase", "channel", "title", "text", "event", "severity")


class Say(Request):
    """
    A request that sends a message. Its templates read `title` and `text`, `channel`, `event`, `severity`, `phase`
    (open, update, reminder, resolve; event, digest or test), `id` (the same in every attempt), `thread` (the same in
    all messages of a thread; `id` where a message stands alone), `ref` (what the system calls the thread), `config`,
    and `now`.
    """

    ref: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath expression over {status, headers, body} of the answer that gives what the system "
            "calls the thread which this message began."
        ),
    ] = None


class Carrying(Spec):
    """How messages are sent. What an answer means is said by `http.errors` as for writes: skip is a refused message."""

    send: Annotated[Say, Field(description="Sends a message.")]
    reply: Annotated[
        Say | None, Field(description="Sends a further message of a thread, once its `ref` is known. Absent: `send`.")
    ] = None
    resolve: Annotated[Say | None, Field(description="Sends the last message of a thread. Absent: as any other.")] = (
        None
    )
    escape: Annotated[
        Literal["none", "slack"],
        Field(description="How `title` and `text` are escaped: slack replaces &, < and >, which mean something there."),
    ] = "none"
    longest: Annotated[
        int, Field(ge=100, le=100_000, description="Most characters of `text`; a longer one is cut.")
    ] = 4_000
