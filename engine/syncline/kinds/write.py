"""How records are written to a stream of an HTTP API.

Templates of these requests read `config`, `record` (the columns of the row), `id` and `version` (what the API calls the
record and its version, as far as they are known) and `idempotency_key` (the same for every attempt of one effect). The
path, `query` and `headers` know `now` as well, which is when the request is made; what is sent of a record is the same
in every attempt, also in one after a crash, so bodies don't.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from syncline.kinds.base import Jmespath, Spec, Template
from syncline.kinds.request import BODIES, Request

#: Requests that a stream can declare under `write`.
VERBS: Final = ("create", "update", "upsert", "delete", "find", "read")

_ID = "JMESPath expression over {status, headers, body} of an answer that gives the record's id; headers in lower case."
_VERSION = "JMESPath expression over the same that gives the record's version: headers.etag."


class WriteBatch(Spec):
    """Several records in one request, with a result for each in its answer."""

    size: Annotated[int, Field(ge=1, le=10_000, description="Most records of one request.")]
    into: Annotated[
        str,
        Field(
            pattern=r"^body(\.[A-Za-z_][A-Za-z0-9_-]*)*$",
            description="Where the list of records stands in the request: body, body.inputs.",
        ),
    ] = "body"
    each: Annotated[
        JsonValue,
        Field(
            description="JSON that is sent of each record; its texts are templates, and a text that is nothing but one "
            "value (`{{ record }}`, `{{ record.price }}`) stands for that value with its JSON type."
        ),
    ] = "{{ record }}"
    results: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath expression over {status, headers, body} that gives the list of results. Absent: a "
            "good answer means that all were written."
        ),
    ] = None
    match: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath expression over a result that gives the text of `key` of the record it is about. "
            "Absent: results are in the order of records."
        ),
    ] = None
    key: Annotated[
        Template | None, Field(description="Template that gives what `match` is compared with: {{ record.email }}.")
    ] = None
    failed: Annotated[
        Jmespath | None, Field(description="JMESPath condition over a result: the API refuses this record.")
    ] = None
    status: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath expression over a result: its HTTP status, where each record has one. It means what "
            "an answer's does: 412 a stale version, 404 a record that is gone, 429 and 5xx to try again later."
        ),
    ] = None
    message: Annotated[
        Jmespath | None, Field(description="JMESPath expression over a refused record's result: why, for its reject.")
    ] = None
    id: Annotated[Jmespath | None, Field(description="JMESPath expression over a result: the record's id.")] = None
    version: Annotated[
        Jmespath | None, Field(description="JMESPath expression over a result: the record's version.")
    ] = None


class WriteRequest(Request):
    """A request that writes. Without a `body`, a POST, PUT or PATCH sends the record as a JSON object."""

    id: Annotated[Jmespath | None, Field(description=f"{_ID} Absent: the one of `write`.")] = None
    version: Annotated[Jmespath | None, Field(description=f"{_VERSION} Absent: the one of `write`.")] = None
    batch: Annotated[
        WriteBatch | None, Field(description="Several records in one request. Absent: one request a record.")
    ] = None


class ReadBack(Request):
    """A request that reads one record, to learn its version or to see what became of a write."""

    version: Annotated[Jmespath | None, Field(description=f"{_VERSION} Absent: the one of `write`.")] = None
    record: Annotated[
        Jmespath,
        Field(
            description="JMESPath expression over {status, headers, body} that gives the record with the names of "
            "columns, to compare it with what is written."
        ),
    ] = "body"


class Find(Request):
    """A request that looks for a record by its key. Exactly one may be found; with several, the record is rejected."""

    id: Annotated[Jmespath, Field(description=f"{_ID} A list (of a search) may have no or one element.")]
    version: Annotated[Jmespath | None, Field(description=f"{_VERSION} Absent: it isn't known before it is read.")] = (
        None
    )
    record: Annotated[
        Jmespath | None,
        Field(
            description="JMESPath expression over the same that gives the record with the names of columns, to compare "
            "it with what is written."
        ),
    ] = None


class Writes(Spec):
    """
    Requests that write records: what a flow with write: append or write: upsert sends.

    Answers mean what the rules of `http.errors` say first, where skip rejects the record, ignore counts it as written
    and fail ends the run. Without a rule, 4xx statuses reject the record with the API's message, except 401, 403, 408
    and 429, which mean what they mean when reading.
    """

    create: Annotated[
        WriteRequest | None,
        Field(
            description="Request that creates a record. After an unknown outcome it is only sent again with "
            "`idempotency_key` in it, or where `find` says that the record isn't there."
        ),
    ] = None
    update: Annotated[
        WriteRequest | None,
        Field(description="Request that sets values of a record that is there; sent again, it sets them again."),
    ] = None
    upsert: Annotated[
        WriteRequest | None,
        Field(
            description="Request that creates a record or changes it, by its key; it is used instead of create and "
            "update where write is upsert."
        ),
    ] = None
    delete: Annotated[
        WriteRequest | None,
        Field(description="Request that deletes a record, for a Sync with deletes: hard."),
    ] = None
    find: Annotated[
        Find | None,
        Field(
            description="Request that looks for a record by its key, before it is created: records that are there "
            "already are updated, and no creation of unknown outcome is repeated."
        ),
    ] = None
    read: Annotated[
        ReadBack | None,
        Field(description="Request that reads a record by its id, to learn its version or what became of a write."),
    ] = None
    id: Annotated[Jmespath | None, Field(description=f"{_ID} It is kept, so that a later run updates.")] = None
    version: Annotated[Jmespath | None, Field(description=f"{_VERSION} It is kept for a header If-Match.")] = None
    nulls: Annotated[
        Literal["send", "omit"],
        Field(description="Whether a column that is null is sent as null, or left out of the record."),
    ] = "send"
    unchanged: Annotated[
        Literal["skip", "send"],
        Field(
            description="Whether an upsert sends records whose values are those that were written last. Skipped, what "
            "others change in the API stays until the source changes."
        ),
    ] = "skip"
    conflicts: Annotated[
        Literal["retry", "reject"],
        Field(
            description="What becomes of an update of a record that changed since its version was learnt: retry writes "
            "over the newest version (read by `read`), reject sets the record aside."
        ),
    ] = "retry"
    stale: Annotated[
        tuple[int, ...], Field(description="Statuses that say that the version is not the newest (RFC 9110: 412).")
    ] = (412,)
    concurrency: Annotated[
        int, Field(ge=1, le=64, description="Most requests at the same time; those of one record never are.")
    ] = 1


def unable(spec: Writes, mode: str) -> str:
    """Why a stream can't be written in a mode (`append`, `upsert`, `replace`); empty where it can."""
    match mode:
        case "append":
            return "" if spec.create else "write: append needs `create`"
        case "upsert":
            if spec.upsert or (spec.update and (spec.create or spec.find)):
                return ""
            return "write: upsert needs `upsert`, or `update` with `create` or `find`"
        case _:
            return f"an API has no write: {mode}, since nothing can be put in place at once"


def doubtful(spec: Writes, mode: str) -> bool:
    """Whether a record may be created twice, where a run is killed between its creation and the answer to it."""
    create = spec.create
    if create is None or (mode == "upsert" and spec.upsert) or spec.find is not None or create.put is not None:
        return False
    batch = create.batch.each if create.batch else None
    sent = [create.post, create.patch, create.query, create.headers, *(getattr(create, name) for name in BODIES), batch]
    return "idempotency_key" not in repr(sent)
