"""Codes of findings about APIs and files that are read and written (SYN4xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN401",
        "credentials refused",
        "The API refuses the credentials, or they are missing or can't be sent. Trying again by itself would not help.",
        "Renew the secret that the AuthConfig refers to, and check that its owner may read the stream.",
    ),
    Code(
        "SYN402",
        "API can't be reached",
        "Its host has no address, refuses connections, or doesn't answer in time, in every attempt.",
        "Check the URL and the network. The next run continues after the last commit.",
    ),
    Code(
        "SYN403",
        "API fails",
        "The API answers with a server error, or with one that a rule of the connector calls temporary.",
        "Wait for it, or ask its vendor. The next run continues after the last commit.",
    ),
    Code(
        "SYN404",
        "rate limit used up",
        "The API allows no more requests for longer than a run waits.",
        "Lower `limits.rate` of the integration or run less often. The next run continues after the last commit.",
    ),
    Code(
        "SYN405",
        "request refused",
        "The API answers that the request is wrong (a status from 400 to 499).",
        "Compare the stream's path and parameters with the vendor's documentation.",
    ),
    Code(
        "SYN406",
        "URL that must not be asked",
        "A redirect, a next page or a template leads to another origin, or to what is no http or https URL.",
        "Credentials only go to the origin of the connector's URL: correct that URL if the API has moved.",
        bad="get: https://elsewhere.example/tickets",
        good="get: /tickets",
    ),
    Code(
        "SYN407",
        "answer too large",
        "An answer has more bytes, after decompression, than `http.maxBody`.",
        "Ask for smaller pages with `page.size`, or raise `http.maxBody` of the connector.",
    ),
    Code(
        "SYN408",
        "connection refused for safety",
        "The server's certificate is not valid for it, or it encodes answers in a way that was not asked for.",
        "Have the server corrected. There is no setting that turns the check off.",
    ),
    Code(
        "SYN410",
        "answer is not JSON",
        "The API answered with HTML or another format, and status 200. None of it was used.",
        "It is usually a login or maintenance page, or a wrong URL.",
    ),
    Code(
        "SYN411",
        "damaged JSON",
        "An answer is cut, or has bytes that aren't JSON or UTF-8. None of the page was used.",
        "Run again; if it stays, the API writes invalid JSON.",
    ),
    Code(
        "SYN412",
        "JSON without one meaning",
        "An answer has a name twice in one object, is nested too deeply, or has numbers past every bound.",
        "Ask the vendor to correct it: parsers differ in what they make of it, so none of the page was used.",
        bad='{"id": 1, "id": 2}',
        good='{"id": 1}',
    ),
    Code(
        "SYN413",
        "no records in the answer",
        "The answer has nothing where `records` says that the list is. An error must not pass for an empty page.",
        "Correct `records`, or add a rule to `http.errors` for errors that come with status 200. Where an API leaves "
        'an empty list out: records: "items || `[]`".',
        bad='records: items[]   # the API answers {"data": []}',
        good="records: data[]",
    ),
    Code(
        "SYN420",
        "paging goes in circles",
        "The API gave a cursor or the URL of a next page for the second time.",
        "Compare `page` with the vendor's documentation. Nothing is kept that wasn't committed before.",
    ),
    Code(
        "SYN421",
        "page repeated",
        "A page has the same records as the one before it, or as the first one.",
        "The API ignores the paging parameter: correct `page.into`, `page.page` or `page.offset`. If it starts over at "
        "the end, or stays at its last page, declare `total`, `pages`, `last` or `short`.",
    ),
    Code(
        "SYN335",
        "shared template reads what not every request knows",
        "A template in `http.query` or `http.headers` is filled in for every request: those that read, and those that "
        "check, write, erase, send messages and register webhooks. It reads a name that one of them hasn't, so that "
        "this one would fail. All of them know `config` and `now`.",
        "Give the name a default, or put the template into the requests that know the name.",
        bad='http: {query: {since: "{{ start }}"}}                    # the check has no bounds',
        good="http: {query: {since: \"{{ start | default('') }}\"}}",
    ),
    Code(
        "SYN339",
        "bound that the first read doesn't have",
        "A template of a stream's request reads `start`, `cursor` or `end`, and nothing says what it is when the "
        "stream is read for the first time: its cursor has no `start`, or is no time that could end now. Runs fail.",
        "Give the template a default, or the cursor a `start`.",
        bad='get: /items\nquery: {since: "{{ start }}"}\ncursor: {field: updated_at}',
        good='get: /items\nquery: {since: "{{ start }}"}\ncursor: {field: updated_at, start: "2020-01-01"}',
    ),
    Code(
        "SYN422",
        "cursor of the next page is no text",
        "What `page.cursor` or `page.next` finds in the answer is an object, a list or a truth value.",
        "Correct the expression, so that it gives a string or a number.",
    ),
    Code(
        "SYN424",
        "records no longer as declared",
        "In ten records in a row, or in all that there are, a declared field has another type, is null or missing "
        "where it may not be, or one that the key, the cursor or the mapping needs is gone. None of them was written.",
        "Compare the API with the connector's schema (`syncline connector discover`), correct it or the mapping, and "
        "run again: it goes on before them.",
        bad="schema: {required: [email], properties: {email: {type: string}}}   # the API stopped sending it",
        good="schema: {properties: {email: {type: string}}}",
    ),
    Code(
        "SYN425",
        "values no longer as the mapping declares them",
        "In ten records in a row, on whole pages of an API, the values for a field can't be cast to its type. The "
        "batch with these pages was not written.",
        "Look at the values (`syncline run FLOW --dry-run`), correct the mapping, and run again.",
        bad="- {to: born, from: born, type: date}                        # the API writes 24.12.1990 now",
        good='- {to: born, from: born, type: date, format: "%d.%m.%Y"}',
    ),
    Code(
        "SYN430",
        "invalid request template",
        "A template has a syntax error, or uses more than values, listed filters and inline conditions.",
        "Write values only: there are no loops, calls or arithmetic in request templates.",
        bad='get: "/tickets/{{ range(9) }}"',
        good='get: "/tickets/{{ config.queue }}"',
    ),
    Code(
        "SYN431",
        "request template without its value",
        "A value that a template uses isn't there, or can't stand where it is put.",
        "Set it in the integration's `config`, or give a default.",
        bad='query: {from: "{{ config.since }}"}',
        good="query: {from: \"{{ config.since | default('') }}\"}",
    ),
    Code(
        "SYN432",
        "stream can't be run",
        "The declaration of a request or of its paging is incomplete, contradictory or not supported.",
        "Declare one method, and one way of paging with the place of its parameter.",
        bad="page: {cursor: meta.next}",
        good="page: {cursor: meta.next, into: query.cursor}",
    ),
    Code(
        "SYN433",
        "stream can't be read incrementally",
        "It has no cursor, or one that the records, its type or its bounds don't fit.",
        "Declare `cursor` with a field of the schema and its type, or let the sync read: full.",
    ),
    Code(
        "SYN434",
        "foreign position",
        "The checkpoint of this flow was made by another kind of source.",
        "Forget the checkpoint, so that the stream is read from the start.",
    ),
    Code(
        "SYN440",
        "refused by a rule of the connector",
        "An answer matches a rule in `http.errors` that says `fail`.",
        "The message is the rule's; look at what it names.",
    ),
    Code(
        "SYN441",
        "authentication not supported",
        "An AuthConfig, or what a connector declares of its type, asks for what can't be sent or signed.",
        "Compare it with the fields of the type; the message names the part.",
        bad="send: {cookie: sid}",
        good='send: {cookies.sid: "{{ sid }}"}',
    ),
    Code(
        "SYN442",
        "login needed",
        "An API needs the consent of a person, who hasn't given it yet, or whose consent has ended or was taken back.",
        "Run `syncline auth login` with the integration's name, or set a new refresh token where its reference points.",
    ),
    Code(
        "SYN443",
        "token endpoint not understood",
        "What answers at `tokenUrl` doesn't speak OAuth 2.0, gives a token of an unknown type, or has another time.",
        "Correct the URL; set this machine's clock right.",
    ),
    Code(
        "SYN444",
        "login refused",
        "A login was refused, ran out, or was answered by something else than what it began with.",
        "Begin again with `syncline auth login`, and finish in the browser window that it opens.",
    ),
    Code(
        "SYN450",
        "no file matches",
        "A stream's pattern matches no file under the integration's root, or far too many to keep track of.",
        "Check `files`, `config.root`, and whether the files have arrived.",
    ),
    Code(
        "SYN451",
        "path leaves the root",
        "A pattern, a symbolic link or a stream's name leads outside the folder that the integration may touch.",
        "Use relative paths without `..`; links may only point to files inside `config.root`.",
        bad="streams: {orders: {files: ../other/orders.csv}}",
        good="streams: {orders: {files: orders-*.csv}}",
    ),
    Code(
        "SYN452",
        "folder or file can't be used",
        "The root of a file integration, or a file in it, is missing, no folder, not accessible, or the disk is full.",
        "Create it, set `config.root`, give the user that runs Syncline access, or make space.",
    ),
    Code(
        "SYN453",
        "header can't name the columns",
        "A CSV header has an empty or a repeated name, or there is none to take the columns from.",
        "Correct the header, or set `csv.header: false` and list the names in `csv.columns`.",
    ),
    Code(
        "SYN454",
        "files with different columns",
        "Files of a stream lack columns that are declared, or that the mapping reads of the first file, or their types "
        "are others. Where several are looked at before the first is read, all are named and nothing was written.",
        "Make two streams of them, or correct the files that are named.",
    ),
    Code(
        "SYN455",
        "file changed while being read",
        "A file was cut, rewritten or removed after part of it had been read, so that going on could lose records.",
        "Restore the file, or reset the cursor of the sync to read everything again.",
    ),
    Code(
        "SYN456",
        "record has no end",
        "A quote in a CSV file is never closed, or a record is longer than 64 MiB. What came before it was read.",
        "Close the quote in the line that is named, or double it if it belongs to the text.",
    ),
    Code(
        "SYN457",
        "unreadable text",
        "A file is in an encoding that isn't the declared one.",
        "Declare `csv.encoding`, or convert the file to UTF-8.",
        good="csv: {encoding: windows-1252}",
    ),
    Code(
        "SYN458",
        "unusable CSV dialect",
        "The declared delimiter, quote, header and columns don't make a format that can be read.",
        "Use two different ASCII characters, and list `csv.columns` where there is no header.",
    ),
    Code(
        "SYN459",
        "unknown file format",
        "The format is neither declared nor told by the ending of the files.",
        "Declare `format: csv`, `jsonl`, `json`, `parquet`, `excel` or `fixed`.",
    ),
    Code(
        "SYN715",
        "damaged packed file",
        "A packed file or a workbook can't be unpacked: it was cut on its way, a checksum is wrong, or it isn't what "
        "its ending says. Nothing of it was read.",
        "Get the file anew, or declare the stream's `packing`.",
    ),
    Code(
        "SYN716",
        "library not installed",
        "A file format or a database needs a library that the base installation leaves out.",
        "Install it as the message says, such as pip install 'syncline[excel]'.",
    ),
    Code(
        "SYN460",
        "host out of bounds",
        "A request would go to an address that the flow may not reach: a private or link-local one, or a host that the "
        "tenant denies or doesn't allow. The addresses behind a name are checked, not only the name.",
        "Where it is meant, name the host or its network under `spec.egress.private` of the Tenant, or in "
        "`SYNCLINE_EGRESS_PRIVATE` for everything that runs there.",
        bad="spec: {regions: [eu-*]}",
        good="spec: {regions: [eu-*], egress: {private: [10.20.0.0/16]}}",
    ),
    Code(
        "SYN461",
        "no such file stream",
        "The integration doesn't declare a stream of this name.",
        "Add it under `spec.streams` of the Integration, or correct the reference.",
        good="streams: {orders: {files: orders-*.csv}}",
    ),
    Code(
        "SYN462",
        "file can't be read as its format",
        "A Parquet file is damaged, cut, or holds a type that has no counterpart here.",
        "Write it again; leave columns of such types out by declaring the stream's schema.",
    ),
    Code(
        "SYN463",
        "declared column is missing",
        "The stream's schema lists a column that a file doesn't have.",
        "Correct the schema, or the file.",
    ),
    Code(
        "SYN464",
        "checkpoint of another kind of source",
        "The stored position isn't one in files: the stream was read in another way before.",
        "Reset the cursor, so that the stream is read from the start.",
    ),
    Code(
        "SYN465",
        "circuit breaker open",
        "A host failed too often of late, so that it is left alone for a while.",
        "Wait for it, or ask its vendor. The next run continues after the last commit.",
    ),
    Code(
        "SYN466",
        "too many open files",
        "The process may open no more connections. It raised its own limit as far as it may.",
        "Raise the hard limit (`ulimit -Hn`, `LimitNOFILE=` of systemd), or run fewer flows at once.",
    ),
    Code(
        "SYN467",
        "no progress",
        "A source gave no record and its API no answer to go on with, or a destination took no batch, for as long as "
        "the flow allows. The run is ended, so that it isn't under way for ever.",
        "Start it again: it continues after the last commit. Where so long is right, raise `spec.progressDeadline`.",
        good="spec: {from: helpdesk/tickets, progressDeadline: 1h}",
    ),
    Code(
        "SYN468",
        "TLS refused",
        "The two sides share no version of TLS that is allowed, or the server asks for a client certificate.",
        'Declare `tls: {min: "1.2"}` in the integration for a server that knows nothing newer, or give the AuthConfig '
        "a certificate.",
        good='spec: {connector: crm@^1, tls: {min: "1.2"}}',
    ),
    Code(
        "SYN469",
        "budgets of requests out of reach",
        "Limits of requests are shared by all processes and kept in Redis, which can't be reached or used. Nothing is "
        "sent that isn't counted.",
        "Look at `SYNCLINE_REDIS`; without it, the state keeps the budgets.",
    ),
    Code(
        "SYN470",
        "files can't be upserted",
        "A file integration appends or replaces; it can't update rows by key.",
        "Use `write: append` or `write: replace`, or a database.",
        bad="{to: lake/orders, write: upsert}",
        good="{to: lake/orders, write: append}",
    ),
    Code(
        "SYN471",
        "unusable name of a stream",
        "The name of a stream to write can't be the name of a folder.",
        "Use letters, digits, `_`, `-` and `.`, not starting with a dot or an underscore.",
    ),
    Code(
        "SYN472",
        "columns don't fit the files that are there",
        "A column that was written before has another type now. Columns may be added, not changed.",
        "Write to another stream, or use `write: replace`.",
    ),
    Code(
        "SYN473",
        "damaged list of parts",
        "The `_syncline.json` of a written folder can't be understood, or lists a file that is gone. Flows whose "
        "checkpoint may be in it don't run; others of the same root do.",
        "Restore the folder from a backup, or remove it and reset the cursor.",
    ),
    Code(
        "SYN474",
        "unknown option of a file destination",
        "A configuration value of the integration isn't one that the file destination knows.",
        "`format` is `parquet`, `jsonl` or `csv`; `formulas` is `neutralise` or `keep`.",
    ),
    Code(
        "SYN475",
        "replaced folder would shrink too much",
        "The new content has so much fewer rows than the old that the guard keeps the old.",
        "Check the source; raise `guards.maxShrink` if the loss is meant.",
    ),
    Code(
        "SYN476",
        "fewer records than there are",
        "A listing ended with fewer records or pages than the API says it has, or a page is short and claims more.",
        "Run again: records may have been deleted meanwhile. If it stays, compare `page` with the API's answers.",
        bad="page: {page: query.page, size: {query.limit: 500}, short: last}   # the API gives 100 at most",
        good="page: {page: query.page, size: {query.limit: 100}, total: meta.total}",
    ),
    Code(
        "SYN477",
        "too many results for one listing",
        "A rule says `split`, but the span of the cursor is unbounded, or too short to be halved.",
        "Declare a cursor that is a time, with `start`, and both bounds in `into`.",
        good="cursor: {field: at, start: 2024-01-01, into: {query.from: start, query.to: end}}",
    ),
    Code(
        "SYN478",
        "feed isn't sorted as declared",
        "A cursor says `order: descending`, but a newer record came after an older one on the same page.",
        "Leave `order` out, so that every page is read, or ask the API to sort by the cursor's field.",
        bad="cursor: {field: updated_at, order: descending}   # the API sorts by created_at",
        good="query: {sort: -updated_at}\ncursor: {field: updated_at, order: descending}",
    ),
    Code(
        "SYN479",
        "streams read for each other",
        "A stream is read for each record of another, which is read, directly or not, for each record of the first.",
        "Take `for` out of one of them: at the top there must be a stream that is read once, or for values.",
        bad="a: {for: {each: b, as: b}}\nb: {for: {each: a, as: a}}",
        good="a: {get: /a}\nb: {for: {each: a, as: a}}",
    ),
)
