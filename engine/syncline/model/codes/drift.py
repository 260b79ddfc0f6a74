"""Codes of drift and adopting (SYN727 to SYN729, SYN750 to SYN759), and of webhooks at systems (SYN725, SYN726, SYN790
to SYN798).
"""

from __future__ import annotations

from syncline.model.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "SYN750",
        "nothing to heal by",
        "What is gone at a destination is healed by reading everything again. A flow that appends can't do that: it "
        "would write every row twice. And there is nothing to look at in an API, nor to adopt in a "
        "folder of files, which has no columns of its own. Rows are compared by their key, which what is "
        "appended lacks.",
        "Let it be reported, or write by upsert or replace.",
        bad="spec: {from: crm/orders, mapping: order, to: warehouse/orders, write: append, drift: {tables: heal}}",
        good="spec: {from: crm/orders, mapping: order, to: warehouse/orders, write: upsert, drift: {tables: heal}}",
    ),
    Code(
        "SYN751",
        "a table of somebody else",
        "The flow writes to this table for the first time, and it is there already, with rows that no flow of Syncline "
        "wrote. An upsert would change rows of others, and a replace would drop them all.",
        "Write to another table, or say that it is to be taken over as it is: existing: adopt. `syncline plan --data` "
        "shows what would become of its rows.",
        bad="spec: {from: crm/orders, mapping: order, to: warehouse/orders}",
        good="spec: {from: crm/orders, mapping: order, to: warehouse/orders, existing: adopt}",
    ),
    Code(
        "SYN752",
        "nothing to adopt",
        "What somebody did at the destination can't be a change of a manifest. Only what happened to columns can: one "
        "that was dropped is left out of the mapping, one that has another type is declared as that, where the mapping "
        "is committed, the column isn't of its key, and the fields stand one below the other.",
        "Change the manifest by hand, or bring back what is gone: `syncline run --full-refresh`.",
    ),
    Code(
        "SYN727",
        "a reaction that can't be",
        "What is to be done about drift is declared by the place where something may differ, and each place has its "
        "reactions: report, heal, adopt (a commit is proposed that declares it as it is now) or ignore. This place "
        "can't have this one, for the reason in the message.",
        "Take one of those that the message lists.",
        bad="spec: {drift: {every: 1h, rows: adopt}}",
        good="spec: {drift: {every: 1h, tables: adopt, rows: heal}}",
    ),
    Code(
        "SYN728",
        "an adoption that waits for a person",
        "Somebody dropped a column or gave it another type, and the flow declares `drift: {tables: adopt}`: a commit "
        "that declares the mapping so lies on a branch of the repository, whose name the message has. It isn't signed.",
        "Look at the branch, and merge it, if that was meant: by a signed commit, where signatures are demanded. If "
        "not, delete the branch, and bring the column back: `syncline drift NAME --heal`, or by hand where it has "
        "another type.",
    ),
    Code(
        "SYN729",
        "an adoption that can't be proposed",
        "Somebody dropped a column or gave it another type, and the flow declares `drift: {tables: adopt}`, but the "
        "commit that declares it so couldn't be made or pushed, for the reason in the message. The next look tries it "
        "again.",
        "Let the credentials of the source push branches that begin with `syncline/adopt/`, or make the commit "
        "yourself: `syncline drift NAME --adopt` in a clone.",
    ),
    Code(
        "SYN790",
        "webhooks that can't be registered",
        "An integration declares webhooks that are to be registered at its system. How that is done is for its "
        "connector to say, under `webhooks`, and this one doesn't, or it names a stream that isn't there.",
        "Declare `webhooks` in the connector, or leave them out of the integration.",
    ),
    Code(
        "SYN725",
        "a webhook twice at one account",
        "Two webhooks that are to be registered at the same account of a system are sent to the same URL. Everything "
        "would be sent there twice, or the system refuses the second one; and after an answer that got lost, one could "
        "be taken for the other.",
        "Declare it once, with the events of both, or give each a URL of its own.",
        bad="webhooks: {push: {url: 'https://x.example/hook'}, tags: {url: 'https://x.example/hook'}}",
        good="webhooks: {push: {url: 'https://x.example/hook', events: [push, create]}}",
    ),
    Code(
        "SYN726",
        "a webhook that stays at a former system",
        "An integration was changed so that it leads to another system, and a webhook is still registered at the one "
        "before. It can't be deleted there, for what the message says: its manifests of then can't be read, the "
        "credentials that it was reached with were replaced and may be the other system's now, or somebody changed "
        "where it is sent.",
        "Delete the webhook at that system by hand, then `syncline drift NAME --heal --give-up`.",
    ),
    Code(
        "SYN791",
        "a webhook that was refused",
        "The system refused to register, change or delete a webhook. What it says is in the message.",
        "Look at the webhook's URL and events, and at what the credentials may do there. The next look tries again.",
    ),
    Code(
        "SYN792",
        "webhooks that can't be read",
        "The stream that lists the webhooks of a system gives something that has no id or no URL, can't be read, or is "
        "far too long. Without knowing what is there, nothing is registered, as it might be there already.",
        "Look at `webhooks` of the connector: at its stream, and at the expressions id and url.",
    ),
)
