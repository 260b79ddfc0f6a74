"""Codes of findings about sources that a queue tells what has come (SYN33x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN330",
        "a queue doesn't tell of everything",
        "The flow reads the objects that a queue tells of (`config.queue`), and needs a read of all there is: to "
        "replace a table, to delete what is absent, or to read twice.",
        "Use write: upsert or append, and leave `absent` and `validate: before-commit` out; or read the bucket without "
        "the queue.",
        bad="spec: {from: exports/accounts, write: replace}",
        good="spec: {from: exports/accounts, write: upsert}",
    ),
    Code(
        "SYN331",
        "no schema, and perhaps no file",
        "A stream whose objects a queue tells of has no `schema`, or nothing that says its format. A run that is told "
        "of nothing couldn't say what its columns are.",
        "Declare the stream's `schema`, and its `format` where the pattern doesn't end as one, in the integration.",
        bad='streams: {accounts: {files: "*.csv"}}',
        good='streams: {accounts: {files: "*.csv", schema: {properties: {no: {type: string}}}}}',
    ),
    Code(
        "SYN332",
        "not a queue of SQS",
        "What `config.queue` names answers, but not as Amazon SQS does.",
        "Check the URL: `aws sqs get-queue-url --queue-name NAME` prints it.",
    ),
    Code(
        "SYN333",
        "the queue doesn't tell of it yet",
        "A run ended in the middle of an object, and the queue hides the message about it still. Without it the "
        "object can't be read on, since its columns are of other types than the stream declares.",
        "Nothing: a later run reads it on once SQS gives the message again, within an hour. Declare the types that the "
        "object has, and the next run goes on at once.",
    ),
    Code(
        "SYN334",
        "two flows for one message",
        "Two flows read the same objects by the same queue. A queue gives a message to one receiver, so that each flow "
        "would miss what the other has read.",
        "Give each flow an integration with a queue of its own. S3 can notify several, through SNS or EventBridge.",
    ),
)
