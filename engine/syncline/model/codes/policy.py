"""Codes of findings about policy and data flows (SYN5xx)."""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN500",
        "denied by policy",
        "A policy or a guard of the tenant refuses this.",
        "Change it, or have the policy's owner allow it.",
    ),
    Code(
        "SYN501",
        "classified data leaves its regions",
        "A field of a class that the tenant keeps in certain regions would be written to another, in the clear.",
        "Protect the field, drop it, or write it to an integration in an allowed region.",
        bad="- {to: email, from: email, class: pii.email}",
        good="- {to: email, from: email, class: pii.email, protect: {hash: tenant}}",
    ),
    Code(
        "SYN502",
        "classified data to a forbidden integration",
        "The tenant lists which integrations may receive data of this class; this one may not.",
        "Protect or drop the field, or choose another destination.",
    ),
    Code(
        "SYN503",
        "integration outside the tenant's regions",
        "A tenant's integrations may only be in the regions that the tenant lists.",
        "Use an endpoint in an allowed region, or have the tenant's owner add the region.",
    ),
    Code(
        "SYN504",
        "secret written in the clear",
        "Fields of class secret may never be written as they are, whatever a tenant allows.",
        "Drop the field, or hash it: protect: {hash: tenant}.",
    ),
    Code(
        "SYN505",
        "system reached without TLS",
        "An integration on another machine is reached over plain HTTP, or by PostgreSQL's protocol with an sslmode "
        "that does without TLS: data and credentials can be read on the way.",
        "Use the https address of the system; for PostgreSQL leave `sslmode` out, or say `verify-full`.",
        bad='config: {url: "postgresql://db.example.com/lake?sslmode=disable"}',
        good='config: {url: "postgresql://db.example.com/lake"}',
    ),
    Code(
        "SYN506",
        "place shared by tenants",
        "Integrations of two tenants mean the same files, database or schema, or one inside the other's; or a tenant "
        "writes to a shared integration that another one uses. One could read or overwrite what is the other's.",
        "Give each tenant a path, database or schema of its own. Shared integrations are for reading.",
        bad="config: {path: warehouse.db}",
        good="config: {path: warehouse/acme.db}",
    ),
    Code(
        "SYN507",
        "table written in two ways",
        "Two flows of a tenant write one table, and one of them replaces it, or they differ in mode or key: what is in "
        "the table depends on which ran last.",
        "Write to another table, or let both append, or upsert by the same key.",
    ),
    Code(
        "SYN508",
        "exception without effect",
        "An exception has ended, names a rule that there isn't, or one that its policy may not suspend: a tenant's "
        "policy suspends only rules of that tenant's own policies, and nothing suspends the rule `secrets`.",
        "Remove it, correct it, or have the owner of the shared policies grant it.",
    ),
    Code(
        "SYN510",
        "declared rule broken",
        "A rule in a Policy manifest, written in CEL, doesn't hold for this object, flow or change.",
        "Do what the rule's message says, or ask its owner for an exception with an end.",
    ),
    Code(
        "SYN511",
        "rule is not valid CEL",
        "The condition of a rule can't be compiled; a policy that can't be evaluated denies.",
        "Correct the condition: see `syncline explain Policy.rules`.",
    ),
    Code(
        "SYN512",
        "deprecated connector version",
        "An integration uses a version of a connector that is deprecated: the API behind it will be switched off, or "
        "was. It is a warning, with the days that are left; after the end it is an error where the connector says "
        "`refuse: true`.",
        "Move the integration to the version that replaces it, by its range: `syncline connector diff` says what "
        "differs. Who needs more time asks for an exception with an end.",
        bad="connector: helpdesk@^1",
        good="connector: helpdesk@^2",
    ),
    Code(
        "SYN513",
        "data beyond its purpose",
        "The tenant declares purposes, and a flow of classified data names none of them, or carries data that its "
        "purpose doesn't need.",
        "Name the purpose in spec.use.purpose, and drop the fields that it doesn't need.",
        bad="- {to: birthday, from: birthday, class: pii.birthday}",
        good="- {to: birthday, from: birthday, class: pii.birthday, protect: drop}",
    ),
    Code(
        "SYN514",
        "data kept too long",
        "The destination declares that it keeps records longer than the purpose of the flow needs them, or doesn't "
        "declare for how long.",
        "Have the destination delete records in time, and declare that.",
        good="handling: {retention: 365d}",
    ),
    Code(
        "SYN515",
        "opt-out passed over",
        "A flow declares the field by which people opt out, and its mapping isn't seen to leave these records out.",
        "Leave them out by the mapping's `where`, written as `!field` or ``field == `false` ``.",
        bad="where: status == 'active'",
        good="where: status == 'active' && !do_not_sell",
    ),
    Code(
        "SYN516",
        "classified data found in a run",
        "A source said only when it was open that a field is classified, or values showed it by their form "
        "(`detect` of the Tenant), and policy denies that it is written where the run writes. Nothing of the batch was "
        "written; what was committed before stays.",
        "Classify the field in the mapping and protect it, or drop it.",
        bad="- {to: note, from: note}",
        good="- {to: note, from: note, class: pci.pan, protect: drop}",
    ),
    Code(
        "SYN517",
        "rows that aren't anonymous enough",
        "Fewer rows are alike in the fields of `guards.anonymity` than it asks for, so that people could be told "
        "apart; nothing was written, and a table that was to be replaced is as it was. Or the guard can't be held: the "
        "flow neither replaces a table in a database nor is an import with `validate: before-commit`, or doesn't write "
        "such a field.",
        "Generalise the fields further, drop one, or leave out rare records by the mapping's `where`.",
        good="guards: {anonymity: {fields: [born, zip], k: 5}}",
    ),
    Code(
        "SYN518",
        "more rows than a run may write",
        "A run would write more rows than `guards.maxRows`. The batch that would exceed it isn't committed; what was "
        "committed before stays.",
        "Look whether the source sends what it should; if so, raise the bound.",
        good="guards: {maxRows: 100000}",
    ),
    Code(
        "SYN870",
        "rejects can't be retried under a floor of anonymity",
        "A flow with `guards.anonymity` was asked to write its rejects by themselves. Its floor is about all rows "
        "together, and a few that come later could be told apart.",
        "Correct the records at the source or the mapping, and run the flow again.",
    ),
    Code(
        "SYN854",
        "another's secret",
        "The tenant says which secrets are its own, and one of its manifests refers to another: whoever writes them "
        "could have it sent to a system of theirs.",
        "Refer to a secret of the tenant, or add this one to `secrets` of the Tenant.",
        bad="token: {secretRef: {provider: env, key: GLOBEX_TOKEN}}",
        good="token: {secretRef: {provider: env, key: ACME_TOKEN}}",
    ),
)
