"""Codes of findings about loading YAML (SYN1xx) and schema or references (SYN2xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

_LOADING: tuple[Code, ...] = (
    Code(
        "SYN101",
        "not UTF-8",
        "The file's bytes are not UTF-8 text. A guessed encoding could change names and values.",
        "Save the file as UTF-8. A byte order mark is allowed.",
    ),
    Code(
        "SYN102",
        "file too large",
        "A manifest file may have at most 1 MiB. A larger one is data or a mistake and slows every command.",
        "Split it into several files, or keep the data in a stream of an integration.",
    ),
    Code(
        "SYN103",
        "control character",
        "The file holds a NUL, another control character, or one that changes the direction of text: a reviewer "
        "would see something else than what is read.",
        "Remove the character, or write it as an escape in double quotes.",
        bad='message: "a\u2423b"   # with a real control character in place of \u2423',
        good='message: "a\\u0001b"',
    ),
    Code(
        "SYN104",
        "not YAML",
        "The text breaks YAML's grammar; nothing after this place could be read.",
        "Fix the place: most often an indentation, a quote or a bracket before it.",
        bad="message: Note: call back",
        good='message: "Note: call back"',
    ),
    Code(
        "SYN105",
        "nested too deep",
        "Values are nested more than 64 levels deep. No kind needs more than a dozen.",
        "Remove the extra brackets or indentation.",
    ),
    Code(
        "SYN106",
        "too many values",
        "A file may have at most 1,000 documents and 100,000 values.",
        "Split it into several files.",
    ),
    Code(
        "SYN107",
        "key given twice",
        "A mapping has the same key twice. YAML libraries keep one in silence, and not all the same one.",
        "Keep one of the two.",
        bad="spec:\n  write: append\n  write: upsert",
        good="spec:\n  write: upsert",
    ),
    Code(
        "SYN108",
        "tag not allowed",
        "YAML tags (`!name`, `!!type`) ask a program to build other values than text, numbers and lists. They are "
        "how a file runs code elsewhere, and are refused here.",
        "Remove the tag. Quote a value that must be text.",
        bad="port: !!str 5432",
        good='port: "5432"',
    ),
    Code(
        "SYN109",
        "alias not allowed",
        "An alias (`*name`) refers to nothing, to a value that it is part of, or aliases stand for more than 10,000 "
        "values in all: a file of a few lines could otherwise grow to gigabytes.",
        "Define the anchor before the alias, or write the value out.",
        bad="a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]   # and so on",
        good="a: [x, x]",
    ),
    Code(
        "SYN110",
        "merge key not allowed",
        "Merge keys (`<<`) left YAML with version 1.2. What a merge gives depends on order, which reviewers miss.",
        "Write the fields out, or refer to a whole value by an alias.",
        bad="tasks: {<<: *defaults, write: append}",
        good="tasks: {read: full, write: append}",
    ),
    Code(
        "SYN111",
        "key is not text",
        "A list or mapping is used as a key. Keys are names.",
        "Quote the key if it is a name; an expression with braces needs quotes.",
        bad="{{ config.site }}: x",
        good='"{{ config.site }}": x',
    ),
    Code(
        "SYN112",
        "number out of range",
        "A number doesn't fit in 64 bits, or is not finite. It is refused instead of rounded.",
        "Quote it if it is an identifier.",
        bad="const: 123456789012345678901",
        good='const: "123456789012345678901"',
    ),
    Code(
        "SYN113",
        "tab in indentation",
        "YAML is indented with spaces only; how wide a tab is, depends on the reader.",
        "Replace the tab with spaces.",
    ),
    Code(
        "SYN114",
        "file can't be read",
        "A manifest file is not a regular file, can't be opened, or is a link that leads out of the repository.",
        "Copy the file into the repository, or correct its permissions.",
    ),
    Code(
        "SYN115",
        "no such folder",
        "The folder that was given is not there, or is no folder.",
        "Give the folder of a configuration repository; `syncline init` makes one.",
    ),
)

_SCHEMA: tuple[Code, ...] = (
    Code(
        "SYN200",
        "invalid declaration",
        "Something that was declared or asked for is wrong.",
        "Fix each finding that is listed with it.",
    ),
    Code(
        "SYN201",
        "unknown field",
        "The language is closed: otherwise an unknown field, such as a misspelt guard, would be ignored.",
        "Correct the name, or remove the field. `syncline explain KIND.PATH` lists what there is.",
        bad="guards: {maxReject: 1%}",
        good="guards: {maxRejects: 1%}",
    ),
    Code(
        "SYN202",
        "missing field",
        "A field without a default is not given.",
        "Add it.",
        bad="spec: {from: crm/customers, to: warehouse/customers}",
        good="spec: {from: crm/customers, mapping: customer, to: warehouse/customers}",
    ),
    Code(
        "SYN203",
        "wrong type",
        "The value is of another type than the field's. Nothing is converted: `no` and `010` are text.",
        "Write the value in the type that was expected; quotes make text.",
        bad="version: 1.0",
        good='version: "1.0.0"',
    ),
    Code(
        "SYN204",
        "not one of the values",
        "The field takes one of a few values, and this is none of them.",
        "Take one of the listed values.",
        bad="write: merge",
        good="write: upsert",
    ),
    Code(
        "SYN205",
        "malformed value",
        "The value has the right type, but not the form or the size that the field asks for.",
        "Write it in the form that was expected.",
        bad="jitter: 30 seconds",
        good="jitter: 30s",
    ),
    Code(
        "SYN206",
        "unknown apiVersion",
        "This program reads manifests of `syncline/v1`. Another version may mean something else by the same fields.",
        "Write `apiVersion: syncline/v1`, or use the program that fits the manifest.",
        bad="apiVersion: syncline/v2",
        good="apiVersion: syncline/v1",
    ),
    Code(
        "SYN207",
        "unknown kind",
        "There is no such kind of manifest.",
        "Correct the name; kinds begin with a capital letter.",
        bad="kind: sync",
        good="kind: Sync",
    ),
    Code(
        "SYN209",
        "wrong scope",
        "Some kinds belong to a tenant, some are shared, some may be either. This one is declared otherwise.",
        "Add or remove `metadata.tenant`.",
        bad="kind: Sync\nmetadata: {name: orders}",
        good="kind: Sync\nmetadata: {name: orders, tenant: acme}",
    ),
    Code(
        "SYN210",
        "credential in plain text",
        "A value looks like a password, a token or a key. Whoever reads the repository or its history has it now; its "
        "value is not shown here.",
        "Put it into a secret provider and refer to it. Then change it: removing it from Git is not enough.",
        bad="token: ghp_…",
        good="token: {secretRef: {provider: env, key: HELPDESK_TOKEN}}",
    ),
    Code(
        "SYN211",
        "not exactly one",
        "A choice has to be made between several fields, and none or more than one of them is given.",
        "Give exactly one.",
        bad='spec: {cron: "0 * * * *", every: 1h, run: [Sync/orders]}',
        good="spec: {every: 1h, run: [Sync/orders]}",
    ),
    Code(
        "SYN212",
        "name given twice",
        "A list names the same thing twice; one would win over the other in silence.",
        "Rename or remove one of the two.",
        bad="fields:\n- {to: id, from: id}\n- {to: id, from: number}",
        good="fields:\n- {to: id, from: id}\n- {to: number, from: number}",
    ),
    Code(
        "SYN213",
        "name that isn't there",
        "A key, a test or a list of required fields names a field that the schema or mapping beside it doesn't have.",
        "Correct the name, or add the field.",
        bad="key: [customer]\nfields:\n- {to: customer_id, from: id}",
        good="key: [customer_id]\nfields:\n- {to: customer_id, from: id}",
    ),
    Code(
        "SYN214",
        "not a cron expression",
        "A cron expression has five fields: minute, hour, day of the month, month, day of the week.",
        "Write five fields with `*`, numbers, names, ranges, lists and steps.",
        bad='cron: "0 25 * * *"',
        good='cron: "0 23 * * mon-fri"',
    ),
    Code(
        "SYN215",
        "not a time zone",
        "The name is not in the IANA time zone database.",
        "Use a name such as Europe/Berlin. Abbreviations are ambiguous.",
        bad="timeZone: CEST",
        good="timeZone: Europe/Berlin",
    ),
    Code(
        "SYN216",
        "not a network",
        "A network is written as an address without host bits and a prefix length (CIDR).",
        "Write the network's first address and its length.",
        bad="egress: {private: [10.1.2.3/8]}",
        good="egress: {private: [10.0.0.0/8]}",
    ),
    Code(
        "SYN217",
        "not a version range",
        "A range is a version, `^` or `~` with one, or comparisons that must all hold.",
        "Write it in one of these forms.",
        bad="connector: helpdesk@1.x",
        good="connector: helpdesk@^1",
    ),
    Code(
        "SYN218",
        "path into a reserved folder",
        "A manifest names a path in `.git`, `.syncline` or the home folder. State, keys, audit log and history are no "
        "data: a flow could copy keys out, or write over what was recorded.",
        "Keep data and secrets in folders of their own, such as `data/`, `warehouse/` or `/run/secrets/`.",
        bad="config: {path: .syncline/warehouse.db}",
        good="config: {path: warehouse/warehouse.db}",
    ),
    Code(
        "SYN220",
        "declared twice",
        "Two manifests have the same tenant, kind and name. Which one counts must not depend on the order of files.",
        "Remove or rename one of the two.",
    ),
    Code(
        "SYN221",
        "unknown reference",
        "A manifest refers to an object that neither the tenant, nor the shared objects, nor the catalogue have. What "
        "another tenant has is never looked at.",
        "Correct the name, or declare the object.",
        bad="mapping: custmer",
        good="mapping: customer",
    ),
    Code(
        "SYN222",
        "undeclared tenant",
        "Objects name a tenant that no manifest declares, so no rule about its data could hold.",
        "Declare the tenant, or correct the name.",
        good="apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {title: Acme GmbH}",
    ),
    Code(
        "SYN223",
        "version out of range",
        "The connector is there, but not in a version that the integration accepts.",
        "Change the range after reading the connector's changes, or declare the version that is wanted.",
        bad="connector: sqlite@^2",
        good="connector: sqlite@^1",
    ),
    Code(
        "SYN224",
        "unknown stream",
        "The integration, or its connector, has no stream of this name.",
        "Correct the name, or declare the stream: under `streams` of the integration for files.",
        bad="from: crm/custmers",
        good="from: crm/customers",
    ),
    Code(
        "SYN225",
        "authentication doesn't fit",
        "The connector doesn't offer the AuthConfig's type, or needs one and gets none.",
        "Refer to an AuthConfig of a type that the connector lists under `auth`.",
    ),
    Code(
        "SYN226",
        "unknown setting",
        "The connector has no such setting.",
        "Correct the name, or remove it; the finding lists the settings that there are.",
        bad="connector: sqlite\nconfig: {file: warehouse.db}",
        good="connector: sqlite\nconfig: {path: warehouse.db}",
    ),
    Code(
        "SYN227",
        "missing setting",
        "The connector can't work without this setting.",
        "Add it under `config`.",
        bad="connector: sqlite",
        good="connector: sqlite\nconfig: {path: warehouse.db}",
    ),
    Code(
        "SYN228",
        "wrong setting",
        "A setting's value has another type or form than the connector asks for.",
        "Write it as the connector describes it.",
        bad="config: {format: xml}",
        good="config: {format: parquet}",
    ),
    Code(
        "SYN229",
        "setting must be a reference",
        "The connector says that this setting is secret, and it is given as a literal.",
        "Replace it with a secretRef, and change what was committed.",
        good="config: {password: {secretRef: {provider: env, key: PASSWORD}}}",
    ),
    Code(
        "SYN230",
        "files on another connector",
        "Only the runtime `file` reads streams of files; other connectors know their own streams.",
        "Remove `streams`, or use the connector `file`.",
    ),
    Code(
        "SYN231",
        "read mode doesn't fit",
        "An incremental read needs a cursor on the stream, and a way of writing that keeps what was written before.",
        "Declare the cursor in the connector, or use `read: full`; write with `upsert` or `append`.",
        bad="read: incremental\nwrite: replace",
        good="read: incremental\nwrite: upsert",
    ),
    Code(
        "SYN232",
        "upsert without a key",
        "An upsert decides by the key whether a row is new. Without one it can't.",
        "Add `key` to the mapping, the sync or the import; or use `write: append`.",
        bad="write: upsert",
        good="write: upsert\nkey: [id]",
    ),
    Code(
        "SYN233",
        "move from what is still there",
        "`metadata.moved` names an object that is still declared: both can't have the same history. That is so for "
        "names that are exchanged, or passed on in a chain, too.",
        "Remove the old declaration, or `moved`. To exchange names, move one object out of the way and apply first.",
    ),
    Code(
        "SYN234",
        "wrong direction",
        "This version can't read from, or write to, this kind of system.",
        "Use an integration whose runtime can: mail takes messages only.",
    ),
    Code(
        "SYN235",
        "two moves from one object",
        "Two objects say by `metadata.moved` that they were the same object before: its cursors and history can't "
        "follow both.",
        "Remove `moved` from the one that is new.",
    ),
    Code(
        "SYN236",
        "move to another tenant",
        "Rejects are sealed, and values hashed, with the tenant's own key. An object that is moved to another tenant "
        "would leave what it can no longer open, and write hashes that no longer match.",
        "Remove `moved`: the object of the other tenant is a new one, and the old one is retired.",
    ),
    Code(
        "SYN240",
        "not executed yet",
        "The language has this feature, and this version doesn't execute it. A run would do something else than "
        "what is declared, so it is refused.",
        "Declare it another way for now.",
    ),
    Code(
        "SYN250",
        "formatting would change data",
        "The formatted text would be read as something else than the original, so the file is left as it is.",
        "Report it with the file; format this one by hand.",
    ),
    Code(
        "SYN251",
        "file is in the way",
        "A new configuration repository is written only where none of its files exists yet.",
        "Give an empty folder, or remove the file.",
    ),
    Code(
        "SYN252",
        "nothing to explain",
        "There is no such code, kind or field.",
        "`syncline explain KIND` lists a kind's fields; `KIND.path` goes into one.",
    ),
    Code(
        "SYN253",
        "not JMESPath",
        "An expression of a connector, that picks records, cursors or errors, has a syntax error.",
        "Correct it at the column that the message names.",
        bad='records: "data[[]"',
        good='records: "data[]"',
    ),
    Code(
        "SYN254",
        "secret in a template",
        "A template of a request reads a setting that is declared as secret: URLs and bodies are shown in messages and "
        "kept in evidence, so that it would get around.",
        "Send it by an AuthConfig, such as api_key in a header, the query or a cookie.",
        bad='get: "/items?key={{ config.key }}"',
        good="auth: [{type: api_key, in: query, name: key}]",
    ),
    Code(
        "SYN260",
        "version raised too little",
        "A connector changed in a way that its version doesn't tell. Integrations pin ranges: a breaking change in a "
        "minor version reaches them unasked.",
        "Raise the version as the finding says: major for breaking changes, minor for additions, patch for the rest; "
        "below 1.0.0, minor for breaking changes and patch for the rest.",
        bad="version: 1.3.1",
        good="version: 2.0.0",
    ),
    Code(
        "SYN262",
        "nothing to compare with",
        "A revision, a path in it, a file or a version of a connector that was to be compared isn't there.",
        "Give what Git knows here: a branch, a tag or a commit, and a path relative to the repository.",
    ),
    Code(
        "SYN261",
        "range of several major versions",
        "Several major versions of a connector are declared, and the integration's range includes more than one: it "
        "moves to the next one as soon as that is declared.",
        "Pin one major version.",
        bad="connector: helpdesk",
        good="connector: helpdesk@^1.3",
    ),
    Code(
        "SYN263",
        "form with files that can't be sent",
        "A request with `multipart` has what can't go with it: a Content-Type of its own, a batch, content that is "
        "declared as base64 and isn't.",
        "Say the type of a part by its `contentType`; the request's own is made with the boundary of the parts.",
        bad="headers: {Content-Type: multipart/form-data}",
        good="multipart: [{name: file, filename: a.csv, text: 'a,b', contentType: text/csv}]",
    ),
    Code(
        "SYN264",
        "lists that can't be combined",
        "The lists of a `for` and its `times` have a name twice, or more than 10,000 combinations, each of which would "
        "be read by requests of its own.",
        "Give each list its own name, and divide what is too much over several integrations.",
        bad="for: {in: config.accounts, as: account, times: [{in: [sales, visits], as: account}]}",
        good="for: {in: config.accounts, as: account, times: [{in: [sales, visits], as: report}]}",
    ),
    Code(
        "SYN572",
        "one name for a record and a value",
        "A stream is read for several things, and one name is a record of a parent stream in one of them, and a value "
        "or a list of records in another. Mappings and templates couldn't tell what it is.",
        "Give them different names: a field that a member of `for` doesn't give is null.",
        bad="for: [{each: users, as: owner}, {in: [shared], as: owner}]",
        good="for: [{each: users, as: owner}, {in: [shared], as: place}]",
    ),
    Code(
        "SYN573",
        "key of a group of parents",
        "A stream is read for several parents at once (`group`), and its key names one of their fields. Which of them "
        "a record belongs to is only in the record.",
        "Name a field of the records that says whose they are.",
        bad="for: {each: accounts, as: account, group: 50}\nkey: [account.id, day]",
        good="for: {each: accounts, as: account, group: 50}\nkey: [account_id, day]",
    ),
    Code(
        "SYN579",
        "group of parents whose cursor is no time",
        "A stream is read for several parents at once (`group`), so that one cursor is known of all of them: the "
        "greatest. Only a time goes on for each alike. A number of one parent says nothing of another's, and a marker "
        "is of one request alone: records would be left out.",
        "Leave `group` out, so that each parent has its own cursor; or take a field that is a time.",
        bad="for: {each: accounts, as: account, group: 50}\ncursor: {field: number, type: integer}",
        good="for: {each: accounts, as: account, group: 50}\ncursor: {field: updated_at, type: timestamp}",
    ),
)

_ENVIRONMENTS: tuple[Code, ...] = (
    Code(
        "SYN280",
        "environment not chosen",
        "The repository declares environments, and none of them, or one that isn't there, was named. Without it, it "
        "can't be told what is meant to be applied.",
        "Give --environment NAME, or set SYNCLINE_ENVIRONMENT.",
        bad="syncline plan",
        good="syncline plan --environment staging",
    ),
    Code(
        "SYN281",
        "unknown environment",
        "An object says which environments it is in, and names one that environments.yaml doesn't declare.",
        "Correct the name, or declare the environment.",
    ),
    Code(
        "SYN282",
        "unknown variable",
        "A manifest uses, or an environment gives, a variable that environments.yaml doesn't declare.",
        "Correct the name, or declare the variable. `$${` stands for the characters themselves.",
        bad="site: ${sit}",
        good="site: ${site}",
    ),
    Code(
        "SYN283",
        "variable without a value",
        "A variable has no default, and an environment gives it no value.",
        "Give a value in the environment, or declare a default that is right for every environment.",
    ),
    Code(
        "SYN284",
        "value doesn't fit the variable",
        "The value of a variable has another type than the variable, or is none of those that it may have.",
        "Correct the value, or what the variable declares.",
        bad='variables: {days: {type: integer, default: "7"}}',
        good="variables: {days: {type: integer, default: 7}}",
    ),
    Code(
        "SYN285",
        "patch of nothing",
        "A patch changes an object, or removes a field, that isn't there, or belongs to no environment: it would do "
        "nothing, and nobody would notice.",
        "Correct the name, or remove the patch.",
    ),
    Code(
        "SYN286",
        "not a patch",
        "A document doesn't say what it changes, says it twice, or changes what can't be changed in this way: a list "
        "is replaced whole, unless its entries are told apart by a field.",
        "Name the object by kind and metadata; give lists whole, or entries by name where that is possible.",
    ),
    Code(
        "SYN287",
        "variable in a name",
        "An object is called the same in every environment: its kind, name, tenant and version hold no variable.",
        "Write the name out. To have an object in some environments only, name these in metadata.environments.",
    ),
    Code(
        "SYN288",
        "unused variable",
        "No manifest and no patch uses a variable that environments.yaml declares.",
        "Remove it.",
    ),
    Code(
        "SYN289",
        "state of another environment",
        "The state was applied in one environment, and the plan is of another: applying it would turn the one into "
        "the other.",
        "Give each environment a state of its own (SYNCLINE_STATE, SYNCLINE_HOME). After renaming an environment, "
        "give the old name as `formerly`.",
    ),
)

CODES: tuple[Code, ...] = _LOADING + _SCHEMA + _ENVIRONMENTS
