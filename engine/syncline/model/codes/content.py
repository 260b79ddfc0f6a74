"""Codes of findings about what requests and answers of APIs hold: archives, XML, GraphQL, jobs, files (SYN49x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN492",
        "archive refused",
        "A compressed answer unpacks past the bounds, has a hostile name in it, or is encrypted. None of it was used.",
        "If it is no bomb, have the API send smaller or plain answers.",
    ),
    Code(
        "SYN493",
        "XML refused",
        "An answer in XML has a document type (which may define entities), or is nested too deeply or too large.",
        "Ask the vendor for XML without a DOCTYPE. It is refused because entities can read files or exhaust memory.",
    ),
    Code(
        "SYN494",
        "GraphQL errors",
        "A GraphQL server answered with errors, whatever the status. None of the page was used.",
        "Correct the query or the rights. Where data beside errors is good enough, declare `graphql.partial: accept`.",
        good="graphql: {query: '{ tickets { nodes { id } } }', partial: accept}",
    ),
    Code(
        "SYN495",
        "half of a record is missing",
        "Fields were asked for in chunks, and the answers don't hold the same records, so that some would be partial.",
        "Run again: records may have changed in between. If it stays, `chunk.by` doesn't identify a record.",
    ),
    Code(
        "SYN496",
        "job of the API failed",
        "The API says that a job, such as an export, has failed. The next run creates a new one.",
        "The message is the API's; look at what it names.",
    ),
    Code(
        "SYN497",
        "job of the API took too long",
        "A job was not done within `job.timeout`. It was given up, and the next run creates a new one.",
        "Raise `job.timeout`, or ask for less in one job, such as with `cursor.window`.",
        bad="job: {timeout: 1m}",
        good="job: {timeout: 4h}",
    ),
    Code(
        "SYN498",
        "file at an undeclared host",
        "An answer names a file at another host, which the connector doesn't list in `hosts`, or not by https.",
        "Add the host, if files are really kept there. Credentials are never sent to it.",
        bad="files: {url: url}",
        good="files: {url: url, hosts: ['*.storage.example.com']}",
    ),
    Code(
        "SYN499",
        "form with files can't be sent",
        "A part of a multipart body isn't base64, its file name has control characters, or the whole is larger than "
        "32 MiB. In a run that writes, the record becomes a reject.",
        "Look at the column that the part is made of; leave out of the flow what the API doesn't take.",
    ),
)
