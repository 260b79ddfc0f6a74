"""Codes of findings about where files are, and about what was found out about them (SYN56x, SYN57x)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN560",
        "no place for files",
        "The root of a file integration is a URL of a scheme that files aren't read from, or its connector doesn't "
        "know the scheme.",
        "Use a folder with the connector `file`, `s3://BUCKET/PREFIX` with `s3`, `https://HOST/PATH` with `web-files`, "
        "`sftp://HOST/PATH` with `sftp`.",
        bad="spec: {connector: file@^1, config: {root: ftp://files.example.com/out}}",
        good="spec: {connector: s3@^1, config: {root: s3://acme-exports/crm}}",
    ),
    Code(
        "SYN561",
        "files can't be written there",
        "A flow writes to an integration whose files are on a server. They are only read from there.",
        "Write to a folder with the connector `file`, or to a database.",
    ),
    Code(
        "SYN562",
        "dialect not sure",
        "A CSV stream leaves its encoding or its delimiter to be found out (`auto`), and its first file doesn't tell "
        "with enough certainty: there are too few characters that tell, or what there is fits several.",
        "Declare what is missing. `syncline connector sample` shows records as they are read with it.",
        bad="csv: {encoding: auto}",
        good="csv: {encoding: windows-1252}",
    ),
    Code(
        "SYN563",
        "not the host key it should be",
        "An SFTP server shows a key that `config.hostKeys` doesn't have. Somebody may stand between, or the server was "
        "set up anew. Nothing was sent to it.",
        "Compare the fingerprint with what the server's operator tells, and put the key into `config.hostKeys`.",
    ),
    Code(
        "SYN564",
        "unusable SSH key",
        "A private key can't be read as one, or its passphrase is wrong; or `config.hostKeys` has a line that is none.",
        "A private key is the text of the file that ssh-keygen writes, and a host key a line such as "
        "`ssh-ed25519 AAAAC3…`, as `ssh-keyscan` shows it behind the name.",
    ),
    Code(
        "SYN565",
        "no XML",
        "A file isn't well-formed XML: it is damaged, cut on its way, or something else. A run keeps what it committed "
        "of it before; the rest isn't read.",
        "Get the file anew. A run goes on where it was.",
    ),
    Code(
        "SYN566",
        "no path of records",
        "`records` of a stream of XML is no plain path of elements, or no file has the element that it leads through.",
        "Write the names of the elements from the root to a record, without namespace prefixes: `catalog.item[]`.",
        bad='records: "@"',
        good='records: "catalog.item[]"',
    ),
)
